"""CloudWatch Logs for the log groups of SageMaker's jobs and of functions, read from the files of their output."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.data_dir import DataDir
from local_sagemaker.protocol import aws_json
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import NotImplementedHere
from local_sagemaker.protocol.shapes import check_request, operation_model
from local_sagemaker.storage.log_files import group_folder, groups
from local_sagemaker.storage.records import Record

MOST_EVENTS = 10_000
# CloudWatch ends a page at one megabyte
MOST_BYTES = 1 << 20
MOST_STREAMS = 50

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ?")


@dataclass(frozen=True)
class Event:
    """A line of a log. timestamp: epoch milliseconds."""

    timestamp: int
    message: str


class LogsService:
    """The log groups of one data directory's jobs and functions."""

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir

    def respond(self, request: Request) -> Response:
        operation, members = aws_json.read_request(request)
        if not self.has(operation, members):
            raise NotImplementedHere(operation)
        return aws_json.write_response(self.call(operation, members))

    def has(self, operation: str, request: Record) -> bool:
        """Whether a request is about groups that are kept here: those of jobs, and what functions have logged."""
        name = request.get("logGroupName") or request.get("logGroupIdentifier") or request.get("logGroupNamePrefix")
        if not isinstance(name, str):
            return False
        is_functions = any(group.startswith(_group_name(name)) for group in groups(self._data_dir))
        return "/aws/sagemaker/" in name or ("/aws/lambda/" in name and operation in OPERATIONS and is_functions)

    def call(self, operation: str, request: Record) -> dict[str, Any]:
        """Answer an operation of CloudWatch Logs. Raises ServiceError."""
        model = operation_model("logs", operation)
        if operation not in OPERATIONS:
            raise ServiceError("InvalidParameterException", f"{operation} is not supported on the log groups of jobs")
        check_request(model.input_shape, request)
        return OPERATIONS[operation](self, request)

    def describe_log_groups(self, request: Record) -> dict[str, Any]:
        prefix = request.get("logGroupNamePrefix", "")
        return {
            "logGroups": [
                {"logGroupName": group, "arn": f"{_arn(group)}:*", "creationTime": 0, "storedBytes": 0}
                for group in groups(self._data_dir)
                if group.startswith(prefix)
            ]
        }

    def describe_log_streams(self, request: Record) -> dict[str, Any]:
        group, prefix = self._group(request), request.get("logStreamNamePrefix", "")
        streams: list[dict[str, Any]] = []
        for name, file in self._streams(group):
            if not name.startswith(prefix):
                continue
            status = file.stat()
            begun = next((event.timestamp for event in _events(file, name)), 0)
            streams.append(
                {
                    "logStreamName": name,
                    "arn": f"{_arn(group)}:log-stream:{name}",
                    "creationTime": begun,
                    "firstEventTimestamp": begun,
                    "lastEventTimestamp": int(status.st_mtime * 1000),
                    "lastIngestionTime": int(status.st_mtime * 1000),
                    "storedBytes": status.st_size,
                }
            )
        by_time = request.get("orderBy") == "LastEventTime"
        streams.sort(key=lambda one: (one["lastEventTimestamp"] if by_time else 0, one["logStreamName"]))
        if request.get("descending"):
            streams.reverse()
        start, most = _place(request.get("nextToken"), "s"), _limit(request, MOST_STREAMS, MOST_STREAMS)
        following = {"nextToken": f"s/{start + most}"} if start + most < len(streams) else {}
        return {"logStreams": streams[start : start + most], **following}

    def get_log_events(self, request: Record) -> dict[str, Any]:
        group, name = self._group(request), request.get("logStreamName")
        files = dict(self._streams(group))
        if name not in files:
            raise ServiceError("ResourceNotFoundException", "The specified log stream does not exist.")
        # places count all events of the stream, so that a token holds whatever times are asked for with it
        events = [(place, event) for place, event in enumerate(_events(files[name], name)) if _between(event, request)]
        most = _limit(request, MOST_EVENTS, MOST_EVENTS)
        token = request.get("nextToken")
        if token is not None and token.startswith("b/"):
            place = _place(token, "b")
            chosen = _fitting([one for one in events if one[0] < place][::-1], most)[::-1]
        elif token is not None:
            place = _place(token, "f")
            chosen = _fitting([one for one in events if one[0] >= place], most)
        elif request.get("startFromHead"):
            place = 0
            chosen = _fitting(events, most)
        else:
            place = events[-1][0] + 1 if events else 0
            chosen = _fitting(events[::-1], most)[::-1]
        first, behind = (chosen[0][0], chosen[-1][0] + 1) if chosen else (place, place)
        return {
            "events": [_wire(event) for _, event in chosen],
            "nextForwardToken": f"f/{behind}",
            "nextBackwardToken": f"b/{first}",
        }

    def filter_log_events(self, request: Record) -> dict[str, Any]:
        group = self._group(request)
        names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix", "")
        matches = _pattern(request.get("filterPattern", ""))
        found = []
        for name, file in self._streams(group):
            if name.startswith(prefix) and (names is None or name in names):
                for place, event in enumerate(_events(file, name)):
                    if _between(event, request) and matches(event.message):
                        found.append((event.timestamp, name, place, event))
        found.sort(key=lambda one: one[:3])
        start = _place(request.get("nextToken"), "e")
        chosen = _fitting([(one[2], one[3]) for one in found[start:]], _limit(request, MOST_EVENTS, MOST_EVENTS))
        end = start + len(chosen)
        events = [
            {**_wire(event), "logStreamName": name, "eventId": f"{name}/{place}"}
            for _, name, place, event in found[start:end]
        ]
        following = {"nextToken": f"e/{end}"} if end < len(found) else {}
        return {"events": events, **following}

    def _group(self, request: Record) -> str:
        name = request.get("logGroupName") or _group_name(str(request.get("logGroupIdentifier")))
        if name not in groups(self._data_dir):
            raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")
        return name

    def _streams(self, group: str) -> list[tuple[str, Path]]:
        folder = group_folder(self._data_dir, group)
        files = folder.rglob("*.log") if folder.is_dir() else []
        return sorted((str(file.relative_to(folder).with_suffix("")), file) for file in files)


OPERATIONS: dict[str, Callable[[LogsService, Record], dict[str, Any]]] = {
    "DescribeLogGroups": LogsService.describe_log_groups,
    "DescribeLogStreams": LogsService.describe_log_streams,
    "GetLogEvents": LogsService.get_log_events,
    "FilterLogEvents": LogsService.filter_log_events,
}


def _events(file: Path, stream: str) -> Iterator[Event]:
    """The events of a stream's file; see `local_sagemaker.storage.log_files` for its lines."""
    timestamp = _stream_start(stream)
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if match := _TIME.match(line):
                timestamp = int(datetime.fromisoformat(match[1]).timestamp() * 1000)
            yield Event(timestamp, line[match.end() if match else 0 :].rstrip("\n"))


def _stream_start(name: str) -> int:
    """When a stream was begun, which its name ends with: epoch milliseconds."""
    seconds = name.rpartition("-")[2]
    return int(seconds) * 1000 if seconds.isdecimal() else 0


def _fitting(events: list[tuple[int, Event]], most: int) -> list[tuple[int, Event]]:
    """As many events from the front as one page takes."""
    size = 0
    for count, (_, event) in enumerate(events[:most]):
        size += len(event.message.encode()) + 26  # what CloudWatch adds for each
        if size > MOST_BYTES and count:
            return events[:count]
    return events[:most]


def _between(event: Event, request: Record) -> bool:
    start, end = request.get("startTime"), request.get("endTime")
    return (start is None or event.timestamp >= start) and (end is None or event.timestamp < end)


def _wire(event: Event) -> dict[str, Any]:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.timestamp}


def _pattern(text: str) -> Callable[[str], bool]:
    """CloudWatch's filter of terms: all of them, none of `-term`, at least one of `?term`; quotes hold one together."""
    if text.lstrip().startswith(("{", "[", "%")):
        raise ServiceError(
            "InvalidParameterException", f"filterPattern {text!r}: terms alone are supported, not JSON or expressions"
        )
    try:
        terms = [term for term in shlex.split(text.replace("'", r"\'")) if term]
    except ValueError as error:
        raise ServiceError("InvalidParameterException", f"filterPattern {text!r}: {error}") from error
    wanted = [term for term in terms if term[0] not in "-?"]
    unwanted = [term[1:] for term in terms if term[0] == "-"]
    options = [term[1:] for term in terms if term[0] == "?"]

    def matches(message: str) -> bool:
        return (
            all(term in message for term in wanted)
            and not any(term in message for term in unwanted)
            and (not options or any(term in message for term in options))
        )

    return matches


def _group_name(name_or_arn: str) -> str:
    return name_or_arn.removesuffix(":*").rpartition(":")[2]


def _limit(request: Record, default: int, most: int) -> int:
    limit = request.get("limit", default)
    if not isinstance(limit, int) or not 1 <= limit <= most:
        raise ServiceError("InvalidParameterException", f"limit must be from 1 to {most}, it is {limit!r}")
    return limit


def _place(token: Any, kind: str) -> int:
    if token is None:
        return 0
    if not isinstance(token, str) or not re.fullmatch(rf"{kind}/\d{{1,12}}", token):
        raise ServiceError("InvalidParameterException", "The specified nextToken is invalid.")
    return int(token[2:])


def _arn(group: str) -> str:
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
