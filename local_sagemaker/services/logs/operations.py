"""Operations on log groups, streams and events; each takes the data directory and a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.data_dir import DataDir
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.logs.events import LogEvent, page_of, read_events
from local_sagemaker.services.logs.filter_pattern import parse_filter_pattern
from local_sagemaker.storage.log_files import group_folder, groups
from local_sagemaker.storage.records import Record

MAX_EVENTS = 10_000
MAX_GROUPS = MAX_STREAMS = 50


def describe_log_groups(data_dir: DataDir, request: Record) -> Record:
    prefix = request.get("logGroupNamePrefix", "")
    found = [
        {"logGroupName": group, "arn": f"{_arn(group)}:*", "creationTime": 0, "storedBytes": 0}
        for group in sorted(groups(data_dir))
        if group.startswith(prefix)
    ]
    return _listed("logGroups", found, request, "g", MAX_GROUPS)


def describe_log_streams(data_dir: DataDir, request: Record) -> Record:
    group, prefix = _group(data_dir, request), request.get("logStreamNamePrefix", "")
    by_time = request.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    streams: list[Record] = []
    for name, file in _streams(data_dir, group):
        if not name.startswith(prefix):
            continue
        status = file.stat()
        first_timestamp = next((event.timestamp for event in read_events(file, name)), 0)
        streams.append(
            {
                "logStreamName": name,
                "arn": f"{_arn(group)}:log-stream:{name}",
                "creationTime": first_timestamp,
                "firstEventTimestamp": first_timestamp,
                "lastEventTimestamp": int(status.st_mtime * 1000),
                "lastIngestionTime": int(status.st_mtime * 1000),
                "storedBytes": status.st_size,
            }
        )
    streams.sort(key=lambda stream: (stream["lastEventTimestamp"] if by_time else 0, stream["logStreamName"]))
    if request.get("descending"):
        streams.reverse()
    return _listed("logStreams", streams, request, "s", MAX_STREAMS)


def get_log_events(data_dir: DataDir, request: Record) -> Record:
    group, name = _group(data_dir, request), request.get("logStreamName")
    files = dict(_streams(data_dir, group))
    if name not in files:
        raise ServiceError("ResourceNotFoundException", "The specified log stream does not exist.")
    # positions count all events of the stream, so that a token stays valid with another startTime or endTime
    events = [
        (position, event)
        for position, event in enumerate(read_events(files[name], name))
        if _is_in_range(event, request)
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


def filter_log_events(data_dir: DataDir, request: Record) -> Record:
    group = _group(data_dir, request)
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix", "")
    if names is not None and prefix:
        raise _invalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
    # unlike that of GetLogEvents, the range includes its end
    window = {**request, "endTime": request["endTime"] + 1} if "endTime" in request else request
    matches = parse_filter_pattern(request.get("filterPattern", ""))
    found: list[tuple[int, str, int, LogEvent]] = []
    for name, file in _streams(data_dir, group):
        if name.startswith(prefix) and (names is None or name in names):
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


OPERATIONS: dict[str, Callable[[DataDir, Record], Record]] = {
    "DescribeLogGroups": describe_log_groups,
    "DescribeLogStreams": describe_log_streams,
    "GetLogEvents": get_log_events,
    "FilterLogEvents": filter_log_events,
}


def group_name(name_or_arn: str) -> str:
    """Return the name of a log group given by name or ARN."""
    return name_or_arn.removesuffix(":*").rpartition(":")[2]


def _group(data_dir: DataDir, request: Record) -> str:
    if "logGroupName" in request and "logGroupIdentifier" in request:
        raise _invalid("Give either logGroupName or logGroupIdentifier, and not both.")
    name = request.get("logGroupName") or group_name(str(request.get("logGroupIdentifier")))
    if name not in groups(data_dir):
        raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")
    return name


def _streams(data_dir: DataDir, group: str) -> list[tuple[str, Path]]:
    folder = group_folder(data_dir, group)
    files = folder.rglob("*.log") if folder.is_dir() else []
    return sorted((str(file.relative_to(folder).with_suffix("")), file) for file in files)


def _is_in_range(event: LogEvent, request: Record) -> bool:
    start, end = request.get("startTime"), request.get("endTime")
    return (start is None or event.timestamp >= start) and (end is None or event.timestamp < end)


def _members(event: LogEvent) -> Record:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.timestamp}


def _listed(member: str, items: list[Record], request: Record, token: str, maximum: int) -> Record:
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


def _arn(group: str) -> str:
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
