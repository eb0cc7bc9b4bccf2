"""Reads captured requests back from S3, by inference id."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from project.s3_uris import split_s3_uri
from project.target import Target


@dataclass(frozen=True)
class CapturedRequest:
    """A request and its response as captured; None for the part that was not captured."""

    inference_id: str
    input: bytes | None
    output: bytes | None


def wait_for_captures(
    target: Target,
    prefix_uri: str,
    since: datetime,
    enough: Callable[[dict[str, CapturedRequest]], bool],
    timeout: float,
) -> dict[str, CapturedRequest]:
    """Read captured requests until there are enough or the timeout expires.

    Args:
        target: Where the bucket is.
        prefix_uri: The S3 prefix of one endpoint's captures.
        since: Hours before this time are not read.
        enough: Given what has been read so far, whether to stop.
        timeout: Longest wait in seconds.

    Returns:
        The captured requests by inference id.
    """
    deadline = time.monotonic() + timeout
    seen: set[str] = set()
    captured: dict[str, CapturedRequest] = {}
    while True:
        for key in _new_keys(target, prefix_uri, since, seen):
            seen.add(key)
            for request in _read_captures(target, split_s3_uri(prefix_uri)[0], key):
                captured[request.inference_id] = request
        if enough(captured) or time.monotonic() > deadline:
            return captured
        time.sleep(1)


def _new_keys(target: Target, prefix_uri: str, since: datetime, seen: set[str]) -> Iterator[str]:
    bucket, prefix = split_s3_uri(prefix_uri)
    # keys below the prefix: <variant>/yyyy/mm/dd/hh/<file>.jsonl
    hour = (since - timedelta(minutes=1)).astimezone(UTC).strftime("%Y/%m/%d/%H")
    listing = target.s3.get_paginator("list_objects_v2")
    for page in listing.paginate(Bucket=bucket, Prefix=f"{prefix}/", Delimiter="/"):
        for variant in page.get("CommonPrefixes", []):
            start = f"{variant['Prefix']}{hour}"
            for part in listing.paginate(Bucket=bucket, Prefix=variant["Prefix"], StartAfter=start):
                for item in part.get("Contents", []):
                    if item["Key"] not in seen and item["Key"].endswith(".jsonl"):
                        yield item["Key"]


def _read_captures(target: Target, bucket: str, key: str) -> Iterator[CapturedRequest]:
    for line in target.s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines():
        if line:
            record = json.loads(line)
            data, metadata = record["captureData"], record["eventMetadata"]
            yield CapturedRequest(
                inference_id=metadata.get("inferenceId") or metadata["eventId"],
                input=_decode(data.get("endpointInput")),
                output=_decode(data.get("endpointOutput")),
            )


def _decode(part: dict[str, Any] | None) -> bytes | None:
    if part is None:
        return None
    return base64.b64decode(part["data"]) if part["encoding"] == "BASE64" else part["data"].encode()
