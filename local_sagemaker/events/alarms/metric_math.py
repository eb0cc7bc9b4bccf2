"""CloudWatch metric math, as far as alarms need it.

Supported are arithmetic, comparisons, IF, FILL, ABS, and MAX, MIN, SUM and AVG of several metrics (`MAX([m1, m2])`,
`MAX(METRICS())`), all period by period.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

# a metric's values by period, None if missing
Series = list[float | None]

_BINARY: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    # CloudWatch writes a power as ^
    ast.BitXor: operator.pow,
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
    """An expression that is not supported; the message names the part."""


def evaluate(expression: str, metrics: Mapping[str, Series], metric_ids: list[str]) -> Series:
    """Evaluate an expression.

    Args:
        expression: E.g. `100 * errors / calls`.
        metrics: The metrics and expressions that it may refer to by ID, all of the same length.
        metric_ids: The metrics that METRICS() stands for.

    Returns:
        The value of each period.

    Raises:
        MetricMathError: If the expression is not supported.
    """
    length = max(map(len, metrics.values()), default=0)
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        return _Evaluation(metrics, metric_ids, length).series(tree)
    except (SyntaxError, RecursionError) as error:
        raise MetricMathError(f"{expression!r} is not a metric math expression: {error}") from error


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
            return _map(operator.neg, self.series(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return _map(_BINARY[type(node.op)], self.series(node.left), self.series(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _BINARY:
            return _map(_BINARY[type(node.ops[0])], self.series(node.left), self.series(node.comparators[0]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id.upper(), node.args)
        raise MetricMathError(f"{ast.unparse(node)!r} is not supported in the local SageMaker's metric math")

    def _call(self, name: str, arguments: list[ast.expr]) -> Series:
        if name in _ACROSS and len(arguments) == 1:
            columns = zip(*self._list(arguments[0]), strict=True)
            found = [[value for value in column if value is not None] for column in columns]
            return [_ACROSS[name](values) if values else None for values in found]
        if name == "FILL" and len(arguments) == 2:
            values, filling = self.series(arguments[0]), self.series(arguments[1])
            return [other if value is None else value for value, other in zip(values, filling, strict=True)]
        if name == "ABS" and len(arguments) == 1:
            return _map(abs, self.series(arguments[0]))
        if name == "IF" and len(arguments) == 3:
            parts = zip(*map(self.series, arguments), strict=True)
            return [None if test is None else (yes if test else no) for test, yes, no in parts]
        raise MetricMathError(
            f"{name} with {len(arguments)} arguments is not supported in the local SageMaker's metric math"
        )

    def _list(self, node: ast.expr) -> list[Series]:
        if isinstance(node, ast.List) and node.elts:
            return [self.series(item) for item in node.elts]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.upper() == "METRICS":
            return [self._metrics[name] for name in self._metric_ids]
        raise MetricMathError(f"{ast.unparse(node)!r} must be a list of metrics or METRICS()")


def _map(function: Callable[..., Any], *series: Series) -> Series:
    """Apply a function period by period; None for missing values and undefined results such as 1 / 0."""
    results: Series = []
    for values in zip(*series, strict=True):
        try:
            result = None if None in values else function(*values)
            results.append(float(result) if isinstance(result, int | float) else None)
        except (ZeroDivisionError, OverflowError):
            results.append(None)
    return results
