"""Files that are whole or not there: written aside, flushed to the disk, renamed into place."""

import os
import threading
from pathlib import Path


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


def flush_folder(folder: Path) -> None:
    """Make the renames in `folder` outlive a power cut, where the system can."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
