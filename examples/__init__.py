"""Example projects: settings and data to run, and to start a project from."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

_FOLDER = Path(__file__).parent

EXAMPLES = ("breast-cancer", "wine", "diabetes", "synthetic", "churn", "fraud", "taxi", "german-credit")


def write_example(name: str, destination: Path) -> list[Path]:
    """Copy an example's settings and data to a folder.

    Args:
        name: One of EXAMPLES.
        destination: The folder, created if necessary.

    Returns:
        The written files.

    Raises:
        FileExistsError: A file exists and has another content; nothing has been written.
    """
    sources = sorted(file for file in (_FOLDER / name).iterdir() if file.is_file())
    for source in sources:
        existing = destination / source.name
        if existing.exists() and not filecmp.cmp(existing, source, shallow=False):
            raise FileExistsError(existing)
    destination.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copy(source, destination / source.name)) for source in sources]
