"""A function's code on disk: `<folder>/<sha256>/code.zip` and, unpacked, `<folder>/<sha256>/task`."""

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
from local_sagemaker.storage.transfers import MOST_MEMBERS, ClientFault, inside

# Lambda's limits
LARGEST_ZIP = 50 << 20
LARGEST_UNPACKED = 262_144_000

# also of a name that is a file's and a folder's, or none
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError, EOFError, ValueError,
    FileExistsError, IsADirectoryError, NotADirectoryError,
)  # fmt: skip
CANNOT_UNZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


def keep_code(folder: Path, archive: bytes) -> tuple[str, int]:
    """Unpack an archive below the folder of its function; its CodeSha256 and CodeSize.

    Raises ServiceError where it is none, is too large, or holds what would be written elsewhere.
    """
    digest = hashlib.sha256(archive).digest()
    kept = folder / digest.hex()
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as aside:
            whole = Path(aside) / "whole"
            _unpack(archive, whole / "task")
            (whole / "code.zip").write_bytes(archive)
            whole.rename(kept)
    return base64.b64encode(digest).decode(), len(archive)


def code_folder(folder: Path, code_sha256: str) -> Path:
    """Where the code with this CodeSha256 is kept."""
    return folder / base64.b64decode(code_sha256).hex()


def _unpack(archive: bytes, folder: Path) -> None:
    folder.mkdir(parents=True)
    room = LARGEST_UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as members:
            if len(members.infolist()) > MOST_MEMBERS:
                raise ServiceError("InvalidParameterValueException", f"The archive holds over {MOST_MEMBERS} files")
            for member in members.infolist():
                mode = member.external_attr >> 16
                target = inside(folder, member.filename)
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                    raise ServiceError("InvalidParameterValueException", f"{member.filename!r} is not a plain file")
                # what a member's header says of its size may be a lie, what comes out of it is not
                room -= _extract(members, member, target, room)
                target.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
    except ClientFault as fault:
        raise ServiceError("InvalidParameterValueException", str(fault)) from fault
    except UNREADABLE as error:
        raise ServiceError("InvalidParameterValueException", CANNOT_UNZIP) from error


def _extract(members: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, room: int) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with members.open(member) as content, target.open("wb") as file:
        while piece := content.read(1 << 20):
            size += len(piece)
            if size > room:
                raise ServiceError(
                    "InvalidParameterValueException", f"Unzipped size must be smaller than {LARGEST_UNPACKED} bytes"
                )
            file.write(piece)
    return size


def forget_code(folder: Path, but: Collection[str] = ()) -> None:
    """Delete what is kept of a function, but for the code with these CodeSha256."""
    spared = [code_folder(folder, code_sha256) for code_sha256 in but]
    for kept in folder.glob("*"):
        if kept not in spared:
            shutil.rmtree(kept, ignore_errors=True)
    if not spared:
        shutil.rmtree(folder, ignore_errors=True)
