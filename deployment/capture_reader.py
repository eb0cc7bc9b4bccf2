"""Captured requests, read back from S3 by inference id."""

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
    """What was captured of a request; an output of None was not captured."""

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
    """Captures below the prefix by inference id, read until there are `enough` or `timeout` seconds have passed.

    prefix_uri: that of one endpoint. since: nothing captured in an earlier hour is read.
    """
    deadline = time.monotonic() + timeout
    seen: set[str] = set()
    found: dict[str, CapturedRequest] = {}
    while True:
        for key in _new_keys(target, prefix_uri, since, seen):
            seen.add(key)
            for capture in _read(target, split_s3_uri(prefix_uri)[0], key):
                found[capture.inference_id] = capture
        if enough(found) or time.monotonic() > deadline:
            return found
        time.sleep(1)


def _new_keys(target: Target, prefix_uri: str, since: datetime, seen: set[str]) -> Iterator[str]:
    bucket, prefix = split_s3_uri(prefix_uri)
    # below it: <variant>/yyyy/mm/dd/hh/<file>.jsonl
    hour = (since - timedelta(minutes=1)).astimezone(UTC).strftime("%Y/%m/%d/%H")
    listing = target.s3.get_paginator("list_objects_v2")
    for page in listing.paginate(Bucket=bucket, Prefix=f"{prefix}/", Delimiter="/"):
        for variant in page.get("CommonPrefixes", []):
            start = f"{variant['Prefix']}{hour}"
            for part in listing.paginate(Bucket=bucket, Prefix=variant["Prefix"], StartAfter=start):
                for item in part.get("Contents", []):
                    if item["Key"] not in seen and item["Key"].endswith(".jsonl"):
                        yield item["Key"]


def _read(target: Target, bucket: str, key: str) -> Iterator[CapturedRequest]:
    for line in target.s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines():
        if line:
            record = json.loads(line)
            data, metadata = record["captureData"], record["eventMetadata"]
            yield CapturedRequest(
                inference_id=metadata.get("inferenceId") or metadata["eventId"],
                input=_content(data.get("endpointInput")),
                output=_content(data.get("endpointOutput")),
            )


def _content(part: dict[str, Any] | None) -> bytes | None:
    if part is None:
        return None
    return base64.b64decode(part["data"]) if part["encoding"] == "BASE64" else part["data"].encode()
