"""A query of CloudWatch Logs Insights: commands, separated by `|`, each of which turns rows into rows.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html has the language. The commands and
functions that are not implemented here are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.services.logs.insights.expressions import read_expression
from local_sagemaker.services.logs.insights.stats import read_stats
from local_sagemaker.services.logs.insights.tokens import Malformed, Tokens, pattern_of, read_commands, unquoted
from local_sagemaker.services.logs.insights.values import Time, Value, number_of, text_of, truth

MAX_RESULTS = 10_000

Row = dict[str, Any]
Command = Callable[[list[Row]], list[Row]]

_SHOWN_BY_DEFAULT = ["@timestamp", "@message"]


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
        with _refused_depth():
            commands = read_commands(without_comments)
            if not commands:
                raise Malformed("the query is empty; use, for example, fields @timestamp, @message | limit 20")
            for tokens in commands:
                self._read(tokens)

    def run(self, events: Iterable[Row], limit: int | None = None) -> list[list[dict[str, str]]]:
        """Return the results as GetQueryResults does: a list of fields for each row, the newest first by default."""
        rows = list(events)
        if not self._is_sorted:
            rows.sort(key=lambda row: row["@timestamp"], reverse=True)
        with _refused_depth():
            for command in self._commands:
                rows = command(rows)
        shown = self._shown or _SHOWN_BY_DEFAULT
        pointer = [] if self._has_stats else ["@ptr"]
        return [
            [{"field": name, "value": _shown(row[name])} for name in (*shown, *pointer) if row.get(name) is not None]
            for row in rows[: min(limit or MAX_RESULTS, self._limit)]
        ]

    def _read(self, tokens: Tokens) -> None:
        name = tokens.expect("name")
        read = _COMMANDS.get(name.lower())
        if read is None:
            raise Malformed(
                f"the local CloudWatch Logs does not implement the command {name}; use {', '.join(_COMMANDS)}"
            )
        read(self, tokens)
        tokens.end()

    def fields(self, tokens: Tokens) -> None:
        computed = tokens.read_named(read_expression)
        self._commands.append(
            lambda rows: [{**row, **{name: expression(row) for name, expression in computed}} for row in rows]
        )
        self._shown = [*(self._shown or []), *(name for name, _ in computed)]

    def display(self, tokens: Tokens) -> None:
        self._shown = tokens.names()

    def filter(self, tokens: Tokens) -> None:
        condition = read_expression(tokens)
        self._commands.append(lambda rows: [row for row in rows if truth(condition(row))])

    def sort(self, tokens: Tokens) -> None:
        keys = []
        while True:
            expression = read_expression(tokens)
            keys.append((expression, tokens.takes("asc", "desc") == "desc"))
            if not tokens.takes(","):
                break

        def run(rows: list[Row]) -> list[Row]:
            # stable: the first key is sorted by last
            for expression, descending in reversed(keys):
                rows = sorted(rows, key=lambda row, key=expression: _rank(key(row)), reverse=descending)  # type: ignore[misc]
            return rows

        self._commands.append(run)
        self._is_sorted = True

    def limit(self, tokens: Tokens) -> None:
        _, number = tokens.take()
        if not number.isdecimal() or not 1 <= int(number) <= MAX_RESULTS:
            raise Malformed(f"limit must be from 1 to {MAX_RESULTS}, got {number!r}")
        self._limit = int(number)

    def dedup(self, tokens: Tokens) -> None:
        names = tokens.names()
        self._commands.append(
            lambda rows: list(
                {tuple(text_of(row.get(name)) for name in names): row for row in reversed(rows)}.values()
            )[::-1]
        )

    def stats(self, tokens: Tokens) -> None:
        aggregate, names = read_stats(tokens)
        self._commands.append(aggregate)
        self._shown, self._has_stats = names, True

    def parse(self, tokens: Tokens) -> None:
        field = unquoted(tokens.take()[1]) if tokens.peek()[0] == "name" else "@message"
        kind, given = tokens.take()
        if kind == "regex":
            pattern = pattern_of(given)
            groups = dict(pattern.groupindex)
            if not groups:
                raise Malformed(f"{given} has no named groups, such as (?<name>.*)")
        elif kind == "string":
            # each * is a field, as short as possible
            parts = unquoted(given).split("*")
            pattern = re.compile("(.*?)".join(map(re.escape, parts)) + ("$" if parts[-1] == "" else ""), re.DOTALL)
            tokens.expect("name", "as")
            names = tokens.names()
            if len(names) != len(parts) - 1:
                raise Malformed(f"parse has {len(parts) - 1} wildcard(s) and {len(names)} name(s): {given}")
            groups = {name: number for number, name in enumerate(names, start=1)}
        else:
            raise Malformed(f"expected a string or a regular expression after parse, got {given or 'the end'!r}")

        def run(rows: list[Row]) -> list[Row]:
            found = [(row, pattern.search(text_of(row.get(field)))) for row in rows]
            return [
                {**row, **({name: match[number] for name, number in groups.items()} if match else {})}
                for row, match in found
            ]

        self._commands.append(run)
        if self._shown is not None:
            self._shown += [name for name in groups if name not in self._shown]


_COMMANDS: dict[str, Callable[[Query, Tokens], None]] = {
    "fields": Query.fields,
    "display": Query.display,
    "filter": Query.filter,
    "stats": Query.stats,
    "sort": Query.sort,
    "limit": Query.limit,
    "parse": Query.parse,
    "dedup": Query.dedup,
}


@contextmanager
def _refused_depth() -> Iterator[None]:
    """Refuse a query whose expressions are nested too deeply. Raises Malformed."""
    try:
        yield
    except RecursionError:
        raise Malformed("the query has too many nested expressions; split them into several fields") from None


def _rank(value: Value) -> tuple[int, float, str]:
    """Return what values are sorted by: missing ones, then numbers, then texts."""
    if value is None:
        return 0, 0.0, ""
    number = number_of(value)
    return (2, 0.0, str(value)) if number is None else (1, number, "")


def _shown(value: Value) -> str:
    if isinstance(value, Time):
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return text_of(value)
