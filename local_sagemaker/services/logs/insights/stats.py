"""The command `stats` of CloudWatch Logs Insights: aggregates of rows, by group."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

from local_sagemaker.services.logs.insights.expressions import Expression, read_expression
from local_sagemaker.services.logs.insights.tokens import Malformed, Tokens
from local_sagemaker.services.logs.insights.values import number_of, text_of

Row = dict[str, Any]


def read_stats(tokens: Tokens) -> tuple[Callable[[list[Row]], list[Row]], list[str]]:
    """Read the text after `stats`; return what aggregates rows, and the names of the results' columns."""
    aggregates = tokens.read_named(_read_aggregate)
    groups = tokens.read_named(read_expression) if tokens.takes("by") else []

    def run(rows: list[Row]) -> list[Row]:
        by_key: dict[tuple[Any, ...], list[Row]] = {} if groups else {(): []}
        for row in rows:
            by_key.setdefault(tuple(group(row) for _, group in groups), []).append(row)
        return [
            {
                **{name: value for (name, _), value in zip(groups, key, strict=True)},
                **{name: aggregate(members) for name, aggregate in aggregates},
            }
            for key, members in by_key.items()
        ]

    return run, [name for name, _ in (*groups, *aggregates)]


def _read_aggregate(tokens: Tokens) -> Callable[[list[Row]], Any]:
    name = tokens.expect("name").lower()
    tokens.expect("symbol", "(")
    if name == "count" and (tokens.takes("*") or tokens.peek()[1] == ")"):
        tokens.expect("symbol", ")")
        return len
    expression = read_expression(tokens)
    if name in ("pct", "percentile"):
        tokens.expect("symbol", ",")
        percent = float(tokens.expect("number"))
        if percent > 100:
            raise Malformed(f"a percentile is from 0 to 100, got {percent:g}")
        tokens.expect("symbol", ")")
        return lambda rows: _percentile(_numbers(expression, rows), percent)
    tokens.expect("symbol", ")")
    if name in _OF_ROWS:
        of_rows = _OF_ROWS[name]
        return lambda rows: of_rows(expression, rows)
    if name not in _OF_NUMBERS:
        known = ", ".join(["pct", *_OF_ROWS, *_OF_NUMBERS])
        raise Malformed(f"the local CloudWatch Logs does not implement the function {name} of stats; use {known}")
    of_numbers = _OF_NUMBERS[name]

    def run(rows: list[Row]) -> float | None:
        numbers = _numbers(expression, rows)
        try:
            return of_numbers(numbers) if numbers else None
        except OverflowError:
            return None

    return run


def _present(expression: Expression, rows: list[Row]) -> list[Any]:
    return [value for row in rows if (value := expression(row)) is not None]


def _numbers(expression: Expression, rows: list[Row]) -> list[float]:
    return [number for row in rows if (number := number_of(expression(row))) is not None]


def _percentile(numbers: list[float], percent: float) -> float | None:
    """Return the smallest number that at least so many percent of the numbers do not exceed."""
    ordered = sorted(numbers)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)] if ordered else None


def _at(extreme: Callable[..., Row]) -> Callable[[Expression, list[Row]], Any]:
    def run(expression: Expression, rows: list[Row]) -> Any:
        present = [row for row in rows if expression(row) is not None]
        return expression(extreme(present, key=lambda row: number_of(row.get("@timestamp")) or 0)) if present else None

    return run


_OF_ROWS: dict[str, Callable[[Expression, list[Row]], Any]] = {
    "count": lambda expression, rows: len(_present(expression, rows)),
    "count_distinct": lambda expression, rows: len(set(map(text_of, _present(expression, rows)))),
    "earliest": _at(min),
    "latest": _at(max),
}
_OF_NUMBERS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "avg": statistics.fmean,
    "min": min,
    "max": max,
    "median": statistics.median,
    "stddev": statistics.pstdev,
}
