"""The JSONPath operators of batch transform ("Supported JSONPath Operators" in the developer guide).

They are a subset of JSONPath with two differences: a slice includes its end (`$[1:4]` selects the second to the fifth
element), and several names select one object instead of a list of values. As in the API reference's example `$[0,5:]`,
brackets may list several indexes and slices.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"""\.?\[(?P<brackets>(?:'[^']*'|"[^"]*"|[^]'"])*)\]|\.(?P<name>[^\s.,:'"\[\]]+)""")
_NAMES = re.compile(r"""\s*(?:'[^']*'|"[^"]*")\s*(?:,\s*(?:'[^']*'|"[^"]*")\s*)*""")
_NAME = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_INDEX = re.compile(r"\s*-?\d+\s*")
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*")


class JsonPathError(ValueError):
    """A malformed path, or one that does not match a record; the message names the path."""


@dataclass(frozen=True)
class _Step:
    """One operator of a path.

    Attributes:
        select: Returns the selected elements of a value.
        many: Whether it can select several elements.
        by_name: Whether it selects members of an object.
    """

    select: Callable[[Any], list[Any]]
    many: bool = False
    by_name: bool = False


class JsonPath:
    """A path such as `$.features`, `$[1:]` or `$['id','SageMakerOutput']`.

    Raises:
        JsonPathError: The path is malformed.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps = _steps(text)

    @property
    def selects_all(self) -> bool:
        return not self._steps

    @property
    def has_names(self) -> bool:
        """Whether the path selects members by name, which the columns of a CSV record do not have."""
        return any(step.by_name for step in self._steps)

    def select(self, value: Any) -> Any:
        """Return the selected value, or a list of values if an operator can select several.

        Raises:
            JsonPathError: The value does not have a member or element that the path names.
        """
        found, many = [value], False
        for step in self._steps:
            try:
                found = [child for item in found for child in step.select(item)]
            except (LookupError, TypeError, AttributeError):
                raise JsonPathError(f"the path {self.text} matches nothing") from None
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
                f"Invalid JsonPath: {text!r}: unsupported operator at {rest!r}; use .name, .*, [*], ['name','name'], "
                "[1,3], [1:5] or [0,5:]"
            )
        steps.append(step)
        rest = rest[match.end() :]
    return steps


def _in_brackets(text: str) -> _Step | None:
    if text.strip() == "*":
        return _by_name(["*"])
    if _NAMES.fullmatch(text):
        return _by_name([single or double for single, double in _NAME.findall(text)])
    parts = text.split(",")
    selectors = [selector for part in parts if (selector := _selector(part)) is not None]
    if len(selectors) < len(parts):
        return None
    return _Step(
        lambda value: [item for selector in selectors for item in selector(_elements(value))],
        many=len(parts) > 1 or ":" in text,
    )


def _selector(text: str) -> Callable[[list[Any]], list[Any]] | None:
    """Return the selection of an index or a slice from the elements of a list; None if the text is neither."""
    if _INDEX.fullmatch(text):
        index = int(text)
        return lambda elements: [elements[index]]
    if match := _SLICE.fullmatch(text):
        start, end = (None if group is None else int(group) for group in match.groups())
        # the end is inclusive, and -1 is the last element
        stop = None if end in (None, -1) else end + 1
        return lambda elements: elements[start:stop]
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
