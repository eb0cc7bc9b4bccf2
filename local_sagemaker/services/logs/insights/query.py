"""A query of CloudWatch Logs Insights: commands, separated by `|`, each of which turns rows into rows.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html has the language. The commands and
functions that are not implemented here are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.services.logs.insights.expressions import (
    Fields,
    Malformed,
    Tokens,
    pattern_of,
    read_expression,
    text_of,
    truth,
    unquoted,
)
from local_sagemaker.services.logs.insights.stats import read_stats

MAX_RESULTS = 10_000

Row = dict[str, Any]
Command = Callable[[list[Row]], list[Row]]

_TIMES = ("@timestamp", "@ingestionTime")
_SHOWN_BY_DEFAULT = ["@timestamp", "@message"]
# a `|` outside quotes and regular expressions ends a command
_COMMAND = re.compile(r"""(?:[^|"'/`]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|/(?:[^/\\|]|\\.)*/i?|/)+""")


class Query:
    """A parsed query.

    Args:
        text: The query.

    Raises:
        Malformed: The text is not a query, or has a command that is not implemented.
    """

    def __init__(self, text: str) -> None:
        self._commands: list[Command] = []
        self._shown: list[str] | None = None
        self._is_sorted = self._has_stats = False
        self._limit = MAX_RESULTS
        without_comments = re.sub(r"(?m)^\s*#.*$", "", text)
        commands = [command.strip() for command in _COMMAND.findall(without_comments)]
        if not any(commands):
            raise Malformed("the query is empty; use, for example, fields @timestamp, @message | limit 20")
        for command in filter(None, commands):
            name, _, rest = command.partition(" ")
            read = _COMMANDS.get(name.lower())
            if read is None:
                raise Malformed(
                    f"the local CloudWatch Logs does not implement the command {name}; use {', '.join(_COMMANDS)}"
                )
            read(self, rest.strip())

    def run(self, events: Iterable[Fields], limit: int | None = None) -> list[list[dict[str, str]]]:
        """Return the results as GetQueryResults does: a list of fields for each row, the newest first by default."""
        rows = [dict(event) for event in events]
        if not self._is_sorted:
            rows.sort(key=lambda row: row["@timestamp"], reverse=True)
        for command in self._commands:
            rows = command(rows)
        shown = self._shown or _SHOWN_BY_DEFAULT
        pointer = [] if self._has_stats else ["@ptr"]
        return [
            [
                {"field": name, "value": _shown(name, row[name])}
                for name in (*shown, *pointer)
                if row.get(name) is not None
            ]
            for row in rows[: min(limit or MAX_RESULTS, self._limit)]
        ]

    def fields(self, text: str) -> None:
        tokens = Tokens(text)
        computed = tokens.read_named(read_expression)
        tokens.end()
        self._commands.append(
            lambda rows: [{**row, **{name: expression(row) for name, expression in computed}} for row in rows]
        )
        self._shown = [*(self._shown or []), *(name for name, _ in computed)]

    def display(self, text: str) -> None:
        tokens = Tokens(text)
        self._shown = tokens.names()
        tokens.end()

    def filter(self, text: str) -> None:
        tokens = Tokens(text)
        condition = read_expression(tokens)
        tokens.end()
        self._commands.append(lambda rows: [row for row in rows if truth(condition(row))])

    def sort(self, text: str) -> None:
        tokens = Tokens(text)
        keys = []
        while True:
            expression = read_expression(tokens)
            keys.append((expression, tokens.takes("asc", "desc") == "desc"))
            if not tokens.takes(","):
                break
        tokens.end()

        def run(rows: list[Row]) -> list[Row]:
            # stable: the first key is sorted by last
            for expression, descending in reversed(keys):
                rows = sorted(rows, key=lambda row, key=expression: _rank(key(row)), reverse=descending)  # type: ignore[misc]
            return rows

        self._commands.append(run)
        self._is_sorted = True

    def limit(self, text: str) -> None:
        if not text.isdecimal() or not 1 <= int(text) <= MAX_RESULTS:
            raise Malformed(f"limit must be from 1 to {MAX_RESULTS}, got {text!r}")
        self._limit = int(text)

    def dedup(self, text: str) -> None:
        tokens = Tokens(text)
        names = tokens.names()
        tokens.end()
        self._commands.append(
            lambda rows: list(
                {tuple(text_of(row.get(name)) for name in names): row for row in reversed(rows)}.values()
            )[::-1]
        )

    def stats(self, text: str) -> None:
        aggregate, names = read_stats(Tokens(text))
        self._commands.append(aggregate)
        self._shown, self._has_stats = names, True

    def parse(self, text: str) -> None:
        tokens = Tokens(text)
        field = unquoted(tokens.take()[1]) if tokens.peek()[0] == "name" else "@message"
        kind, given = tokens.take()
        if kind == "regex":
            pattern = pattern_of(given)
            names = list(pattern.groupindex)
        elif kind == "string":
            # each * is a field, as short as possible
            parts = unquoted(given).split("*")
            pattern = re.compile("(.*?)".join(map(re.escape, parts)) + ("$" if parts[-1] == "" else ""), re.DOTALL)
            tokens.expect("name", "as")
            names = tokens.names()
            if len(names) != len(parts) - 1:
                raise Malformed(f"parse has {len(parts) - 1} wildcard(s) and {len(names)} name(s): {text!r}")
        else:
            raise Malformed(f"expected a string or a regular expression in parse {text!r}")
        tokens.end()

        def run(rows: list[Row]) -> list[Row]:
            found = [(row, pattern.search(text_of(row.get(field)))) for row in rows]
            return [
                {**row, **(dict(zip(names, match.groups(), strict=False)) if match else {})} for row, match in found
            ]

        self._commands.append(run)
        if self._shown is not None:
            self._shown += [name for name in names if name not in self._shown]


_COMMANDS: dict[str, Callable[[Query, str], None]] = {
    "fields": Query.fields,
    "display": Query.display,
    "filter": Query.filter,
    "stats": Query.stats,
    "sort": Query.sort,
    "limit": Query.limit,
    "parse": Query.parse,
    "dedup": Query.dedup,
}


def _rank(value: Any) -> tuple[int, float, str]:
    """Return what values are sorted by: missing ones, then numbers, then texts."""
    if value is None:
        return 0, 0.0, ""
    try:
        return 1, float(value), ""
    except ValueError:
        return 2, 0.0, str(value)


def _shown(name: str, value: Any) -> str:
    if (name in _TIMES or name.startswith("bin(")) and isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return text_of(value)
