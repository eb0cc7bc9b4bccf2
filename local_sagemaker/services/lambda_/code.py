"""The code of functions on disk: `<folder>/<sha256>/code.zip` and, unpacked, `<folder>/<sha256>/task`."""

from __future__ import annotations

import base64
import hashlib
import io
import lzma
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.transfers import MAX_MEMBERS, ClientFault, inside

# Lambda's quotas
MAX_ZIP_BYTES = 50 << 20
MAX_UNZIPPED_BYTES = 262_144_000

# errors of damaged archives; the last three are raised for a name that is both a file's and a folder's
UNZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError, EOFError, ValueError,
    FileExistsError, IsADirectoryError, NotADirectoryError,
)  # fmt: skip
CANNOT_UNZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


def store_code(folder: Path, archive: bytes) -> tuple[str, int]:
    """Store and unpack an archive.

    Args:
        folder: The folder of the function.
        archive: A zip archive.

    Returns:
        Its CodeSha256 and CodeSize.

    Raises:
        ServiceError: The archive is damaged, too large, or has members outside its own root.
    """
    digest = hashlib.sha256(archive).digest()
    version_folder = folder / digest.hex()
    if not version_folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            complete = Path(temporary) / "complete"
            _unpack(archive, complete / "task")
            (complete / "code.zip").write_bytes(archive)
            complete.rename(version_folder)
    return base64.b64encode(digest).decode(), len(archive)


def code_folder(folder: Path, code_sha256: str) -> Path:
    """Return the folder of the code with this CodeSha256."""
    return folder / base64.b64decode(code_sha256).hex()


def _unpack(archive: bytes, folder: Path) -> None:
    folder.mkdir(parents=True)
    remaining = MAX_UNZIPPED_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as members:
            if len(members.infolist()) > MAX_MEMBERS:
                raise ServiceError("InvalidParameterValueException", f"The archive has more than {MAX_MEMBERS} files")
            for member in members.infolist():
                mode = member.external_attr >> 16
                target = inside(folder, member.filename)
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                    raise ServiceError("InvalidParameterValueException", f"{member.filename!r} is not a regular file")
                # counted while extracting: the size in a member's header may be wrong
                remaining -= _extract(members, member, target, remaining)
                target.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
    except ClientFault as fault:
        raise ServiceError("InvalidParameterValueException", str(fault)) from fault
    except UNZIP_ERRORS as error:
        raise ServiceError("InvalidParameterValueException", CANNOT_UNZIP) from error


def _extract(members: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, max_bytes: int) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with members.open(member) as content, target.open("wb") as file:
        while piece := content.read(1 << 20):
            size += len(piece)
            if size > max_bytes:
                raise ServiceError(
                    "InvalidParameterValueException", f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes"
                )
            file.write(piece)
    return size


def delete_code(folder: Path, keep: Collection[str] = ()) -> None:
    """Delete the code of a function, except the versions with these CodeSha256."""
    kept = [code_folder(folder, code_sha256) for code_sha256 in keep]
    for version_folder in folder.glob("*"):
        if version_folder not in kept:
            shutil.rmtree(version_folder, ignore_errors=True)
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
