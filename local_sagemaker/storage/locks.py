"""Locks between processes: held on a file, and released by the system however their holder ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RETRY_SECONDS = 0.02


@contextmanager
def file_lock(path: Path, timeout: float | None = None) -> Iterator[int]:
    """Hold the exclusive lock on a file, which is made if it does not exist; its content stays as it is.

    Args:
        path: The file; its folder must exist.
        timeout: Seconds to wait for the lock; None waits until it is free.

    Yields:
        The file descriptor, open for reading and writing.

    Raises:
        TimeoutError: Another process still holds the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if timeout is None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            _lock_within(descriptor, path, timeout)
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether some process holds the exclusive lock on a file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except (FileNotFoundError, IsADirectoryError):
        return False
    except BlockingIOError:
        return True


def _lock_within(descriptor: int, path: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} is locked by another process") from None
            time.sleep(RETRY_SECONDS)
