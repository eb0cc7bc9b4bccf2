"""Live parts of a page: fragments that are sent again, as server-sent events, whenever they have changed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from flask import Response, abort, stream_with_context
from markupsafe import escape

from project.target import Target
from studio.failures import explain

# each takes a thread, and a call of the API every few seconds
MAX_STREAMS = 24
# after which a browser connects again, if its page is still open
STREAM_SECONDS = 900
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_free = threading.BoundedSemaphore(MAX_STREAMS)


@dataclass(frozen=True)
class Update:
    """The content of a live page.

    Attributes:
        fragments: HTML by the names of the page's events.
        is_final: Whether the content is final.
    """

    fragments: Mapping[str, str]
    is_final: bool


def interval_of(target: Target) -> float:
    """Return the seconds between two readings of a live page; AWS throttles frequent ones."""
    return 1.0 if target.s3_folder is not None else 5.0


def stream(read: Callable[[], Update], interval: float) -> Response:
    """Return the changes of fragments as server-sent events; an `end` event closes the connection.

    Args:
        read: Reads the present fragments. Errors that pass, such as throttling, are retried after three intervals;
            others end the stream.
        interval: Seconds between two reads.
    """
    if not _free.acquire(blocking=False):
        abort(503, f"More than {MAX_STREAMS} live pages are open; close some, and reload.")
    response = Response(stream_with_context(_events(read, interval)), mimetype="text/event-stream")
    response.call_on_close(_free.release)
    return response


def _events(read: Callable[[], Update], interval: float) -> Iterator[str]:
    sent: dict[str, str] = {}
    deadline = time.monotonic() + STREAM_SECONDS
    while time.monotonic() < deadline:
        try:
            update = read()
        except Exception as error:
            failure = explain(error)
            yield event("failure", str(escape(f"{failure.title}: {failure.message}")))
            sent["failure"] = failure.title
            if not failure.retry_seconds:
                yield event("end", "")
                return
            time.sleep(3 * interval)
            continue
        if sent.pop("failure", ""):
            yield event("failure", "")
        for name, fragment in update.fragments.items():
            if sent.get(name) != fragment:
                sent[name] = fragment
                yield event(name, fragment)
        if update.is_final:
            yield event("end", "")
            return
        # tells whether the browser is still there
        yield ": still here\n\n"
        time.sleep(interval)


def event(name: str, data: str) -> str:
    """Return a server-sent event."""
    lines = "".join(f"data: {line}\n" for line in _LINE_BREAK.split(data))
    return f"event: {name}\n{lines}\n"
