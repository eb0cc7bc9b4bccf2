"""Selection of the columns to read, and of those to read as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analyzer import QualityError

# Keys of the lists in which serving containers wrap their records; readers unwrap them.
WRAPPERS = ("predictions", "instances")
PATH_PART = re.compile(r"""\[\*\]|\[\s*(?:'([^']*)'|"([^"]*)"|(\d+))\s*\]|([^.\[\]]+)""")


@dataclass(frozen=True)
class Selection:
    """The columns to read.

    Attributes:
        columns: Names, JSONPaths or indices; None for all columns.
        as_text: Columns to read as text. They were seen in an earlier pass, so they may be absent from a batch.
    """

    columns: tuple[str, ...] | None
    as_text: frozenset[str]

    def resolve(self, available: Sequence[str], file: Path) -> list[str]:
        """Return the available names that are selected, in the order of the selection.

        Raises:
            QualityError: A column is missing; the message names it and the file.
        """
        if self.columns is None:
            return list(available)
        names = set(available)
        wanted = (column for column in self.columns if column in names or column not in self.as_text)
        return [column if column in names else _find(column, available, file) for column in wanted]


def find(column: str, available: Sequence[str]) -> str | None:
    """Find a column by name, JSONPath (``$.predictions[0].label``) or zero-based index; None if it is missing."""
    if column in available:
        return column
    parts = _path(column)
    for candidate in (parts, _without_wrapper(parts)):
        if candidate and ".".join(candidate) in available:
            return ".".join(candidate)
    if column.isdecimal() and int(column) < len(available):
        return available[int(column)]
    return None


def _find(column: str, available: Sequence[str], file: Path) -> str:
    found = find(column, available)
    if found is None:
        raise QualityError(f"column {column!r} is not in {file} (columns: {shorten(available)})")
    return found


def _path(column: str) -> list[str]:
    parts = [next(filter(None, match), "") for match in PATH_PART.findall(column.removeprefix("$"))]
    return [part for part in parts if part]


def _without_wrapper(parts: list[str]) -> list[str]:
    if not parts or parts[0] not in WRAPPERS:
        return []
    return parts[2:] if len(parts) > 1 and parts[1].isdecimal() else parts[1:]


def shorten(names: Sequence[str], limit: int = 20) -> str:
    """Join the first ``limit`` names for a message."""
    more = f", and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
