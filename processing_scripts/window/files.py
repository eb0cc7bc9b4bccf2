"""Download the captures and labels of a time window, which S3 keys group by hour."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

HOUR = timedelta(hours=1)
# In parallel, because captures are many small files.
DOWNLOADS = 16


def download(s3: Any, uri: str, start: datetime, end: datetime, folder: Path) -> int:
    """Download the files of the hours from ``start`` to ``end``, and of the next hour.

    Args:
        s3: A boto3 S3 client.
        uri: S3 prefix of keys yyyy/mm/dd/hh/NAME, directly or in a folder per variant. The hour of a key is that of the
            upload, which may be the hour after the event.
        start: Start of the window.
        end: End of the window.
        folder: Where to write the files.

    Returns:
        The number of files.
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = f"{prefix.rstrip('/')}/"
    keys = [
        key
        for hour in hours(start, end)
        for root in roots(s3, bucket, prefix)
        for key in list_keys(s3, bucket, f"{root}{hour}/")
    ]
    folder.mkdir(parents=True, exist_ok=True)

    def fetch(key: str) -> None:
        target = folder / key.removeprefix(prefix)
        target.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(target))

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        list(pool.map(fetch, keys))
    return len(keys)


def hours(start: datetime, end: datetime) -> Iterator[str]:
    """Generate the hours as in keys, `2026/11/21/10`, one more than the window has."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour <= end + HOUR:
        yield f"{hour:%Y/%m/%d/%H}"
        hour += HOUR


def roots(s3: Any, bucket: str, prefix: str) -> list[str]:
    """List the prefix and its folders other than years, which are those of variants."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    folders = [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])]
    return [prefix, *(folder for folder in folders if not folder.removeprefix(prefix).rstrip("/").isdecimal())]


def list_keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return (item["Key"] for page in pages for item in page.get("Contents", []) if item["Size"])
