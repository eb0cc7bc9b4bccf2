"""Log groups of jobs, endpoints and functions: operations on groups and streams, and how they are found."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.containers.output import LogStream
from local_sagemaker.data_dir import DataDir
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.log_files import GROUPS, endpoint_group, group_folder, groups
from local_sagemaker.storage.record_kinds import LOG_GROUP
from local_sagemaker.storage.records import Record, RecordStore

# the numbers of days that CloudWatch accepts
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip

# the name of an endpoint, and of the folder of its streams
_ENDPOINT = re.compile(r"[a-zA-Z0-9-]{1,63}")


def create_log_group(store: RecordStore, request: Record) -> Record:
    name = request["logGroupName"]
    if name in groups(store.data_dir):
        raise ServiceError("ResourceAlreadyExistsException", "The specified log group already exists")
    if not _ENDPOINT.fullmatch(name.removeprefix(endpoint_group(""))):
        raise ServiceError("InvalidParameterException", f"{name!r} is not the log group of an endpoint's name")
    group_folder(store.data_dir, name).mkdir(parents=True, exist_ok=True)
    return {}


def delete_log_group(store: RecordStore, request: Record) -> Record:
    name = find_group(store, request)
    for _, file in streams_of(store.data_dir, name):
        _delete(file)
    folder = group_folder(store.data_dir, name)
    if name not in GROUPS and folder.is_dir() and not any(path.is_file() for path in folder.rglob("*")):
        for path in sorted((folder, *folder.rglob("*")), reverse=True):
            path.rmdir()
    store.delete(LOG_GROUP, name)
    return {}


def delete_log_stream(store: RecordStore, request: Record) -> Record:
    _delete(stream_file(store, request))
    return {}


def put_retention_policy(store: RecordStore, request: Record) -> Record:
    days, name = request["retentionInDays"], find_group(store, request)
    if days not in RETENTION_DAYS:
        raise ServiceError(
            "InvalidParameterException",
            f"retentionInDays must be one of {', '.join(map(str, RETENTION_DAYS))}, got {days}",
        )
    store.put(LOG_GROUP, name, {"RetentionInDays": days})
    return {}


def delete_retention_policy(store: RecordStore, request: Record) -> Record:
    store.delete(LOG_GROUP, find_group(store, request))
    return {}


def can_create(name: str) -> bool:
    """Return whether a group that does not exist would be one of jobs or endpoints."""
    return name in GROUPS or name.startswith(endpoint_group(""))


def find_group(store: RecordStore, request: Record) -> str:
    """Return the name of the log group that a request names.

    Raises:
        ServiceError: It does not exist, or the request names it twice.
    """
    if "logGroupName" in request and "logGroupIdentifier" in request:
        raise ServiceError("InvalidParameterException", "Give either logGroupName or logGroupIdentifier, and not both.")
    name: str = request.get("logGroupName") or group_name(str(request.get("logGroupIdentifier")))
    if name not in groups(store.data_dir):
        raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")
    return name


def group_name(name_or_arn: str) -> str:
    """Return the name of a log group given by name or ARN."""
    return name_or_arn.removesuffix(":*").rpartition(":")[2]


def group_arn(group: str) -> str:
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"


def stream_file(store: RecordStore, request: Record) -> Path:
    """Return the file of the stream that a request names. Raises ServiceError if it does not exist."""
    name = request.get("logStreamName", "")
    files = dict(streams_of(store.data_dir, find_group(store, request), name))
    if name not in files:
        raise ServiceError("ResourceNotFoundException", "The specified log stream does not exist.")
    return files[name]


def streams_of(data_dir: DataDir, group: str, prefix: str = "") -> list[tuple[str, Path]]:
    """Return the names and files of a group's streams whose names start with a prefix, sorted."""
    folder = group_folder(data_dir, group)
    # a prefix such as `my-job/` is the folder of one job of thousands
    parts = prefix.split("/")[:-1]
    below = folder.joinpath(*filter(None, parts))
    if ".." in parts or not below.is_dir():
        return []
    names = ((str(file.relative_to(folder).with_suffix("")), file) for file in below.rglob("*.log"))
    return sorted((name, file) for name, file in names if name.startswith(prefix))


def _delete(file: Path) -> None:
    """Delete a stream, unless something is writing to it."""
    if file not in LogStream.open_files:
        file.unlink(missing_ok=True)


OPERATIONS: dict[str, Callable[[RecordStore, Record], Record]] = {
    "CreateLogGroup": create_log_group,
    "DeleteLogGroup": delete_log_group,
    "DeleteLogStream": delete_log_stream,
    "PutRetentionPolicy": put_retention_policy,
    "DeleteRetentionPolicy": delete_retention_policy,
}
