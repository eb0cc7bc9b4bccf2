"""Names and texts in SQL."""

from __future__ import annotations

from collections.abc import Iterable


def sql_name(name: str) -> str:
    """Return a name of a column in quotes."""
    return '"' + name.replace('"', '""') + '"'


def sql_text(value: object) -> str:
    """Return a text or a path as a literal."""
    return "'" + str(value).replace("'", "''") + "'"


def sql_texts(values: Iterable[object]) -> str:
    """Return texts or paths as a list of literals."""
    return f"[{', '.join(map(sql_text, values))}]"
