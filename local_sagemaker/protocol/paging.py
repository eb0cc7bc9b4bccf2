"""Pages of List operations."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.record_query import MOST, Place, Query
from local_sagemaker.storage.records import Record, RecordStore


def page_of_query(
    store: RecordStore, query: Query, request: Record, *, size: int = 10, order: str = "Descending"
) -> tuple[list[Record], Record]:
    """Return one page of the records that a query finds, and the NextToken member of the response, if there are more.

    See `page`; the query knows what the records are sorted by.
    """
    query = replace(query, descending=request.get("SortOrder", order) == "Descending")
    token = request.get("NextToken")
    limit = request.get("MaxResults", size)
    order = f"{query.kind} by {query.sort}, {'descending' if query.descending else 'ascending'}"
    found = store.places(query, _place(token, order) if token else None, limit + 1)
    chosen = found[:limit]
    next_token = {"NextToken": _token((order, *chosen[-1][0]))} if len(chosen) < len(found) else {}
    return [record for _, record in chosen], next_token


def page(
    records: list[Record],
    request: Record,
    *,
    key: Callable[[Record], Any],
    name: Callable[[Record], str],
    size: int = 10,
    order: str = "Descending",
) -> tuple[list[Record], Record]:
    """Return one page of the records, and the NextToken member of the response, if there are more.

    The token holds the position of the last record in the order, so that a record added or removed between two pages
    makes no other one appear twice or never.

    Args:
        records: All records that match the request.
        request: Its SortOrder, MaxResults and NextToken are honoured.
        key: What records are sorted by, a number or a string.
        name: Sorts records of equal keys; unique.
        size: The default of MaxResults.
        order: The default of SortOrder.

    Raises:
        ServiceError: The NextToken is not from a response of this operation.
    """
    descending = request.get("SortOrder", order) == "Descending"
    positions = {(key(record), name(record)): record for record in records}
    ordered = sorted(positions, reverse=descending)
    if token := request.get("NextToken"):
        last = _position(token)
        try:
            ordered = [position for position in ordered if (position < last if descending else position > last)]
        except TypeError:
            raise ServiceError("ValidationException", "Invalid NextToken: it belongs to another listing") from None
    chosen = ordered[: request.get("MaxResults", size)]
    next_token = {"NextToken": _token(chosen[-1])} if len(chosen) < len(ordered) else {}
    return [positions[position] for position in chosen], next_token


def within(value: float | None, after: float | None, before: float | None) -> bool:
    """Return whether a time (epoch seconds) lies between two bounds, either of which may be missing."""
    if value is None:
        return after is None and before is None
    return (after is None or value >= after) and (before is None or value <= before)


def _token(position: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _position(token: str) -> tuple[Any, str]:
    key, name = _decoded(token, 2)
    return key, name


def _place(token: str, order: str) -> Place:
    """Return the place that a token of `page_of_query` holds. Raises ServiceError."""
    order_of_token, value, position = _decoded(token, 3)
    is_value = isinstance(value, str | float) or (isinstance(value, int) and abs(value) <= MOST)
    if order_of_token != order or not is_value or not (isinstance(position, int) and abs(position) <= MOST):
        raise ServiceError("ValidationException", "Invalid NextToken: it belongs to another listing")
    return value, position


def _decoded(token: str, length: int) -> list[Any]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, RecursionError):
        parts = None
    if not isinstance(parts, list) or len(parts) != length:
        raise ServiceError("ValidationException", "Invalid NextToken: it is not from an earlier response")
    return parts
