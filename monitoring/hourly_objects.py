"""S3 prefixes with a folder per hour (captures, ground truth): the newest object, and the hours of inferences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from monitoring import s3_objects
from project.s3_uris import split_s3_uri
from project.target import Target

_CONCURRENT_DOWNLOADS = 16
_HOUR = "%Y/%m/%d/%H"


def newest_object(target: Target, uri: str, since: datetime) -> datetime | None:
    """Return when the newest object below a prefix was written; None if there is none since `since`."""
    times = [
        item["LastModified"]
        for prefix, first in _listings(target, uri, since)
        for item in s3_objects.list_objects(target, prefix, first)
    ]
    return max((time for time in times if time >= since), default=None)


def hours_of_inferences(target: Target, uri: str, wanted: Set[str], since: datetime) -> dict[str, str]:
    """Find the hours in which inferences were captured.

    Args:
        target: Where the bucket is.
        uri: S3 prefix of one endpoint's captures.
        wanted: Inference ids.
        since: Hours before this time are not searched.

    Returns:
        The hour, such as 2026/11/21/09, by inference id; ids that were not found are left out.
    """
    keys = sorted(
        (
            (_hour_of(item["Key"]), item["Key"])
            for prefix, first in _listings(target, uri, since)
            for item in s3_objects.list_objects(target, prefix, first)
        ),
        # newest first, because labels are mostly of recent inferences
        reverse=True,
    )
    bucket = split_s3_uri(uri)[0]
    hours: dict[str, str] = {}
    with ThreadPoolExecutor(_CONCURRENT_DOWNLOADS) as pool:
        for start in range(0, len(keys), _CONCURRENT_DOWNLOADS):
            chunk = keys[start : start + _CONCURRENT_DOWNLOADS]
            contents = pool.map(lambda pair: s3_objects.read(target, f"s3://{bucket}/{pair[1]}"), chunk)
            for (hour, _), content in zip(chunk, contents, strict=True):
                ids = _captured_ids((content or b"").splitlines())
                hours |= {inference_id: hour for inference_id in ids if inference_id in wanted}
            if len(hours) == len(wanted):
                break
    return hours


def hours_of_batch_inferences(target: Target, uri: str, wanted: Set[str], since: datetime) -> dict[str, str]:
    """Find the hours in which inferences of batch transform jobs were captured.

    Args:
        target: Where the bucket is.
        uri: DestinationS3Uri of the jobs' DataCaptureConfig.
        wanted: Inference ids.
        since: Hours before this time are not searched.

    Returns:
        As of `hours_of_inferences`.
    """
    hours: dict[str, str] = {}
    bucket = split_s3_uri(uri)[0]
    for item in s3_objects.list_objects(target, f"{uri.rstrip('/')}/output/", f"{since.astimezone(UTC):{_HOUR}}"):
        # a manifest: the prefix of the outputs, then their names
        first, *names = json.loads(s3_objects.read(target, f"s3://{bucket}/{item['Key']}") or b"[{}]")
        hour = _hour_of(item["Key"])
        for name in names:
            lines = (s3_objects.read(target, f"{first['prefix']}{name}") or b"").splitlines()
            hours |= {inference_id: hour for inference_id in map(_batch_id, lines) if inference_id in wanted}
    return hours


def _listings(target: Target, uri: str, since: datetime) -> Iterator[tuple[str, str]]:
    """Yield the prefixes with a folder per hour, the given one and those of variants, each with the first hour."""
    root = f"{uri.rstrip('/')}/"
    first = f"{since.astimezone(UTC):{_HOUR}}"
    names = list(s3_objects.list_folders(target, root))
    if any(name.isdecimal() for name in names):
        yield root, first
    for name in names:
        if not name.isdecimal():
            yield f"{root}{name}/", first


def _hour_of(key: str) -> str:
    return "/".join(key.split("/")[-5:-1])


def _captured_ids(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        metadata = json.loads(line).get("eventMetadata", {}) if line.strip() else {}
        if inference_id := metadata.get("inferenceId") or metadata.get("eventId"):
            yield str(inference_id)


def _batch_id(line: bytes) -> str:
    """Return the id that a job with GenerateInferenceId appends to an output record, in JSON or CSV."""
    if line.startswith(b"{"):
        return str(json.loads(line).get("SageMakerInferenceId", ""))
    return line.decode("utf-8", "replace").rsplit(",", 2)[-2] if line.count(b",") > 1 else ""
