"""Operations that describe log groups and streams, and read events."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.logs.events import LogEvent, page_of, read_events
from local_sagemaker.services.logs.filter_pattern import parse_filter_pattern
from local_sagemaker.services.logs.groups import find_group, group_arn, stream_file, streams_of
from local_sagemaker.storage.log_files import groups
from local_sagemaker.storage.record_kinds import LOG_GROUP
from local_sagemaker.storage.records import Record, RecordStore

MAX_EVENTS = 10_000
MAX_GROUPS = MAX_STREAMS = 50


def describe_log_groups(store: RecordStore, request: Record) -> Record:
    prefix = request.get("logGroupNamePrefix", "")
    found = [
        {
            "logGroupName": group,
            "arn": f"{group_arn(group)}:*",
            "creationTime": 0,
            "storedBytes": 0,
            **({"retentionInDays": policy["RetentionInDays"]} if (policy := store.get(LOG_GROUP, group)) else {}),
        }
        for group in sorted(groups(store.data_dir))
        if group.startswith(prefix)
    ]
    return _listed("logGroups", found, request, "g", MAX_GROUPS)


def describe_log_streams(store: RecordStore, request: Record) -> Record:
    group, prefix = find_group(store, request), request.get("logStreamNamePrefix", "")
    by_time = request.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    found = [(file.stat(), name, file) for name, file in streams_of(store.data_dir, group, prefix)]
    found.sort(key=lambda item: (int(item[0].st_mtime * 1000) if by_time else 0, item[1]))
    if request.get("descending"):
        found.reverse()
    page = _listed("logStreams", found, request, "s", MAX_STREAMS)
    # only the files of the page are opened
    return {**page, "logStreams": [_stream(group, *item) for item in page["logStreams"]]}


def get_log_events(store: RecordStore, request: Record) -> Record:
    file, name = stream_file(store, request), request["logStreamName"]
    # positions count all events of the stream, so that a token stays valid with another startTime or endTime
    events = [
        (position, event) for position, event in enumerate(read_events(file, name)) if _is_in_range(event, request)
    ]
    limit = _limit(request, MAX_EVENTS)
    token = request.get("nextToken")
    if token is not None and token.startswith("b/"):
        position = _position(token, "b")
        page = page_of([item for item in events if item[0] < position][::-1], limit)[::-1]
    elif token is not None:
        position = _position(token, "f")
        page = page_of([item for item in events if item[0] >= position], limit)
    elif request.get("startFromHead"):
        position = 0
        page = page_of(events, limit)
    else:
        position = events[-1][0] + 1 if events else 0
        page = page_of(events[::-1], limit)[::-1]
    first, end = (page[0][0], page[-1][0] + 1) if page else (position, position)
    return {
        "events": [_members(event) for _, event in page],
        "nextForwardToken": f"f/{end}",
        "nextBackwardToken": f"b/{first}",
    }


def filter_log_events(store: RecordStore, request: Record) -> Record:
    group = find_group(store, request)
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix", "")
    if names is not None and prefix:
        raise _invalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
    # unlike that of GetLogEvents, the range includes its end
    window = {**request, "endTime": request["endTime"] + 1} if "endTime" in request else request
    matches = parse_filter_pattern(request.get("filterPattern", ""))
    found: list[tuple[int, str, int, LogEvent]] = []
    for name, file in streams_of(store.data_dir, group, names[0] if names and len(names) == 1 else prefix):
        if names is None or name in names:
            for position, event in enumerate(read_events(file, name)):
                if _is_in_range(event, window) and matches(event.message):
                    found.append((event.timestamp, name, position, event))
    found.sort(key=lambda item: item[:3])
    start = _position(request.get("nextToken"), "e")
    page = page_of([(position, event) for _, _, position, event in found[start:]], _limit(request, MAX_EVENTS))
    end = start + len(page)
    events = [
        {**_members(event), "logStreamName": name, "eventId": f"{name}/{position}"}
        for _, name, position, event in found[start:end]
    ]
    next_token = {"nextToken": f"e/{end}"} if end < len(found) else {}
    return {"events": events, **next_token}


OPERATIONS: dict[str, Callable[[RecordStore, Record], Record]] = {
    "DescribeLogGroups": describe_log_groups,
    "DescribeLogStreams": describe_log_streams,
    "GetLogEvents": get_log_events,
    "FilterLogEvents": filter_log_events,
}


def _is_in_range(event: LogEvent, request: Record) -> bool:
    start, end = request.get("startTime"), request.get("endTime")
    return (start is None or event.timestamp >= start) and (end is None or event.timestamp < end)


def _stream(group: str, status: os.stat_result, name: str, file: Path) -> Record:
    first_timestamp = next((event.timestamp for event in read_events(file, name)), 0)
    last_timestamp = int(status.st_mtime * 1000)
    return {
        "logStreamName": name,
        "arn": f"{group_arn(group)}:log-stream:{name}",
        "creationTime": first_timestamp,
        "firstEventTimestamp": first_timestamp,
        "lastEventTimestamp": last_timestamp,
        "lastIngestionTime": last_timestamp,
        "storedBytes": status.st_size,
    }


def _members(event: LogEvent) -> Record:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.timestamp}


def _listed(member: str, items: list[Any], request: Record, token: str, maximum: int) -> Record:
    """Return the page of groups or streams that a request is for, with the token of the next one if there is one."""
    start, limit = _position(request.get("nextToken"), token), _limit(request, maximum)
    next_token = {"nextToken": f"{token}/{start + limit}"} if start + limit < len(items) else {}
    return {member: items[start : start + limit], **next_token}


def _limit(request: Record, maximum: int) -> int:
    limit = request.get("limit", maximum)
    if not isinstance(limit, int) or not 1 <= limit <= maximum:
        raise _invalid(f"limit must be from 1 to {maximum}, got {limit!r}")
    return limit


def _position(token: Any, kind: str) -> int:
    if token is None:
        return 0
    if not isinstance(token, str) or not re.fullmatch(rf"{kind}/\d{{1,12}}", token):
        raise _invalid("The specified nextToken is invalid.")
    return int(token[2:])


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)
