"""Pages of lists: filter, size, order and position are part of the address, and a page is one call of the API."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from flask import request

T = TypeVar("T")

SIZES = (25, 50, 100)


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page of a list.

    Attributes:
        items: Its items.
        next_token: The token of the next page; None on the last one.
    """

    items: tuple[T, ...]
    next_token: str | None = None


def has_other_pages(page: Page[Any]) -> bool:
    """Return whether a list has pages besides this one, so that a page without items says nothing about the list."""
    return bool(page.next_token or request.args.get("token"))


def page_size() -> int:
    """Return the `size` of the address: one of SIZES, the first by default."""
    size = request.args.get("size", type=int)
    return size if size in SIZES else SIZES[0]


def choice(name: str, choices: Collection[str], default: str = "") -> str:
    """Return an argument of the address that is one of some choices, else the default."""
    value = request.args.get(name, "")
    return value if value in choices else default


def page_request(default_sort: str | None = None) -> dict[str, Any]:
    """Return MaxResults, NextToken, SortBy and SortOrder of a List operation from the address.

    Args:
        default_sort: SortBy if the address has none; None for operations that do not sort.
    """
    arguments: dict[str, Any] = {"MaxResults": page_size()}
    if token := request.args.get("token"):
        arguments["NextToken"] = token
    if default_sort is not None:
        arguments["SortBy"] = request.args.get("sort") or default_sort
        arguments["SortOrder"] = choice("order", ("Ascending",), "Descending")
    return arguments


def address_with(**changes: Any) -> str:
    """Return the present address with changed query arguments; None removes one."""
    arguments: Mapping[str, list[str]] = {
        name: values for name, values in request.args.lists() if name not in changes and name != "access_token"
    }
    pairs = [(name, value) for name, values in arguments.items() for value in values]
    pairs += [(name, str(value)) for name, value in changes.items() if value is not None]
    return f"{request.path}?{urlencode(pairs)}" if pairs else request.path
