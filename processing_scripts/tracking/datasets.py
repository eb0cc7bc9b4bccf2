"""The splits of the data, with fingerprints of their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Split:
    """A split of the data.

    Attributes:
        name: train, validation or test.
        uri: S3 prefix of its files.
        digest: Fingerprint of its content.
        rows: Number of rows; None if it is not known.
    """

    name: str
    uri: str
    digest: str
    rows: int | None


def fingerprint(s3: Any, uri: str) -> str:
    """Return a hash of names, sizes and ETags of the objects below an S3 prefix: 16 hexadecimal characters.

    The same content has the same fingerprint at each prefix, as long as it is uploaded in the same parts.
    """
    bucket, prefix = f"{uri.rstrip('/')}/".removeprefix("s3://").split("/", 1)
    content = hashlib.sha256()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            name = item["Key"].removeprefix(prefix)
            content.update(f"{name}\0{item['Size']}\0{item['ETag']}\0".encode())
    return content.hexdigest()[:16]
