"""Expressions of CloudWatch Logs Insights: what `filter`, `fields` and `stats` compute from the fields of an event."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping

from local_sagemaker.services.logs.insights.tokens import Malformed, Tokens, pattern_of, unquoted
from local_sagemaker.services.logs.insights.values import (
    COMPARISONS,
    FUNCTIONS,
    Time,
    Value,
    arithmetic,
    compare,
    number_of,
    text_of,
    truth,
)

Fields = Mapping[str, Value]
Expression = Callable[[Fields], Value]

_PERIODS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def read_expression(tokens: Tokens) -> Expression:
    """Read an expression: of the operators, `or` binds most loosely, then `and`, `not`, comparisons, `+`, and `*`."""
    return _binary(tokens, {"or": lambda a, b: truth(a) or truth(b)}, _read_and)


def _read_and(tokens: Tokens) -> Expression:
    return _binary(tokens, {"and": lambda a, b: truth(a) and truth(b)}, _read_not)


def _read_not(tokens: Tokens) -> Expression:
    if tokens.takes("not"):
        inner = _read_not(tokens)
        return lambda fields: not truth(inner(fields))
    return _read_comparison(tokens)


def _read_comparison(tokens: Tokens) -> Expression:
    left = _read_sum(tokens)
    negated = tokens.takes("not") is not None
    if tokens.takes("like", "=~"):
        matches = _read_match(tokens)
        return lambda fields: matches(text_of(left(fields))) != negated
    if tokens.takes("in"):
        tokens.expect("symbol", "[")
        options = [_read_sum(tokens)]
        while tokens.takes(","):
            options.append(_read_sum(tokens))
        tokens.expect("symbol", "]")
        return lambda fields: any(compare(left(fields), option(fields)) == 0 for option in options) != negated
    if negated:
        raise Malformed(f"expected like or in after not, got {tokens.peek()[1]!r} in {tokens.text!r}")
    if operator := tokens.takes(*COMPARISONS):
        right, holds = _read_sum(tokens), COMPARISONS[operator]
        return lambda fields: holds(compare(left(fields), right(fields)))
    return left


def _read_match(tokens: Tokens) -> Callable[[str], bool]:
    kind, text = tokens.take()
    if kind == "regex":
        pattern = pattern_of(text)
        return lambda value: pattern.search(value) is not None
    if kind == "string":
        part = unquoted(text)
        return lambda value: part in value
    raise Malformed(f"expected a string or a regular expression after like, got {text!r} in {tokens.text!r}")


def _read_sum(tokens: Tokens) -> Expression:
    return _binary(tokens, {"+": arithmetic("+"), "-": arithmetic("-")}, _read_product)


def _read_product(tokens: Tokens) -> Expression:
    return _binary(tokens, {"*": arithmetic("*"), "/": arithmetic("/")}, _read_operand)


def _binary(
    tokens: Tokens, operators: Mapping[str, Callable[[Value, Value], Value]], read: Callable[[Tokens], Expression]
) -> Expression:
    """Read operands with operators of equal precedence between them."""

    def combined(left: Expression, right: Expression, operate: Callable[[Value, Value], Value]) -> Expression:
        return lambda fields: operate(left(fields), right(fields))

    expression = read(tokens)
    while operator := tokens.takes(*operators):
        expression = combined(expression, read(tokens), operators[operator])
    return expression


def _read_operand(tokens: Tokens) -> Expression:
    kind, text = tokens.take()
    if text == "(":
        inner = read_expression(tokens)
        tokens.expect("symbol", ")")
        return inner
    if kind == "string":
        return lambda fields: unquoted(text)
    if kind == "number" or (text == "-" and tokens.peek()[0] == "number"):
        value = float(text if kind == "number" else f"-{tokens.take()[1]}")
        return lambda fields: value
    if kind == "name" and tokens.peek()[1] == "(" and text[0] != "`":
        return _read_call(text.lower(), tokens)
    if kind == "name":
        name = unquoted(text)
        return lambda fields: fields.get(name)
    raise Malformed(f"unexpected {text or 'end'!r} in {tokens.text!r}")


def _read_call(name: str, tokens: Tokens) -> Expression:
    tokens.expect("symbol", "(")
    if name == "bin":
        period = tokens.expect("period")
        tokens.expect("symbol", ")")
        return _start_of_bin(period)
    arguments: list[Expression] = []
    while not tokens.takes(")"):
        arguments.append(read_expression(tokens))
        if not tokens.takes(","):
            tokens.expect("symbol", ")")
            break
    if name not in FUNCTIONS:
        raise Malformed(f"the local CloudWatch Logs does not implement the function {name}; use {', '.join(FUNCTIONS)}")
    function = FUNCTIONS[name]
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise Malformed(f"function {name}: {error}") from error
    return lambda fields: function(*(argument(fields) for argument in arguments))


def _start_of_bin(period: str) -> Expression:
    """Return what rounds the time of an event down to a multiple of a period such as `5m`."""
    number, unit = re.fullmatch(r"(\d+)(\w+)", period).groups()  # type: ignore[union-attr]
    size = max(1, int(number)) * _PERIODS[unit]

    def start(fields: Fields) -> Time | None:
        time = number_of(fields.get("@timestamp"))
        return None if time is None else Time(int(time) // size * size)

    return start
