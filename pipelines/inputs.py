"""Input data: S3 URIs are used unchanged, local files and folders are uploaded to keys named by their content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from project.errors import UserError
from project.s3_uris import is_s3_uri, split_s3_uri

# CustomerMetadataProperties may have letters, separators, numbers and some signs
_NOT_IN_METADATA = re.compile(r"[^\w .:/=+@-]")


def input_uri(location: str, prefix_uri: str) -> str:
    """Return the S3 URI that jobs read for a local path or an S3 URI.

    Raises:
        UserError: The local path does not exist or is an empty folder.
    """
    if is_s3_uri(location):
        return location
    path = Path(location)
    uri = f"{prefix_uri}/{_digest(path)}"
    # the metadata of a model package has the URI, and may not have other characters
    return f"{uri}/{_NOT_IN_METADATA.sub('_', path.name)}" if path.is_file() else uri


def input_data_type(location: str | None) -> str:
    """Return the S3DataType of input data: of a manifest, SageMaker downloads the objects that it lists."""
    return "ManifestFile" if location and location.endswith(".manifest") else "S3Prefix"


def upload_input(location: str, prefix_uri: str, s3: Any, encryption: Mapping[str, str]) -> str:
    """Upload local input data and return its S3 URI; objects that exist are not uploaded again.

    Args:
        location: Local path or S3 URI.
        prefix_uri: S3 prefix of uploaded data.
        s3: Boto3 client.
        encryption: Encryption arguments for the upload.
    """
    uri = input_uri(location, prefix_uri)
    if is_s3_uri(location):
        return uri
    path = Path(location)
    bucket, key = split_s3_uri(uri)
    targets = {path: key} if path.is_file() else {file: f"{key}/{name}" for name, file in _files(path)}
    existing = set(_keys(s3, bucket, key))
    for file, target in targets.items():
        if target not in existing:
            s3.upload_file(str(file), bucket, target, ExtraArgs=dict(encryption) or None)
    return uri


def check_uri_characters(uri: str) -> None:
    """Check that the metadata of a model package, which the pipeline registers, can have the URI of the input data.

    Raises:
        UserError: It has a character that SageMaker refuses there.
    """
    if (found := _NOT_IN_METADATA.search(uri)) is not None:
        raise UserError(
            f"InputDataUri {uri} has the character {found[0]!r}, which the metadata of a model package cannot have; "
            "copy the data to a key of letters, digits, blanks and _.:/=+-@"
        )


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (item["Key"] for item in page.get("Contents", []))


def _digest(path: Path) -> str:
    """Return the hash of names and bytes: 16 hexadecimal characters."""
    content = hashlib.sha256()
    for name, file in _files(path):
        content.update(f"{name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                content.update(chunk)
    return content.hexdigest()[:16]


def _files(path: Path) -> list[tuple[str, Path]]:
    if path.is_file():
        return [(path.name, path)]
    if not path.is_dir():
        raise UserError(
            f"input data {path} does not exist; "
            "give a file, a folder or an s3:// URI as data.input in the settings or with --input"
        )
    visible = (file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    files = sorted((file.relative_to(path).as_posix(), file) for file in visible)
    if not files:
        raise UserError(f"input folder {path} contains no files; give a folder with data with --input")
    return files
