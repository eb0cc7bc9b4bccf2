"""Members of a configuration file: objects that are read member by member, and the values that members may have."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analyzer import QualityError
from analyzer.clarify.config import Place, Scalar

# Members of Clarify's schema that are for other data than tables, or for hardware that no longer exists.
UNSUPPORTED = {
    "segment_config",
    "time_series_data_config",
    "time_series_predictor_config",
    "asymmetric_shapley_value",
    "text_config",
    "image_config",
    "accelerator_type",
}


class Section:
    """An object of the configuration, whose members are read once and validated."""

    def __init__(self, members: Mapping[str, Any], file: str, path: str, known: set[str]) -> None:
        self.members, self.file, self.path = members, file, path
        for member in members:
            if member in UNSUPPORTED:
                raise QualityError(f"{file}: {path}{member} is not supported; this analyzer reads tables")
            if member not in known:
                close = difflib.get_close_matches(member, known, 1)
                advice = f"did you mean {close[0]!r}?" if close else f"use {', '.join(sorted(known))}"
                raise QualityError(f"{file}: unknown member {path}{member}; {advice}")

    def __contains__(self, member: str) -> bool:
        return member in self.members

    def take(self, member: str, parse: Callable[[Any], Any], default: Any = None) -> Any:
        """Return a parsed member; the default if it is absent or null."""
        if self.members.get(member) is None:
            return default
        try:
            return parse(self.members[member])
        except ValueError as error:
            raise QualityError(f"{self.file}: {self.path}{member} {self.members[member]!r} {error}") from None

    def section(self, member: str, known: set[str]) -> Section:
        """Return an object; an empty one if it is absent."""
        value = self.take(member, mapping, {})
        return Section(value, self.file, f"{self.path}{member}.", known)


# Each of these returns the value or raises ValueError, whose message follows the member and its value.


def text(value: Any) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("is not a text")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Return texts, each of them once."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("is not a list of texts")
    repeated = sorted({item for item in value if value.count(item) > 1})
    if repeated:
        raise ValueError(f"has {repeated[0]!r} twice")
    return tuple(value)


def place(value: Any) -> Place:
    """Return a name or an index."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError("is neither a name nor a zero-based index")
    if isinstance(value, int) and value < 0:
        raise ValueError("is negative; use a zero-based index")
    return value


def places(value: Any) -> tuple[Place, ...]:
    """Return names or indices."""
    if not isinstance(value, list):
        raise ValueError("is not a list of names or indices")
    return tuple(place(item) for item in value)


def scalars(value: Any) -> tuple[Scalar, ...]:
    """Return values; one value stands for a list."""
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str | int | float) for item in items):
        raise ValueError("is not a list of values or of one threshold")
    return tuple(items)


def label_headers(value: Any) -> tuple[Scalar, ...]:
    """Return labels."""
    # The SDK's documentation has both the text and the list.
    return scalars(value)


def mapping(value: Any) -> Mapping[str, Any]:
    """Return an object."""
    if not isinstance(value, dict):
        raise ValueError("is not an object")
    return value


def objects(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Return objects."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("is not a list of objects")
    return tuple(value)


def number(value: Any) -> float:
    """Return a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")
    return float(value)


def whole(value: Any) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("is not a whole number")
    return value


def count(value: Any) -> int:
    """Return a whole number of at least 1."""
    if whole(value) < 1:
        raise ValueError("is less than 1")
    return int(value)


def flag(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def baseline(value: Any) -> str | list[Any] | dict[str, Any]:
    """Return rows, a document with rows, or the path of a file."""
    if not isinstance(value, str | list | dict) or not value:
        raise ValueError("is neither rows nor the path of a file; each row has the features without the label")
    return value


def metric_names(value: Any) -> str | tuple[str, ...]:
    """Return "all" or names of metrics."""
    if value == "all":
        return "all"
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('is neither "all" nor a list of metrics')
    return "all" if "all" in value else tuple(value)


def choice(choices: Sequence[str]) -> Callable[[Any], str]:
    """Return a parser of one of some texts in any case."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in choices:
            raise ValueError(f"is not supported; use one of {', '.join(choices)}")
        return value.lower()

    return parse
