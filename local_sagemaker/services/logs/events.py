"""Log events, read from the files that `local_sagemaker.storage.log_files` describes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

# CloudWatch's page size: one megabyte, in which each event counts with its message and 26 bytes
MAX_PAGE_BYTES = 1 << 20
EVENT_OVERHEAD = 26

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ?")


@dataclass(frozen=True)
class LogEvent:
    """A line of a log. `timestamp` is in epoch milliseconds."""

    timestamp: int
    message: str


def read_events(file: Path, stream: str) -> Iterator[LogEvent]:
    """Yield the events of a stream's file; a line without a time has the time of the previous one."""
    timestamp = _stream_start(stream)
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if match := _TIME.match(line):
                timestamp = int(datetime.fromisoformat(match[1]).timestamp() * 1000)
            yield LogEvent(timestamp, line[match.end() if match else 0 :].rstrip("\n"))


def page_of(events: list[tuple[int, LogEvent]], limit: int) -> list[tuple[int, LogEvent]]:
    """Return the leading events that fit into one page: at most `limit`, and at least one."""
    size = 0
    for count, (_, event) in enumerate(events[:limit]):
        size += len(event.message.encode()) + EVENT_OVERHEAD
        if size > MAX_PAGE_BYTES and count:
            return events[:count]
    return events[:limit]


def _stream_start(name: str) -> int:
    """Return when a stream was created, in epoch milliseconds; the names of jobs' streams end with the epoch second."""
    seconds = name.rpartition("-")[2]
    return int(seconds) * 1000 if seconds.isdecimal() else 0
