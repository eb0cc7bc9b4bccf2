"""Live parts of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from flask import Flask

from studio.live import MAX_STREAMS, Update, event, stream
from tests.studio.conftest import ADDRESS


def events(app: Flask, read: Callable[[], Update]) -> list[str]:
    """Return the events of a stream, without comments."""
    with app.test_request_context("/", base_url=ADDRESS):
        response = stream(read, 0.001)
        text = response.get_data(as_text=True)
        response.close()
    return [part for part in text.split("\n\n") if part and not part.startswith(":")]


def test_a_fragment_is_sent_again_only_when_it_has_changed(app: Flask) -> None:
    states: Iterator[Update] = iter(
        [
            Update({"status": "Executing", "steps": "1"}, False),
            Update({"status": "Executing", "steps": "2"}, False),
            Update({"status": "Succeeded", "steps": "2"}, True),
        ]
    )
    assert events(app, lambda: next(states)) == [
        "event: status\ndata: Executing",
        "event: steps\ndata: 1",
        "event: steps\ndata: 2",
        "event: status\ndata: Succeeded",
        "event: end\ndata: ",
    ]


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (
            ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "Describe"),
            "AWS is throttling requests",
        ),
        (
            ClientError(
                {
                    "Error": {"Code": "ServiceUnavailable", "Message": "busy"},
                    "ResponseMetadata": {"HTTPStatusCode": 503},
                },
                "Describe",
            ),
            "The API has failed: Describe: ServiceUnavailable: busy",
        ),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:8000"), "The API cannot be reached"),
        (ReadTimeoutError(endpoint_url="http://127.0.0.1:8000"), "The API cannot be reached"),
    ],
)
def test_a_failure_that_passes_is_shown_until_the_next_read_succeeds(app: Flask, error: Exception, title: str) -> None:
    answers: Iterator[Exception | Update] = iter([error, Update({"status": "Succeeded"}, True)])

    def read() -> Update:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    first, *rest = events(app, read)
    assert first.startswith(f"event: failure\ndata: {title}")
    assert rest == ["event: failure\ndata: ", "event: status\ndata: Succeeded", "event: end\ndata: "]


def test_another_error_is_shown_and_ends_the_stream(app: Flask) -> None:
    def read() -> Update:
        raise ClientError({"Error": {"Code": "ResourceNotFound", "Message": "gone"}}, "Describe")

    assert events(app, read) == ["event: failure\ndata: Not found: gone", "event: end\ndata: "]


def test_line_breaks_of_any_kind_stay_inside_an_event() -> None:
    assert event("log", "a\r\nb\rc\n\nevent: end") == (
        "event: log\ndata: a\ndata: b\ndata: c\ndata: \ndata: event: end\n\n"
    )


def test_more_streams_than_threads_are_refused(app: Flask) -> None:
    with app.test_request_context("/", base_url=ADDRESS):
        open_streams = [stream(lambda: Update({}, True), 1) for _ in range(MAX_STREAMS)]
        try:
            with pytest.raises(Exception, match="live pages are open"):
                stream(lambda: Update({}, True), 1)
        finally:
            for response in open_streams:
                response.close()
        stream(lambda: Update({}, True), 1).close()
