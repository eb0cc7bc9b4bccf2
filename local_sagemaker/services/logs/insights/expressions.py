"""Expressions of CloudWatch Logs Insights: what `filter`, `fields` and `stats` compute from the fields of an event."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from local_sagemaker.protocol.errors import ServiceError

Value = Any
Fields = Mapping[str, Value]
Expression = Callable[[Fields], Value]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<regex>/(?:[^/\\]|\\.)+/i?)(?=\s|$|\||\)|,)
  | (?P<number>\d+(?:\.\d+)?(?![\w.]))
  | (?P<period>\d+(?:ms|s|m|h|d|w)\b)
  | (?P<name>`[^`]+`|[@A-Za-z_][\w.@]*)
  | (?P<symbol>=~|!=|<=|>=|[=<>()\[\],|+*/-])
    )""",
    re.VERBOSE,
)
_PERIODS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class Malformed(ServiceError):
    """A query that is not valid, or has something that is not implemented."""

    def __init__(self, message: str) -> None:
        super().__init__("MalformedQueryException", message)


class Tokens:
    """The tokens of a command, read from left to right. A token is its kind and its text."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._ends: list[int] = [0]
        text, position = text.rstrip(), 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise Malformed(f"unexpected {text[position:].strip()[:20]!r} in {text!r}")
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()
            self._ends.append(position)
        self._next = 0
        self.text = text

    def peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self._next += 1
        return token

    def takes(self, *texts: str) -> str | None:
        """Take the next token if it is one of these symbols or keywords, and return it."""
        kind, text = self.peek()
        if kind in ("symbol", "name") and text.lower() in texts:
            self._next += 1
            return text.lower()
        return None

    def read_named(self, read: Callable[[Tokens], Any]) -> list[tuple[str, Any]]:
        """Read items separated by commas, each with the name after `as`, by default its own text."""
        items: list[tuple[str, Any]] = []
        while True:
            start = self._ends[self._next]
            item = read(self)
            text = self.text[start : self._ends[self._next]].strip()
            items.append((unquoted(self.expect("name") if self.takes("as") else text), item))
            if not self.takes(","):
                return items

    def expect(self, kind: str, *texts: str) -> str:
        """Take the next token, which must be of a kind, and one of the texts if there are any."""
        found, text = self.take()
        if found != kind or (texts and text.lower() not in texts):
            wanted = " or ".join(map(repr, texts)) if texts else f"a {kind}"
            raise Malformed(f"expected {wanted}, got {text or 'the end'!r} in {self.text!r}")
        return text

    def names(self) -> list[str]:
        """Take a list of field names, separated by commas."""
        names = [unquoted(self.expect("name"))]
        while self.takes(","):
            names.append(unquoted(self.expect("name")))
        return names

    def end(self) -> None:
        """Raise Malformed if a token is left."""
        kind, text = self.peek()
        if kind != "end":
            raise Malformed(f"unexpected {text!r} in {self.text!r}")


def unquoted(text: str) -> str:
    """Return a name without backticks, or the content of a string."""
    if text[0] == "`":
        return text[1:-1]
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[0] in "\"'" else text


def pattern_of(text: str) -> re.Pattern[str]:
    """Return the regular expression of a token such as `/error/i`."""
    body, _, flags = text[1:].rpartition("/")
    try:
        # Java's and JavaScript's spelling of a named group
        return re.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", body), re.IGNORECASE if flags else 0)
    except re.error as error:
        raise Malformed(f"{text} is not a regular expression: {error}") from error


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
    if operator := tokens.takes(*_COMPARISONS):
        right, holds = _read_sum(tokens), _COMPARISONS[operator]
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
    return _binary(tokens, {"+": _arithmetic("+"), "-": _arithmetic("-")}, _read_product)


def _read_product(tokens: Tokens) -> Expression:
    return _binary(tokens, {"*": _arithmetic("*"), "/": _arithmetic("/")}, _read_operand)


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
        size = period_milliseconds(period)
        return lambda fields: fields["@timestamp"] // size * size if "@timestamp" in fields else None
    arguments: list[Expression] = []
    while not tokens.takes(")"):
        arguments.append(read_expression(tokens))
        if not tokens.takes(","):
            tokens.expect("symbol", ")")
            break
    if name not in FUNCTIONS:
        raise Malformed(f"the local CloudWatch Logs does not implement the function {name}; use {', '.join(FUNCTIONS)}")
    function = FUNCTIONS[name]
    return lambda fields: function(*(argument(fields) for argument in arguments))


def period_milliseconds(text: str) -> int:
    """Return the length of a period such as `5m`."""
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()  # type: ignore[union-attr]
    return max(1, int(number)) * _PERIODS[unit]


def number_of(value: Value) -> float | None:
    """Return a value as a number, None if it is not one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def text_of(value: Value) -> str:
    """Return a value as Insights shows it: a number without superfluous digits, and nothing for a missing one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else f"{value:.4f}".rstrip("0")
    return str(value)


def truth(value: Value) -> bool:
    return value not in (None, "", False, 0)


def compare(left: Value, right: Value) -> int | None:
    """Return -1, 0 or 1 as a value is less than, equal to or greater than another; None if one is missing."""
    if left is None or right is None:
        return None
    numbers = number_of(left), number_of(right)
    a, b = numbers if None not in numbers else (text_of(left), text_of(right))
    return (a > b) - (a < b)  # type: ignore[operator]


def _arithmetic(operator: str) -> Callable[[Value, Value], Value]:
    def operate(left: Value, right: Value) -> Value:
        a, b = number_of(left), number_of(right)
        if a is None or b is None or (operator == "/" and b == 0):
            return None
        return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[operator]

    return operate


def _numeric(function: Callable[[float], float]) -> Callable[[Value], Value]:
    def call(value: Value) -> Value:
        number = number_of(value)
        return None if number is None else function(number)

    return call


_COMPARISONS: dict[str, Callable[[int | None], bool]] = {
    "=": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order == -1,
    "<=": lambda order: order in (-1, 0),
    ">": lambda order: order == 1,
    ">=": lambda order: order in (0, 1),
}
FUNCTIONS: dict[str, Callable[..., Value]] = {
    "ispresent": lambda value: value is not None,
    "isempty": lambda value: value in (None, ""),
    "isblank": lambda value: not text_of(value).strip(),
    "strlen": lambda value: len(text_of(value)),
    "toupper": lambda value: text_of(value).upper(),
    "tolower": lambda value: text_of(value).lower(),
    "trim": lambda value: text_of(value).strip(),
    "concat": lambda *values: "".join(map(text_of, values)),
    "strcontains": lambda value, part: text_of(part) in text_of(value),
    "replace": lambda value, old, new: text_of(value).replace(text_of(old), text_of(new)),
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "abs": _numeric(abs),
    "ceil": _numeric(math.ceil),
    "floor": _numeric(math.floor),
}
