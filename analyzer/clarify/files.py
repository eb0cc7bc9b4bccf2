"""Files that a configuration names by their URI: on S3, or on this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from analyzer import QualityError
from analyzer.clients import client


def local_path(uri: str, folder: Path, member: str) -> Path:
    """Return the path of a file or a folder; what is on S3 is downloaded to the folder.

    Args:
        uri: An S3 URI of an object or a prefix, or a path.
        folder: Folder for downloads.
        member: The member of the configuration, for messages.

    Raises:
        QualityError: There is nothing, or it cannot be downloaded.
    """
    if not uri.startswith("s3://"):
        path = Path(uri.removeprefix("file://"))
        if not path.exists():
            raise QualityError(f"{member} {uri!r} does not exist; use an S3 URI or a path")
        return path
    import botocore.exceptions

    parts = urlsplit(uri)
    bucket, key = parts.netloc, parts.path.lstrip("/")
    target = folder / member
    try:
        s3 = client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        # The prefix data/a is not a prefix of the object data/ab.
        keys = [
            item["Key"]
            for page in pages
            for item in page.get("Contents", [])
            if item["Key"] == key or item["Key"].startswith(key.rstrip("/") + "/" if key else "")
        ]
        for found in keys:
            if not found.endswith("/"):
                path = target / (found[len(key) :].lstrip("/") or Path(found).name)
                if ".." in path.parts:
                    raise QualityError(f"{member} {uri!r} has the object {found!r}, which is not a path; rename it")
                path.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(bucket, found, str(path))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise QualityError(f"{member} {uri!r} cannot be downloaded ({error})") from error
    if not target.exists():
        raise QualityError(f"{member} {uri!r} has no objects; check the URI")
    return target
