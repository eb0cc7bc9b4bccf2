"""Files that are whole or not there: written aside, flushed to the disk, renamed into place."""

import hashlib
import os
import threading
from pathlib import Path
from typing import BinaryIO

PIECE = 1 << 20


def replace_file(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader, or the next start after a crash, sees the old content or the new.

    The folder must exist. Raises OSError and leaves the old content where the disk refuses.
    """
    aside = path.with_name(f".{threading.get_ident():x}-{os.getpid():x}.part")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def copy_with_md5(source: BinaryIO, target: Path, length: int) -> str:
    """Copy the next `length` bytes of a file to a new one, in pieces; returns their MD5 in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with target.open("wb") as copy:
        while length > 0 and (piece := source.read(min(length, PIECE))):
            digest.update(piece)
            copy.write(piece)
            length -= len(piece)
    return digest.hexdigest()


def flush_folder(folder: Path) -> None:
    """Make the renames in `folder` outlive a power cut, where the system can."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
