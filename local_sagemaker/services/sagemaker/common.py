"""What operations of every subject need: paging, filters, who asks."""

import base64
import json
from collections.abc import Callable
from typing import Any

from local_sagemaker.account import ACCOUNT, ROLE_NAME
from local_sagemaker.protocol.errors import ServiceError

Record = dict[str, Any]

CALLER_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE_NAME}/local"
CALLER_ID = "AROALOCALSAGEMAKER00:local"
USER_CONTEXT = {"IamIdentity": {"Arn": CALLER_ARN, "PrincipalId": CALLER_ID}}


def listed(records: list[Record], request: Record, noun: str) -> tuple[list[Record], Record]:
    """One page of the records that a List request asks for, and the response's NextToken. Raises ServiceError.

    noun: what their members are called after, such as `Model` of ModelName. Sorted by CreationTime, or by SortBy (Name
    or Status), as `page` does.
    """
    member = {"Name": f"{noun}Name", "Status": f"{noun}Status"}.get(request.get("SortBy", ""), "CreationTime")
    chosen = asked_for(records, request, noun)
    return page(chosen, request, key=lambda record: record[member], name=lambda record: record[f"{noun}Name"])


def asked_for(records: list[Record], request: Record, noun: str) -> list[Record]:
    """The records that NameContains, StatusEquals and the bounds of their times in a List request leave."""
    part, status = request.get("NameContains", "").lower(), request.get("StatusEquals")
    return [
        record
        for record in records
        if part in record[f"{noun}Name"].lower()
        and status in (None, record.get(f"{noun}Status"))
        and within(record["CreationTime"], request.get("CreationTimeAfter"), request.get("CreationTimeBefore"))
        and within(
            record.get("LastModifiedTime"),
            request.get("LastModifiedTimeAfter"),
            request.get("LastModifiedTimeBefore"),
        )
    ]


def page(
    records: list[Record],
    request: Record,
    *,
    key: Callable[[Record], Any],
    name: Callable[[Record], str],
    size: int = 10,
    order: str = "Descending",
) -> tuple[list[Record], Record]:
    """One page of the records, sorted by `key` (a number or text) and `name` (unique), and the response's NextToken.

    Honours SortOrder, MaxResults and NextToken of the request; `size` and `order` stand in where they are not given.
    The token holds the last record's place in the order, so that a record added or removed between two pages makes
    no other one appear twice or never. Raises ServiceError for a token that is none of ours.
    """
    descending = request.get("SortOrder", order) == "Descending"
    places = {(key(record), name(record)): record for record in records}
    ordered = sorted(places, reverse=descending)
    if token := request.get("NextToken"):
        last = _place(token)
        try:
            ordered = [place for place in ordered if (place < last if descending else place > last)]
        except TypeError:
            raise ServiceError("ValidationException", "Invalid NextToken: it belongs to another listing") from None
    chosen = ordered[: request.get("MaxResults", size)]
    following = {"NextToken": _token(chosen[-1])} if len(chosen) < len(ordered) else {}
    return [places[place] for place in chosen], following


def within(value: float | None, after: float | None, before: float | None) -> bool:
    """Whether a time (epoch seconds) lies between two bounds, of which either may be missing."""
    if value is None:
        return after is None and before is None
    return (after is None or value >= after) and (before is None or value <= before)


def _token(place: tuple[Any, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _place(token: str) -> tuple[Any, str]:
    try:
        key, name = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, RecursionError):
        raise ServiceError("ValidationException", "Invalid NextToken: it is not one that a response held") from None
    return key, name
