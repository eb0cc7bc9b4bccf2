"""Consoles, tables and styles that the commands of all packages share."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

# progress and messages go to stderr, so that stdout holds only results
console = Console(stderr=True, highlight=False)
output = Console(highlight=False)


def plain_table(*columns: str, right: Sequence[str] = ()) -> Table:
    """Create a table without borders.

    Args:
        columns: Headers of the columns.
        right: Headers of the columns to align right.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    return table
