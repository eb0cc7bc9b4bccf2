"""JSON files of an analysis: written all or none, read with errors that name the file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyzer import QualityError

STATISTICS = "statistics.json"
CONSTRAINTS = "constraints.json"
VIOLATIONS = "constraint_violations.json"
READ_BY_PEOPLE = (CONSTRAINTS, VIOLATIONS)


def write(folder: Path, documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Write JSON documents to a folder, either all of them or none. The folder is created if necessary.

    Args:
        folder: The folder.
        documents: Documents by file name.

    Raises:
        QualityError: The folder is not writable.
        ValueError: A document contains NaN or an infinity.
    """
    # Only documents for people are indented: Python's fast encoder does not support it, and sketches are large.
    texts = {
        name: json.dumps(document, indent=2 if name in READ_BY_PEOPLE else None, allow_nan=False, ensure_ascii=False)
        for name, document in documents.items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as temporary:
            for name, text in texts.items():
                Path(temporary, name).write_text(text + "\n", encoding="utf-8")
            for name in texts:
                Path(temporary, name).replace(folder / name)
    except OSError as error:
        raise QualityError(f"cannot write to {folder} ({error}); set output_path to a writable folder") from error


def read(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        QualityError: The file does not exist or does not contain a JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise QualityError(f"{path} does not exist; use the path of a file that a baseline job wrote") from error
    except (OSError, ValueError) as error:
        raise QualityError(f"{path} is not valid JSON ({error})") from error
    if not isinstance(document, dict):
        raise QualityError(f"{path} is not a JSON object")
    return document


def describe(error: Exception) -> str:
    """Describe what is wrong with a document that raised the error."""
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
