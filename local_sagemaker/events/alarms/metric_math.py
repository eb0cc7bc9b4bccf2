"""Metric math, as far as alarms need it: arithmetic, comparisons, IF, FILL, ABS, and MAX, MIN, SUM, AVG of several
metrics (`MAX([m1, m2])`, `MAX(METRICS())`), period by period.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

# a metric's values by period, None where there is none; or a number, the same in every period
Series = list[float | None]

_BINARY: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.BitXor: operator.pow,  # CloudWatch writes ^
    ast.Gt: lambda left, right: float(left > right),
    ast.GtE: lambda left, right: float(left >= right),
    ast.Lt: lambda left, right: float(left < right),
    ast.LtE: lambda left, right: float(left <= right),
    ast.Eq: lambda left, right: float(left == right),
    ast.NotEq: lambda left, right: float(left != right),
}
_ACROSS: dict[str, Callable[[list[float]], float]] = {
    "MAX": max,
    "MIN": min,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
}


class MetricMathError(ValueError):
    """An expression that cannot be evaluated here; the message says what of it."""


def evaluate(expression: str, metrics: Mapping[str, Series], metric_ids: list[str]) -> Series:
    """The values of an expression.

    metrics: the values of what it can refer to, all of one length. metric_ids: what METRICS() stands for.
    Raises MetricMathError.
    """
    length = max(map(len, metrics.values()), default=0)
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        return _Evaluation(metrics, metric_ids, length).series(tree)
    except (SyntaxError, RecursionError) as error:
        raise MetricMathError(f"{expression!r} is no expression: {error}") from error


class _Evaluation:
    def __init__(self, metrics: Mapping[str, Series], metric_ids: list[str], length: int) -> None:
        self._metrics = metrics
        self._metric_ids = metric_ids
        self._length = length

    def series(self, node: ast.expr) -> Series:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return [float(node.value)] * self._length
        if isinstance(node, ast.Name) and node.id in self._metrics:
            return self._metrics[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return _each(operator.neg, self.series(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return _each(_BINARY[type(node.op)], self.series(node.left), self.series(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _BINARY:
            return _each(_BINARY[type(node.ops[0])], self.series(node.left), self.series(node.comparators[0]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id.upper(), node.args)
        raise MetricMathError(f"{ast.unparse(node)!r} is not supported in metric math on this machine")

    def _call(self, name: str, arguments: list[ast.expr]) -> Series:
        if name in _ACROSS and len(arguments) == 1:
            columns = zip(*self._several(arguments[0]), strict=True)
            found = [[value for value in column if value is not None] for column in columns]
            return [_ACROSS[name](values) if values else None for values in found]
        if name == "FILL" and len(arguments) == 2:
            values, filling = self.series(arguments[0]), self.series(arguments[1])
            return [other if value is None else value for value, other in zip(values, filling, strict=True)]
        if name == "ABS" and len(arguments) == 1:
            return _each(abs, self.series(arguments[0]))
        if name == "IF" and len(arguments) == 3:
            parts = zip(*map(self.series, arguments), strict=True)
            return [None if test is None else (yes if test else no) for test, yes, no in parts]
        raise MetricMathError(f"{name} is not supported in metric math on this machine, or not with such arguments")

    def _several(self, node: ast.expr) -> list[Series]:
        if isinstance(node, ast.List) and node.elts:
            return [self.series(item) for item in node.elts]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.upper() == "METRICS":
            return [self._metrics[name] for name in self._metric_ids]
        raise MetricMathError(f"{ast.unparse(node)!r} should be a list of metrics or METRICS()")


def _each(work: Callable[..., Any], *series: Series) -> Series:
    """The work done on the values of each period; None where one of them is, or where it cannot be done (1 / 0)."""
    results: Series = []
    for values in zip(*series, strict=True):
        try:
            result = None if None in values else work(*values)
            results.append(float(result) if isinstance(result, int | float) else None)
        except (ZeroDivisionError, OverflowError):
            results.append(None)
    return results
