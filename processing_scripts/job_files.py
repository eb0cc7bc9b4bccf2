"""Output files and the exit message of a Processing job; shipped with preprocess.py, evaluate.py and monitor.py."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

# SageMaker returns the first kilobyte of this file as the job's ExitMessage.
EXIT_MESSAGE = Path("/opt/ml/output/message")
MAX_EXIT_MESSAGE_BYTES = 1024


def write_text(text: str, path: Path) -> None:
    """Write a file atomically, and create its folder if needed."""
    write_blocks([text], path)


def write_blocks(blocks: Iterable[str], path: Path) -> None:
    """Write the blocks of a file as they are made, atomically, and create its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary_path = path.with_name(f".{path.name}")
    with temporary_path.open("w", encoding="utf-8") as file:
        file.writelines(blocks)
    temporary_path.replace(path)


def write_exit_message(message: str) -> None:
    """Write the job's ExitMessage; does nothing outside a container."""
    if EXIT_MESSAGE.parent.is_dir():
        EXIT_MESSAGE.write_text(message.encode()[:MAX_EXIT_MESSAGE_BYTES].decode(errors="ignore"), encoding="utf-8")


def fail(message: str) -> NoReturn:
    """Exit with status 1 and the message, on stderr and as ExitMessage."""
    write_exit_message(message)
    sys.exit(message)
