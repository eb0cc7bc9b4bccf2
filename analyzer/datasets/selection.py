"""Which columns a reader delivers, and which of them as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analyzer import QualityError

# The lists in which serving containers wrap their records; a reader takes the records out of them.
WRAPPERS = ("predictions", "instances")
PATH_PART = re.compile(r"""\[\*\]|\[\s*(?:'([^']*)'|"([^"]*)"|(\d+))\s*\]|([^.\[\]]+)""")


@dataclass(frozen=True)
class Selection:
    """``columns`` None stands for all; ``as_text`` are those that keep the text of the file.

    A column to be kept as text was met before, so that it may be absent from a batch.
    """

    columns: tuple[str, ...] | None
    as_text: frozenset[str]

    def of(self, available: Sequence[str], file: Path) -> list[str]:
        """The wanted names among the available ones, in the wanted order; QualityError names a missing column."""
        if self.columns is None:
            return list(available)
        met_before = self.as_text - set(available)
        return [_find(column, available, file) for column in self.columns if column not in met_before]


def find(column: str, available: Sequence[str]) -> str | None:
    """The available name that is meant by a name, a JSONPath (``$.predictions[0].label``) or an index from 0."""
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
    """The names for a message, the first ``limit`` of them."""
    more = f", and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
