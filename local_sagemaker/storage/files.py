"""Files that are complete or absent: written to a temporary file, flushed to the disk, renamed into place."""

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PIECE = 1 << 20


def replace_file(path: Path, text: str) -> None:
    """Write a file so that a reader, or the next start after a crash, sees either the old content or the new.

    Args:
        path: The file; its folder must exist.
        text: The new content.

    Raises:
        OSError: The disk refuses it; the old content is unchanged.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    flush_folder(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` afterwards, or remove it after an error."""
    temporary = path.with_name(f".{threading.get_ident():x}-{os.getpid():x}.part")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def last_line(file: Path) -> str:
    """Return the last line of a log that is not empty."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "no output")


def remove_tree(folder: Path) -> None:
    """Remove a folder, if it exists, whatever the permissions of the folders in it.

    Raises:
        OSError: Something in it belongs to another user.
    """
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except PermissionError:
        folder.chmod(0o700)
        # each folder is opened before the walk enters it
        for parent, names, _ in os.walk(folder):
            for path in (Path(parent, name) for name in names):
                if not path.is_symlink():
                    path.chmod(0o700)
        shutil.rmtree(folder)


def copy_with_md5(source: BinaryIO, target: Path, length: int) -> str:
    """Copy the next `length` bytes of a file to a new one; return their MD5 in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with target.open("wb") as copy:
        while length > 0 and (piece := source.read(min(length, PIECE))):
            digest.update(piece)
            copy.write(piece)
            length -= len(piece)
    return digest.hexdigest()


def flush_file(path: Path) -> None:
    """Flush the bytes of a file to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Flush the renames in a folder to the disk, so that they survive a power cut."""
    # Windows cannot open a folder
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
