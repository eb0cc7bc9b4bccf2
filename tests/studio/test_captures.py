"""Captured requests of an endpoint, as Studio reads them from S3."""

from __future__ import annotations

import html
import json
from itertools import chain
from unittest.mock import patch
from urllib.parse import urlencode

import pytest

from project.target import Target
from studio.queries import captures
from tests.studio.conftest import Browser

SCRIPT = "<script>alert(1)</script>"


def capture(identifier: str, data: str = "1") -> str:
    part = {"observedContentType": "text/csv", "mode": "INPUT", "data": data, "encoding": "CSV"}
    metadata = {"eventId": identifier, "inferenceTime": "2026-11-05T09:00:00Z"}
    return json.dumps({"captureData": {"endpointInput": part}, "eventMetadata": metadata, "eventVersion": "0"}) + "\n"


def put(target: Target, name: str, time: str, lines: list[str], variant: str = "a") -> str:
    """Store a capture file of an endpoint and return the URI of the endpoint's captures."""
    folder, _, start = time.rpartition("/")
    key = f"studio-captures/{name}/{variant}/2026/11/{folder}/{start}-00-000-x.jsonl"
    target.s3.put_object(Bucket=target.bucket, Key=key, Body="".join(lines).encode())
    return f"s3://{target.bucket}/studio-captures/{name}"


def pages_of(target: Target, uri: str, size: int) -> list[list[str]]:
    """Return the IDs of the requests on each page."""
    pages, token = [], ""
    while True:
        page = captures.newest_requests(target, uri, size, token)
        pages.append([item.inference_id for item in page.items])
        if page.next_token is None:
            return pages
        token = page.next_token


def test_captured_payloads_are_escaped(browser: Browser, target: Target) -> None:
    uri = put(target, "hostile", "05/09/00", [capture("id", SCRIPT)])
    page = browser.get(f"/endpoints/any/requests?{urlencode({'uri': uri})}")
    assert SCRIPT not in page
    assert html.escape(SCRIPT) in page


def test_an_unpaired_surrogate_is_shown_as_its_escape(browser: Browser, target: Target) -> None:
    lines = [capture("inner", '{"a": "\\ud800"}'), capture("outer", "b \ud801"), capture("\ud802")]
    uri = put(target, "surrogates", "05/09/00", lines)
    page = browser.get(f"/endpoints/any/requests?{urlencode({'uri': uri})}")
    for escape in ("\\ud800", "\\ud801", "\\ud802"):
        assert escape in page


def test_pages_of_captured_requests_have_each_request_once(target: Target) -> None:
    expected = []
    for time, variant in (("05/09/59", "a"), ("05/10/01", "b"), ("05/10/02", "a"), ("06/00/00", "a")):
        names = [f"{time}-{number}" for number in range(3)]
        expected += names
        uri = put(target, "once", time, ["not a capture\n", *map(capture, names)], variant)
    pages = pages_of(target, uri, 2)
    assert list(chain.from_iterable(pages)) == expected[::-1]
    assert len(pages) == 6


@pytest.mark.parametrize("chunk", [100, 2000, 1 << 19])
@pytest.mark.parametrize("page_bytes", [1, 5000, 1 << 26])
def test_requests_before_the_part_of_a_file_that_is_read_first_are_on_the_same_or_the_next_page(
    target: Target, monkeypatch: pytest.MonkeyPatch, chunk: int, page_bytes: int
) -> None:
    monkeypatch.setattr(captures, "_CHUNK", chunk)
    monkeypatch.setattr(captures, "_PAGE_BYTES", page_bytes)
    expected = []
    for minute in ("01", "02", "03"):
        names = [f"{minute}-{number}" for number in range(20)]
        expected += names
        uri = put(target, "parts", f"05/09/{minute}", [capture(name, "x" * 300) for name in names])
    pages = pages_of(target, uri, 25)
    assert list(chain.from_iterable(pages)) == expected[::-1]
    if page_bytes > 60 * 500:
        assert [len(page) for page in pages] == [25, 25, 10]


def test_only_the_end_of_a_large_capture_file_is_read(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures, "_CHUNK", 1000)
    lines = [capture(f"id-{number}", "x" * 200) for number in range(20)]
    uri = put(target, "large", "05/09/00", lines)
    size = len("".join(lines))
    with patch.object(target.s3, "get_object", wraps=target.s3.get_object) as get_object:
        page = captures.newest_requests(target, uri, 1)
        first = [call.kwargs["Range"] for call in get_object.call_args_list]
        get_object.reset_mock()
        next_page = captures.newest_requests(target, uri, 1, page.next_token or "")
        second = [call.kwargs["Range"] for call in get_object.call_args_list]
    assert [item.inference_id for item in (*page.items, *next_page.items)] == ["id-19", "id-18"]
    assert first == [f"bytes={size - 1000}-{size - 1}"]
    end = size - len(lines[-1])
    assert second == [f"bytes={end - 1000}-{end - 1}"]


def test_a_line_that_is_longer_than_a_request_can_be_is_passed_over(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captures, "_CHUNK", 64)
    monkeypatch.setattr(captures, "_LARGEST_LINE", 512)
    uri = put(target, "long", "05/09/00", [capture("a"), "x" * 2000 + "\n", capture("b")])
    assert pages_of(target, uri, 25) == [["b", "a"]]


def test_payloads_that_are_not_text_are_shown_as_bytes() -> None:
    assert captures.as_payload("image/png", b"\x89PNG").text.startswith("4 bytes: 89 50 4e 47")
    assert captures.as_payload("application/json", b'{"a": 1}').text == '{\n  "a": 1\n}'
    assert captures.as_payload("application/json", b'{"a": ').text == '{"a": '
    assert captures.as_payload("application/json", b"[" * 10_000).length == 10_000
