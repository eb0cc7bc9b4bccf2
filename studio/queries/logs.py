"""CloudWatch Logs: groups, streams, and events of a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from project.target import Target
from studio.paging import Page

# events of a page of a log
PAGE_EVENTS = 500
# calls that read the beginning of a stream; each returns at most 10,000 events and 1 MB
MAX_CALLS = 10


@dataclass(frozen=True)
class LogGroup:
    name: str
    created: datetime | None
    stored_bytes: int | None
    retention_days: int | None


@dataclass(frozen=True)
class LogStream:
    name: str
    first_event: datetime | None
    last_event: datetime | None


@dataclass(frozen=True)
class LogEvent:
    """A line of a log.

    Attributes:
        stream: The stream, if several were read.
    """

    time: datetime
    message: str
    stream: str = ""


@dataclass(frozen=True)
class LogPage:
    """Events in order of time, with the tokens of the events before and after them.

    Attributes:
        before: None if nothing is before.
    """

    events: Sequence[LogEvent]
    before: str | None
    after: str | None


def list_groups(target: Target, prefix: str, size: int, token: str | None) -> Page[LogGroup]:
    """List a page of the log groups whose names begin with a prefix."""
    request = {"logGroupNamePrefix": prefix, "nextToken": token}
    response = target.logs.describe_log_groups(limit=min(size, 50), **_given(request))
    return Page(
        tuple(
            LogGroup(
                item["logGroupName"],
                _time(item.get("creationTime")),
                item.get("storedBytes"),
                item.get("retentionInDays"),
            )
            for item in response["logGroups"]
        ),
        response.get("nextToken"),
    )


def list_streams(target: Target, group: str, prefix: str, size: int, token: str | None = None) -> Page[LogStream]:
    """List a page of a group's streams: the last written first, or by name those that begin with a prefix."""
    order = {"logStreamNamePrefix": prefix} if prefix else {"orderBy": "LastEventTime", "descending": True}
    response = target.logs.describe_log_streams(
        logGroupName=group, limit=min(size, 50), **order, **_given({"nextToken": token})
    )
    return Page(
        tuple(
            LogStream(
                item["logStreamName"], _time(item.get("firstEventTimestamp")), _time(item.get("lastEventTimestamp"))
            )
            for item in response["logStreams"]
        ),
        response.get("nextToken"),
    )


def read_events(target: Target, group: str, stream: str, token: str | None = None, limit: int = PAGE_EVENTS) -> LogPage:
    """Read a page of a stream's events: by default the last ones.

    Args:
        target: Account or local SageMaker.
        group: Name of the log group.
        stream: Name of the stream.
        token: `before` or `after` of another page.
        limit: Most events.
    """
    # startFromHead must be true with a forward token, as it was (AWS documents it so)
    forward = {"startFromHead": token is not None and token.startswith("f/")}
    response = target.logs.get_log_events(
        logGroupName=group, logStreamName=stream, limit=limit, **forward, **_given({"nextToken": token})
    )
    before = response.get("nextBackwardToken")
    # the end of a stream is a page without events, whose token is the one that was given
    is_first = not response["events"] or before == token
    return LogPage(_events(response["events"]), None if is_first else before, response.get("nextForwardToken"))


def read_first_events(target: Target, group: str, stream: str) -> tuple[Sequence[LogEvent], bool]:
    """Read the first events of a stream, by MAX_CALLS calls.

    Returns:
        The events, and whether they are all.
    """
    events: list[LogEvent] = []
    token = None
    for _ in range(MAX_CALLS):
        response = target.logs.get_log_events(
            logGroupName=group, logStreamName=stream, startFromHead=True, **_given({"nextToken": token})
        )
        events += _events(response["events"])
        # a page may be empty before the end, where the token is the one that was given
        if response["nextForwardToken"] == token:
            return events, True
        token = response["nextForwardToken"]
    return events, False


def filter_events(
    target: Target, group: str, streams: Sequence[str], pattern: str, token: str | None
) -> Page[LogEvent]:
    """Find a page of events that match a filter pattern; a page may be empty and not the last.

    Args:
        target: Account or local SageMaker.
        group: Name of the log group.
        streams: Names of streams; empty for all.
        pattern: CloudWatch's filter pattern.
        token: The token of the page; None for the first one.
    """
    request = {"logStreamNames": list(streams), "filterPattern": pattern, "nextToken": token}
    response = target.logs.filter_log_events(logGroupName=group, limit=PAGE_EVENTS, **_given(request))
    return Page(tuple(_events(response["events"])), response.get("nextToken"))


def _events(items: Sequence[Mapping[str, Any]]) -> list[LogEvent]:
    return [
        LogEvent(
            datetime.fromtimestamp(item["timestamp"] / 1000, UTC),
            item["message"].rstrip("\r\n"),
            item.get("logStreamName", ""),
        )
        for item in items
    ]


def _given(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if value}


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
