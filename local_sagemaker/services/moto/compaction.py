"""Which entries of moto's journal a replay can leave out and still make the same state.

Requests are seeded one by one, so leaving one out changes no ID of another. An entry is obsolete if a later one
overwrites all that it has written, or if what it has written has been deleted since, and nothing in between has read
it. What the operations below write is known; of rules, alarms, schedules and parameters, they are the ones that are
repeated. Every other operation of the same service may read anything of that service, and CloudFormation and
Application Auto Scaling anything at all: nothing before such an entry is compared with what comes after it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, unquote

from local_sagemaker.services.moto.operations import members_of

Entry = dict[str, Any]
Key = tuple[str, ...]

# services that read and change the state of others
_READS_ALL = ("cloudformation", "application-autoscaling")


class Kind(Enum):
    """What an operation does to a resource."""

    # overwrites it, or creates it
    PUT = "put"
    # creates it: it did not exist
    CREATE = "create"
    # overwrites it; it must exist
    UPDATE = "update"
    # changes a part of it, which is deleted with it
    PART = "part"
    DELETE = "delete"


@dataclass(frozen=True)
class Effect:
    """What an entry does.

    Attributes:
        keys: The resources.
        kind: What it does to each.
        part: The part that a PART overwrites; None if it changes parts in another way.
    """

    keys: tuple[Key, ...]
    kind: Kind
    part: str | None = None


@dataclass
class _History:
    """The entries for a resource that have not been found obsolete, since the last time that it was known not to exist.

    Attributes:
        absent: Whether the resource did not exist before the first of them.
        entries: Number and effect of each.
    """

    absent: bool
    entries: list[tuple[int, Effect]] = field(default_factory=list)


def obsolete(entries: Iterable[tuple[int, Entry]]) -> set[int]:
    """Return the numbers of obsolete entries.

    Args:
        entries: All entries of a journal, each with its number, in the order of the requests.
    """
    removed: set[int] = set()
    histories: dict[Key, _History] = {}
    # services of which anything may exist that no entry of `histories` has created
    unknown: set[str] = set()
    for number, entry in entries:
        service = str(entry.get("service"))
        if service in _READS_ALL:
            histories.clear()
            unknown.update(_EFFECTS)
        elif service in _EFFECTS:
            effect = _effect(entry)
            if effect is None:
                histories = {key: history for key, history in histories.items() if key[0] != service}
                unknown.add(service)
            else:
                removed |= _add(histories, service not in unknown, number, effect)
    return removed


def _add(histories: dict[Key, _History], absent: bool, number: int, effect: Effect) -> set[int]:
    """Add an entry to the histories of its resources; return the numbers of entries that it makes obsolete."""
    affected = [histories.setdefault(key, _History(absent)) for key in effect.keys]
    if effect.kind is not Kind.DELETE:
        (history,) = affected
        if effect.kind is Kind.CREATE:
            history.absent, history.entries = True, []
        history.entries.append((number, effect))
        return _overwritten(history)
    removed = set()
    if all(history.absent for history in affected):
        removed = {number, *(each for history in affected for each, _ in history.entries)}
    for history in affected:
        history.absent, history.entries = True, []
    return removed


def _overwritten(history: _History) -> set[int]:
    """Drop the entries from a history that the last one makes obsolete; return their numbers."""
    removed = set()
    _, last = history.entries[-1]
    if last.kind is Kind.PART and last.part is not None:
        for earlier, effect in reversed(history.entries[:-1]):
            if effect.kind is Kind.PART and effect.part == last.part:
                removed.add(earlier)
                break
            if effect.kind is Kind.PART and effect.part is None:
                break
    kept = [item for item in history.entries if item[0] not in removed]
    for (earlier, effect), (_, following) in pairwise(kept):
        if effect.kind is following.kind and effect.kind in (Kind.PUT, Kind.UPDATE):
            removed.add(earlier)
    history.entries = [item for item in history.entries if item[0] not in removed]
    return removed


def _effect(entry: Entry) -> Effect | None:
    """Return what an entry does; None if that is not known."""
    try:
        return _EFFECTS[entry["service"]](entry, members_of(base64.b64decode(entry["body"])))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _alarms(entry: Entry, members: Entry) -> Effect | None:
    # tags outlive what they are given to
    if entry["operation"] == "PutMetricAlarm" and not _has(members, "Tags"):
        return Effect((("monitoring", entry["region"], members["AlarmName"]),), Kind.PUT)
    if entry["operation"] == "DeleteAlarms":
        names = members.get("AlarmNames") or [
            value for name, value in members.items() if name.startswith("AlarmNames.")
        ]
        return Effect(tuple(("monitoring", entry["region"], name) for name in dict.fromkeys(names)), Kind.DELETE)
    return None


def _rules(entry: Entry, members: Entry) -> Effect | None:
    operation, bus = entry["operation"], str(members.get("EventBusName", "default")).rpartition("/")[2]
    key = ("events", entry["region"], bus, members["Rule" if "Targets" in operation else "Name"])
    if operation == "PutRule" and not _has(members, "Tags"):
        return Effect((key,), Kind.PUT)
    if operation == "PutTargets":
        # of several targets, only the same ones are overwritten
        return Effect((key,), Kind.PART, json.dumps([target["Id"] for target in members["Targets"]]))
    if operation in ("RemoveTargets", "EnableRule", "DisableRule"):
        return Effect((key,), Kind.PART)
    return Effect((key,), Kind.DELETE) if operation == "DeleteRule" else None


def _schedules(entry: Entry, members: Entry) -> Effect | None:
    path, _, query = entry["path"].partition("?")
    match = re.fullmatch(r"/schedules/([^/]+)", path)
    kind = {"POST": Kind.CREATE, "PUT": Kind.UPDATE, "DELETE": Kind.DELETE}.get(entry["method"])
    if match is None or kind is None:
        return None
    group = members.get("GroupName") or dict(parse_qsl(query)).get("groupName") or "default"
    return Effect((("scheduler", entry["region"], group, unquote(match[1])),), kind)


def _parameters(entry: Entry, members: Entry) -> Effect | None:
    operation = entry["operation"]
    names = [members["Name"]] if "Name" in members else members["Names"]
    # `name`, `/name` and the ARN may be the same parameter
    if any(name.startswith("arn:") or (name.startswith("/") and name.count("/") == 1) for name in names):
        return None
    keys = tuple(("ssm", entry["region"], name) for name in dict.fromkeys(names))
    if operation == "PutParameter" and not _has(members, "Tags"):
        # a parameter's version counts its puts, so that none overwrites another
        return Effect(keys, Kind.PART)
    return Effect(keys, Kind.DELETE) if operation in ("DeleteParameter", "DeleteParameters") else None


def _has(members: Entry, member: str) -> bool:
    return any(name == member or name.startswith(f"{member}.") for name in members)


_EFFECTS = {"monitoring": _alarms, "events": _rules, "scheduler": _schedules, "ssm": _parameters}
