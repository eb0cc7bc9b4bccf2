"""The JSONPath operators of batch transform, as "Supported JSONPath Operators" in the developer guide has them.

They are fewer than JSONPath's, and differ: a slice includes its end (`$[1:4]` is the second to the fifth element), and
several names select one object, not a list of values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"""\.?\[(?P<brackets>(?:'[^']*'|"[^"]*"|[^]'"])*)\]|\.(?P<name>[^\s.,:'"\[\]]+)""")
_NAMES = re.compile(r"""\s*(?:'[^']*'|"[^"]*")\s*(?:,\s*(?:'[^']*'|"[^"]*")\s*)*""")
_NAME = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_INDEXES = re.compile(r"\s*-?\d+\s*(?:,\s*-?\d+\s*)*")
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*")


class JsonPathError(ValueError):
    """A path that is none, or one that leads nowhere in a record; the message names the path."""


@dataclass(frozen=True)
class _Step:
    """What one operator selects from a value. many: whether it stands for any number of elements.
    by_name: whether it needs an object.
    """

    select: Callable[[Any], list[Any]]
    many: bool = False
    by_name: bool = False


class JsonPath:
    """A path, e.g. `$.features`, `$[1:]` or `$['id','SageMakerOutput']`. Raises JsonPathError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps = _steps(text)

    @property
    def selects_all(self) -> bool:
        return not self._steps

    @property
    def has_names(self) -> bool:
        """Whether it needs an object somewhere, so that it can't be used on the columns of a CSV record."""
        return any(step.by_name for step in self._steps)

    def select(self, value: Any) -> Any:
        """What the path leads to: one value, or a list of them where an operator stands for several elements.

        Raises JsonPathError where the value has no such name or index.
        """
        found, many = [value], False
        for step in self._steps:
            try:
                found = [child for item in found for child in step.select(item)]
            except (LookupError, TypeError, AttributeError):
                raise JsonPathError(f"the path {self.text} leads to nothing") from None
            many = many or step.many
        return found if many else found[0]


def _steps(text: str) -> list[_Step]:
    rest = text.strip()
    if not rest.startswith("$"):
        raise JsonPathError(f"Invalid JsonPath: {text!r}: it must begin with $")
    rest = rest[1:]
    steps = []
    while rest:
        match = _STEP.match(rest)
        step = match and (_by_name([match["name"]]) if match["name"] else _in_brackets(match["brackets"]))
        if match is None or step is None:
            raise JsonPathError(
                f"Invalid JsonPath: {text!r}: {rest!r} is none of .name, .*, [*], ['name','name'], [1,3] and [1:5]"
            )
        steps.append(step)
        rest = rest[match.end() :]
    return steps


def _in_brackets(text: str) -> _Step | None:
    if text.strip() == "*":
        return _by_name(["*"])
    if _NAMES.fullmatch(text):
        return _by_name([single or double for single, double in _NAME.findall(text)])
    if _INDEXES.fullmatch(text):
        indexes = [int(index) for index in text.split(",")]
        return _Step(lambda value: [_elements(value)[index] for index in indexes], many=len(indexes) > 1)
    if match := _SLICE.fullmatch(text):
        start, end = (None if group is None else int(group) for group in match.groups())
        # -1 is the last element, which an end includes
        behind = None if end in (None, -1) else end + 1
        return _Step(lambda value: _elements(value)[start:behind], many=True)
    return None


def _by_name(names: list[str]) -> _Step:
    if names == ["*"]:
        return _Step(lambda value: list(value.values()) if isinstance(value, dict) else _elements(value), many=True)
    if len(names) == 1:
        return _Step(lambda value: [_members(value)[names[0]]], by_name=True)
    return _Step(lambda value: [{name: _members(value)[name] for name in names}], by_name=True)


def _elements(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _members(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value
