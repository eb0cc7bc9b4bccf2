"""An endpoint's captures in S3: how new the newest are, and in which hours certain inferences were captured."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from monitoring import s3_objects
from project.s3_uris import split_s3_uri
from project.target import Target

_DOWNLOADS = 16
_HOUR = "%Y/%m/%d/%H"


def newest_object(target: Target, uri: str, since: datetime) -> datetime | None:
    """When the last object came below a prefix with folders of hours; None where none came since then."""
    times = [
        item["LastModified"]
        for prefix, first in _listings(target, uri, since)
        for item in s3_objects.find(target, prefix, first)
    ]
    return max((time for time in times if time >= since), default=None)


def hours_of_inferences(target: Target, uri: str, wanted: Set[str], since: datetime) -> dict[str, str]:
    """In which hours, such as 2026/11/21/09, the wanted inferences were captured, by id; those not found are left out.

    uri: of one endpoint's captures. since: nothing that was captured in an earlier hour is looked at.
    """
    keys = sorted(
        (
            (_hour_of(item["Key"]), item["Key"])
            for prefix, first in _listings(target, uri, since)
            for item in s3_objects.find(target, prefix, first)
        ),
        reverse=True,  # labels are mostly of late
    )
    bucket = split_s3_uri(uri)[0]
    found: dict[str, str] = {}
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        for start in range(0, len(keys), _DOWNLOADS):
            chunk = keys[start : start + _DOWNLOADS]
            contents = pool.map(lambda pair: s3_objects.read(target, f"s3://{bucket}/{pair[1]}"), chunk)
            for (hour, _), content in zip(chunk, contents, strict=True):
                found |= {one: hour for one in _captured_ids((content or b"").splitlines()) if one in wanted}
            if len(found) == len(wanted):
                break
    return found


def hours_of_batch_inferences(target: Target, uri: str, wanted: Set[str], since: datetime) -> dict[str, str]:
    """The same of batch transform jobs. uri: their DataCaptureConfig's DestinationS3Uri."""
    found: dict[str, str] = {}
    bucket = split_s3_uri(uri)[0]
    for item in s3_objects.find(target, f"{uri.rstrip('/')}/output/", f"{since.astimezone(UTC):{_HOUR}}"):
        first, *names = json.loads(s3_objects.read(target, f"s3://{bucket}/{item['Key']}") or b"[{}]")
        for name in names:
            lines = (s3_objects.read(target, f"{first['prefix']}{name}") or b"").splitlines()
            hour = _hour_of(item["Key"])
            found |= {one: hour for one in map(_batch_id, lines) if one in wanted}
    return found


def _listings(target: Target, uri: str, since: datetime) -> Iterator[tuple[str, str]]:
    """The prefixes that hold folders of hours, the given one and those of variants, each with the first hour wanted."""
    root = f"{uri.rstrip('/')}/"
    first = f"{since.astimezone(UTC):{_HOUR}}"
    below = list(s3_objects.folders(target, root))
    if any(name.isdecimal() for name in below):
        yield root, first
    for name in below:
        if not name.isdecimal():
            yield f"{root}{name}/", first


def _hour_of(key: str) -> str:
    return "/".join(key.split("/")[-5:-1])


def _captured_ids(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        metadata = json.loads(line).get("eventMetadata", {}) if line.strip() else {}
        if one := metadata.get("inferenceId") or metadata.get("eventId"):
            yield str(one)


def _batch_id(line: bytes) -> str:
    """That which a job with GenerateInferenceId puts to the end of a record, in JSON or CSV."""
    if line.startswith(b"{"):
        return str(json.loads(line).get("SageMakerInferenceId", ""))
    return line.decode("utf-8", "replace").rsplit(",", 2)[-2] if line.count(b",") > 1 else ""
