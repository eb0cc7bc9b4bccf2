"""Captured requests of an endpoint, newest first, read from the ends of the newest files.

Data capture writes `<prefix>/<variant>/yyyy/mm/dd/hh/<mm-ss-ms>-<id>.jsonl`, with a request on each line. An endpoint
may have millions of files, so that folders are walked from the newest hour back, and files are read from their ends.
"""

from __future__ import annotations

import base64
import contextlib
import heapq
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from deployment.invocations import TEST_REQUEST
from project.s3_uris import split_s3_uri
from project.target import Target
from studio.paging import Page
from studio.target import call_each

_CHUNK = 512 << 10
# a line has a request and a response of 6 MB each, in base64
_LARGEST_LINE = 17 << 20
_FILES_AT_ONCE = 8
# after which a page ends although it is not full
_PAGE_BYTES = 64 << 20
# characters of a payload that a page shows
MAX_TEXT = 20_000


@dataclass(frozen=True)
class Payload:
    """A captured request or response.

    Attributes:
        content_type: Its media type, as observed.
        text: The text, indented if it is JSON, at most MAX_TEXT characters.
        length: Length of the whole text.
    """

    content_type: str
    text: str
    length: int

    @property
    def summary(self) -> str:
        words = " ".join(self.text[:600].split())
        return words if len(words) <= 140 else f"{words[:139]}…"


@dataclass(frozen=True)
class CapturedRequest:
    """A line of a capture file; None for the part that was not captured.

    Attributes:
        key: Key of the file in its bucket.
        offset: Where the line begins in the file.
    """

    inference_id: str
    time: datetime | None
    variant: str
    attributes: tuple[str, ...]
    request: Payload | None
    response: Payload | None
    key: str
    offset: int

    @property
    def is_test(self) -> bool:
        return any(TEST_REQUEST in attribute for attribute in self.attributes)


@dataclass(frozen=True)
class _File:
    """A capture file.

    Attributes:
        end: Where the lines end that have not been read; 0 if there are none.
    """

    key: str
    variant: str
    end: int

    @property
    def order(self) -> str:
        """The sort key by time across variants: hour and name."""
        return "/".join(self.key.split("/")[-5:])


def newest_requests(target: Target, uri: str, count: int, token: str = "") -> Page[CapturedRequest]:
    """Read the newest captured requests of an endpoint.

    Args:
        target: Where the bucket is.
        uri: The S3 prefix of the endpoint's captures.
        count: How many to read; fewer are returned if _PAGE_BYTES have been read.
        token: `next_token` of the page before; empty for the newest.
    """
    bucket, prefix = split_s3_uri(f"{uri.rstrip('/')}/")
    variants = [folder.removeprefix(prefix).strip("/") for folder in _folders(target, bucket, prefix)]
    end, _, last = token.partition("@")
    streams = (_files(target, bucket, f"{prefix}{variant}/", variant, last) for variant in variants)
    files = heapq.merge(*streams, key=lambda file: file.order, reverse=True)
    found: list[CapturedRequest] = []
    read = 0
    while len(found) <= count and (batch := list(islice(files, _FILES_AT_ONCE))):
        batch = [replace(file, end=int(end)) if file.order == last and end.isdecimal() else file for file in batch]
        ends = call_each(lambda file: _last_lines(target, bucket, file, count + 1), batch)
        for file, (lines, rest) in zip(batch, ends, strict=True):
            found += lines
            read += file.end - rest.end
            # the lines of an older file come after all lines of this one
            while rest.end > 0 and len(found) <= count:
                if read >= _PAGE_BYTES:
                    return Page(tuple(found), f"{rest.end}@{rest.order}")
                begin = rest.end
                lines, rest = _last_lines(target, bucket, rest, count + 1)
                found += lines
                read += begin - rest.end
    shown = found[:count]
    more = f"{shown[-1].offset}@{_File(shown[-1].key, '', 0).order}" if len(found) > count else None
    return Page(tuple(shown), more)


def _folders(target: Target, bucket: str, prefix: str) -> list[str]:
    pages = target.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ())]


def _files(target: Target, bucket: str, folder: str, variant: str, last: str) -> Iterator[_File]:
    """Yield the files of a variant, newest first, from the one whose order is `last`, if that is not empty."""
    for hour in _hours(target, bucket, folder, last.rpartition("/")[0]):
        for key, size in _keys(target, bucket, hour):
            file = _File(key, variant, size)
            if (not last or file.order <= last) and key.endswith(".jsonl"):
                yield file


def _hours(target: Target, bucket: str, folder: str, last: str, path: str = "", depth: int = 4) -> Iterator[str]:
    """Yield the folders of hours, newest first: those of yyyy/mm/dd/hh up to `last`, if that is not empty."""
    if depth == 0:
        yield f"{folder}{path}"
        return
    for found in reversed(_folders(target, bucket, f"{folder}{path}")):
        inner = found.removeprefix(folder)
        if not last or inner.rstrip("/") <= last[: len(inner) - 1]:
            yield from _hours(target, bucket, folder, last, inner, depth - 1)


def _keys(target: Target, bucket: str, hour: str) -> Iterator[tuple[str, int]]:
    """Yield the keys and sizes of an hour's objects, newest first."""
    response = target.s3.list_objects_v2(Bucket=bucket, Prefix=hour)
    pages: Iterator[Mapping[str, Any]] = iter([response])
    if not response.get("IsTruncated"):
        yield from _reversed_keys(pages)
        return
    # names begin with the minute: the last ten minutes first
    for tens in "543210":
        pages = target.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{hour}{tens}")
        yield from _reversed_keys(pages)


def _reversed_keys(pages: Iterator[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    items = [(item["Key"], item["Size"]) for page in pages for item in page.get("Contents", ())]
    return reversed(items)


def _last_lines(target: Target, bucket: str, file: _File, count: int) -> tuple[list[CapturedRequest], _File]:
    """Read the last lines of a file before its `end`.

    Returns:
        At most `count` lines, the last one first, and the file with the lines before those that have been read.
    """
    length = _CHUNK
    while True:
        start = max(0, file.end - length)
        if file.end == 0:
            return [], file
        response = target.s3.get_object(Bucket=bucket, Key=file.key, Range=f"bytes={start}-{file.end - 1}")
        content: bytes = response["Body"].read()
        if start > 0:
            # the first line may begin before
            skipped = content.find(b"\n", 0, -1) + 1
            if skipped == 0 and length < _LARGEST_LINE:
                length = min(8 * length, _LARGEST_LINE)
                continue
            start, content = start + skipped, content[skipped:]
        return list(islice(_parsed(file, start, content), count)), replace(file, end=start)


def _parsed(file: _File, start: int, content: bytes) -> Iterator[CapturedRequest]:
    lines, offset = [], start
    for line in content.split(b"\n"):
        lines.append((offset, line))
        offset += len(line) + 1
    for offset, line in reversed(lines):
        if line.strip() and (request := _captured(file, offset, line)):
            yield request


def _captured(file: _File, offset: int, line: bytes) -> CapturedRequest | None:
    """Read a line; None if it is not one of data capture."""
    try:
        record = json.loads(line)
        data, metadata = record["captureData"], record["eventMetadata"]
        time = metadata.get("inferenceTime")
        return CapturedRequest(
            inference_id=str(metadata.get("inferenceId") or metadata["eventId"]),
            time=datetime.fromisoformat(time) if time else None,
            variant=file.variant,
            attributes=tuple(map(str, metadata.get("customAttributes") or ())),
            request=_payload(data.get("endpointInput")),
            response=_payload(data.get("endpointOutput")),
            key=file.key,
            offset=offset,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _payload(part: Mapping[str, Any] | None) -> Payload | None:
    if part is None:
        return None
    content_type, data = str(part.get("observedContentType", "")), str(part.get("data", ""))
    if part.get("encoding") == "BASE64":
        try:
            content = base64.b64decode(data)
        except ValueError:
            content = _encoded(data)
        return as_payload(content_type, content)
    return as_payload(content_type, _encoded(data))


def _encoded(text: str) -> bytes:
    # JSON can escape unpaired surrogates, which UTF-8 cannot encode
    return text.encode(errors="backslashreplace")


def as_payload(content_type: str, content: bytes) -> Payload:
    """Return a request's or response's body as text; of binary content the first bytes as hexadecimal digits."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Payload(content_type, f"{len(content)} bytes: {content[:256].hex(' ')} …", len(content))
    if len(text) <= MAX_TEXT and text[:1] in "{[":
        # deeply nested JSON is shown as it was sent
        with contextlib.suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return Payload(content_type, text[:MAX_TEXT], len(text))
