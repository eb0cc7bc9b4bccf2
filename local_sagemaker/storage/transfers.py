"""Transfers between S3 and the folders of jobs: inputs, outputs and archives."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from local_sagemaker.storage.files import replacing
from local_sagemaker.storage.objects import BadName, NoSuchBucket, NoSuchKey, ObjectStore

log = logging.getLogger(__name__)

LARGEST_UNPACKED = 20 << 30
MAX_MEMBERS = 100_000
# files in which a container's paths may be written out
SCRIPTS = (".py", ".sh")


class ClientFault(Exception):
    """A job fails for a reason that its owner can fix; its FailureReason is `ClientError: ` and the message."""


@dataclass(frozen=True)
class Input:
    """An input of a container.

    Attributes:
        path: A folder as the container names it, below /opt/ml.
        data_type: S3Prefix or ManifestFile.
        sharded: Whether each host gets a share of the objects (ShardedByS3Key) rather than all of them.
        optional: Whether there may be no objects.
    """

    name: str
    path: str
    uri: str
    data_type: str = "S3Prefix"
    sharded: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Output:
    """An output of a container: a folder below /opt/ml, and the prefix that its files are uploaded to."""

    path: str
    uri: str


# https://bucket.s3.region.amazonaws.com/key and https://s3.region.amazonaws.com/bucket/key, with s3-region in old URLs
# and without a region in the oldest
HTTPS_URL = re.compile(r"https://(?:(?P<bucket>[^/]+)\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?/(?P<path>.*)")


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of `s3://bucket/key` or of an HTTPS URL of S3; the key may be empty. Raises ClientFault."""
    path = uri.removeprefix("s3://")
    if match := HTTPS_URL.fullmatch(uri):
        path = "/".join(filter(None, (match["bucket"], unquote(match["path"]))))
    bucket, _, key = path.partition("/")
    if path == uri or not bucket:
        raise ClientFault(f"{uri!r} is not an S3 URI; expected s3://bucket/key")
    return bucket, key


def fetch(objects: ObjectStore, source: Input, folder: Path, host: int, hosts: int) -> None:
    """Copy the objects of an input that are for host number `host` of `hosts`. Raises ClientFault, OSError."""
    found = find_objects(objects, source)
    folder.mkdir(parents=True, exist_ok=True)
    for bucket, key, relative in found[host::hosts] if source.sharded else found:
        target = inside(folder, relative)
        if relative.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_file(objects.path(bucket, key), target)


def find_objects(objects: ObjectStore, source: Input) -> list[tuple[str, str, str]]:
    """Return bucket, key and path within the input's folder of each object of an input. Raises ClientFault."""
    return list(_manifest(objects, source) if source.data_type == "ManifestFile" else _prefix(objects, source))


def put_files(objects: ObjectStore, folder: Path, uri: str) -> None:
    """Upload every file below a folder to a prefix. Raises ClientFault if the bucket does not exist, OSError."""
    bucket, prefix = split_uri(uri)
    prefix = prefix.rstrip("/")
    for path in files_below(folder):
        relative = path.relative_to(folder).as_posix()
        _put(objects, bucket, f"{prefix}/{relative}" if prefix else relative, path)


def put_file(objects: ObjectStore, path: Path, uri: str) -> None:
    """Upload a file. Raises ClientFault if the bucket does not exist, OSError."""
    bucket, key = split_uri(uri)
    _put(objects, bucket, key, path)


def put_archive(objects: ObjectStore, folders: list[Path], uri: str) -> None:
    """Upload the files of folders as one tar.gz; of files of the same name, the first. Raises ClientFault, OSError."""
    bucket, key = split_uri(uri)
    members: dict[str, Path] = {}
    for folder in folders:
        for path in files_below(folder):
            members.setdefault(path.relative_to(folder).as_posix(), path)
    with tempfile.TemporaryDirectory(dir=folders[0].parent) as temporary:
        archive = Path(temporary) / "archive.tar.gz"
        # gzip's own default level; Python's, 9, takes twice as long and saves next to nothing
        with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
            for name, path in sorted(members.items()):
                member = tar.gettarinfo(path.resolve(), arcname=name)
                member.uid = member.gid = 0
                member.uname = member.gname = "root"
                with path.open("rb") as content:
                    tar.addfile(member, content)
        _put(objects, bucket, key, archive)


def unpack(archive: Path, folder: Path, largest: int = LARGEST_UNPACKED) -> None:
    """Unpack a tar archive, compressed or not, of plain files and folders only.

    Nothing is written outside `folder`, through a link, or beyond `largest` bytes in total.

    Raises:
        ClientFault: The archive is damaged, or contains any of that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    room = largest
    try:
        with tarfile.open(archive) as tar:
            for count, member in enumerate(tar):
                if count >= MAX_MEMBERS:
                    raise ClientFault(f"{archive.name} holds more than {MAX_MEMBERS} files")
                target = inside(folder, member.name)
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                content = tar.extractfile(member) if member.isreg() else None
                if content is None:
                    # a link could lead later members out of the folder, and code contains no devices
                    raise ClientFault(f"{archive.name}: {member.name!r} is neither a file nor a folder")
                room -= member.size
                if room < 0:
                    raise ClientFault(f"{archive.name} unpacks to more than {largest} bytes")
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file)
                target.chmod(0o755 if member.mode & stat.S_IXUSR else 0o644)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ClientFault(f"{archive.name} cannot be unpacked: {error}") from error


def rewrite_archive(archive: Path, rewrite: Callable[[str], str]) -> None:
    """Rewrite the scripts in a tar archive in place; a damaged one is left for `unpack` to refuse."""
    try:
        with (
            replacing(archive) as temporary,
            tarfile.open(archive) as old,
            tarfile.open(temporary, "w:gz", compresslevel=1) as new,
        ):
            for member in old:
                content = old.extractfile(member) if member.isreg() else None
                if content is not None and member.name.endswith(SCRIPTS):
                    text = os.fsencode(rewrite(os.fsdecode(content.read())))
                    member.size, content = len(text), io.BytesIO(text)
                new.addfile(member, content)
    except (tarfile.TarError, EOFError, OSError) as error:
        log.info("the scripts in %s cannot be rewritten: %s", archive, error)


def inside(folder: Path, relative: str) -> Path:
    """Return a path below a folder. Raises ClientFault if it leads out of the folder."""
    parts = PurePosixPath(relative).parts
    if relative.startswith("/") or ".." in parts or "\0" in relative:
        raise ClientFault(f"{relative!r} leads out of its folder")
    return folder.joinpath(*parts)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file; never link it.

    Through a hard link, a job that opens its input for writing would change the stored object. copy_file_range costs no
    more than a link on file systems that share blocks (XFS, Btrfs), and copies inside the kernel on others.
    """
    with source.open("rb") as reading, target.open("wb") as writing:
        try:
            while os.copy_file_range(reading.fileno(), writing.fileno(), 1 << 30):
                pass
        # macOS does not have this call, and not every pair of file systems supports it
        except (AttributeError, OSError):
            reading.seek(0)
            writing.seek(0)
            writing.truncate()
            shutil.copyfileobj(reading, writing, 1 << 20)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the plain files below a folder, sorted by path, and links to files within the folder."""
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            log.warning("%s is a link that leads out of the job's folder; skipped", path)
        elif path.is_file():
            yield path


def _prefix(objects: ObjectStore, source: Input) -> Iterator[tuple[str, str, str]]:
    """Yield bucket, key and path within the input's folder of every object whose key starts with the prefix."""
    bucket, prefix = split_uri(source.uri)
    try:
        keys = list(objects.list(bucket, prefix))
    except (NoSuchBucket, BadName):
        keys = []
    if not keys and not source.optional:
        raise ClientFault(
            f'No S3 objects found under S3 URL "{source.uri}" given in input data source {source.name!r}. '
            f'Please ensure that the bucket "{bucket}" exists and that objects exist under that S3 prefix.'
        )
    # as on AWS, s3://b/data also matches s3://b/data2/x; only keys below data/ lose that part
    below = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    parent = prefix[: prefix.rfind("/") + 1]
    for key in keys:
        relative = key.removeprefix(below) if key.startswith(below) else key.removeprefix(parent)
        if relative:
            yield bucket, key, relative


def _manifest(objects: ObjectStore, source: Input) -> Iterator[tuple[str, str, str]]:
    """Yield the same of the objects in a manifest: `[{"prefix": "s3://bucket/folder/"}, "file", "file", ...]`."""
    try:
        listed = json.loads(objects.read(*split_uri(source.uri)))
        root, names = listed[0]["prefix"], [str(name) for name in listed[1:]]
    except KeyError as error:
        raise ClientFault(f"The manifest {source.uri} of input {source.name!r} cannot be read: {error}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise ClientFault(
            f"{source.uri}, the manifest of input {source.name!r}, is not a list of a prefix and names"
        ) from error
    bucket, prefix = split_uri(root)
    for name in names:
        try:
            objects.path(bucket, prefix + name)
        except (KeyError, BadName):
            raise ClientFault(
                f"{source.uri}, the manifest of input {source.name!r}, lists {root}{name}: no such object"
            ) from None
        # without a name, the prefix is the object
        yield bucket, prefix + name, name or prefix.rpartition("/")[2]


def _put(objects: ObjectStore, bucket: str, key: str, path: Path) -> None:
    try:
        objects.put_file(bucket, key, path)
    except (NoSuchBucket, NoSuchKey, BadName) as error:
        raise ClientFault(f"Data upload to s3://{bucket}/{key} failed: {error}") from error
