"""Which columns a reader delivers, and which of them as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitoring.quality import QualityError


@dataclass(frozen=True)
class Selection:
    """``columns`` None stands for all; ``as_text`` are those that keep the text of the file."""

    columns: tuple[str, ...] | None
    as_text: frozenset[str]

    def of(self, available: Sequence[str], file: Path) -> list[str]:
        """The wanted names among the available ones, in the wanted order; QualityError names a missing column."""
        if self.columns is None:
            return list(available)
        return [_find(column, available, file) for column in self.columns]


def _find(column: str, available: Sequence[str], file: Path) -> str:
    if column in available:
        return column
    if column.isdecimal() and int(column) < len(available):
        return available[int(column)]
    raise QualityError(f"column {column!r} is not in {file} (columns: {shorten(available)})")


def shorten(names: Sequence[str], limit: int = 20) -> str:
    """The names for a message, the first ``limit`` of them."""
    more = f", and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
