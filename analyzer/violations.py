"""Violations in sentences: those of one cause in one, with the numbers that a reader can use.

constraint_violations.json has one entry a feature, with all digits of a double. Here 28 features that one incomplete
request lacks are one group. The numbers come from the descriptions, which are the same in Model Monitor's own files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from analyzer.number_text import distinct, percent, rounded

NAMED = 10
# SageMaker's limit for exit messages and failure reasons.
MESSAGE_LENGTH = 1024

_SHARES = re.compile(r"Expected(?: match)?: (?P<expected>[\d.eE+-]+)%\. Observed: Only (?P<observed>[\d.eE+-]+)%")
_DRIFT = re.compile(r"distance: (?P<distance>[\d.eE+-]+) exceeds threshold: (?P<threshold>[\d.eE+-]+)")
_TYPE = re.compile(r"Expected data type: (?P<type>\w+)")
_UNKNOWN = re.compile(r"\(unknown: (?P<values>.*)\)")
_COLUMNS = re.compile(r"\((?:missing|extra): (?P<columns>.*)\)")
_METRIC = re.compile(r"Metric (?P<name>\S+) with (?P<value>\S+) was (?P<operator>\w+) '(?P<threshold>\S+)'")
_LONG_NUMBER = re.compile(r"\d+\.\d{4,}(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class ViolationGroup:
    """Violations of one cause.

    Attributes:
        check: Model Monitor's constraint_check_type.
        subjects: The features or metrics, the most important first.
        text: A sentence without its full stop, with the numbers and the first subjects.
        values: Unknown categories, which are data and may go into reports but not into logs; empty for other checks.
    """

    check: str
    subjects: tuple[str, ...]
    text: str
    values: str = ""


@dataclass(frozen=True)
class _Member:
    subject: str
    description: str
    values: Mapping[str, str]


def group_violations(
    violations: Iterable[tuple[str, str, str]], records: int | None = None, ranking: Sequence[str] = ()
) -> tuple[ViolationGroup, ...]:
    """Group violations by their cause.

    Args:
        violations: Feature or metric, constraint_check_type and description of each.
        records: Number of analyzed records, if known.
        ranking: Features, the most important first; others follow in the order of the violations.

    Returns:
        The groups: those of columns first, then in the order of their most important feature.
    """
    rank = {name: index for index, name in enumerate(ranking)}

    def place(violation: tuple[str, str, str]) -> int:
        # Checks of columns have no feature; they explain the most.
        return -1 if violation[1].endswith("_column_check") else rank.get(violation[0], len(rank))

    found = sorted(violations, key=place)
    groups: dict[tuple[str, ...], list[_Member]] = {}
    for subject, check, description in found:
        key, values = _cause(check, description)
        groups.setdefault((check, *key), []).append(_Member(subject, description, values))
    return tuple(
        ViolationGroup(
            check,
            tuple(member.subject for member in members),
            _TEXTS.get(check, _other)(members, records),
            members[0].values.get("values", ""),
        )
        for (check, *_), members in groups.items()
    )


def named_violations(message: str, groups: Sequence[ViolationGroup], file: str, limit: int = MESSAGE_LENGTH) -> str:
    """Add to a message a sentence for every group, as many as fit within the limit, and where the others are."""
    for shown in range(len(groups), -1, -1):
        rest = sum(len(group.subjects) for group in groups[shown:])
        end = [f"And {rest} more violations, see {file}."] if rest else []
        text = " ".join([message, *(f"{_capitalized(group.text)}." for group in groups[:shown]), *end])
        if len(text) <= limit:
            break
    return text


def _capitalized(text: str) -> str:
    # Not names of features and metrics, such as auc, which are spelled as they are.
    return text[:1].upper() + text[1:] if text.startswith(("missing columns", "extra columns")) else text


def _cause(check: str, description: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return what violations of one cause have in common, and the numbers of this one."""
    values: dict[str, str] = {}
    for pattern in (_SHARES, _DRIFT, _TYPE, _UNKNOWN, _COLUMNS, _METRIC):
        if match := pattern.search(description):
            values |= match.groupdict()
    if check == "baseline_drift_check" and "distance" in values:
        return (values["threshold"],), values
    if check in ("completeness_check", "data_type_check") and "observed" in values:
        return (values["expected"], values["observed"], values.get("type", "")), values
    return (description,), values


def _incomplete(members: Sequence[_Member], records: int | None) -> str:
    first = members[0].values
    if "observed" not in first:
        return _other(members, records)
    missing = 1 - float(first["observed"]) / 100
    share, allowed = distinct(percent, missing, 1 - float(first["expected"]) / 100)
    count = f"{round(missing * records):,} of {records:,}; " if records else ""
    verb = "is" if len(members) == 1 else "are"
    subject = "" if len(members) == 1 else f": {_names(members)}"
    which = members[0].subject if len(members) == 1 else f"{len(members)} features"
    return f"{which} {verb} missing in {share} of the records ({count}at most {allowed}){subject}"


def _drifted(members: Sequence[_Member], records: int | None) -> str:
    if "distance" not in members[0].values:
        return _other(members, records)
    limit = members[0].values["threshold"]
    if len(members) == 1:
        distance, threshold = distinct(rounded, members[0].values["distance"], limit)
        return f"{members[0].subject} drifted: distance {distance} (at most {threshold})"
    names = [f"{member.subject} {distinct(rounded, member.values['distance'], limit)[0]}" for member in members]
    return f"{len(members)} features drifted (distance at most {rounded(limit)}): {_capped(names)}"


def _wrong_type(members: Sequence[_Member], records: int | None) -> str:
    first = members[0].values
    if not {"observed", "type"} <= first.keys():
        return _other(members, records)
    share, needed = distinct(percent, *(float(first[name]) / 100 for name in ("observed", "expected")))
    return f"{_names(members)}: only {share} of the values are {first['type']} (at least {needed})"


def _unknown_values(members: Sequence[_Member], records: int | None) -> str:
    values = members[0].values
    if "observed" not in values:
        return _other(members, records)
    unknown, allowed = distinct(percent, *(1 - float(values[name]) / 100 for name in ("observed", "expected")))
    return f"{_names(members)}: {unknown} of the values are unknown categories (at most {allowed})"


def _columns(members: Sequence[_Member], records: int | None) -> str:
    columns = members[0].values.get("columns")
    return f"{members[0].subject.lower()}: {columns}" if columns else _other(members, records)


def _metric(members: Sequence[_Member], records: int | None) -> str:
    values = members[0].values
    if "operator" not in values:
        return _other(members, records)
    bound = "at least" if values["operator"].startswith("Less") else "at most"
    value, threshold = distinct(rounded, values["value"], values["threshold"])
    return f"{members[0].subject} is {value} ({bound} {threshold})"


def _other(members: Sequence[_Member], records: int | None) -> str:
    description = _LONG_NUMBER.sub(lambda match: rounded(match[0]), members[0].description)
    return f"{_names(members)}: {description}"


_TEXTS: dict[str, Callable[[Sequence[_Member], int | None], str]] = {
    "missing_column_check": _columns,
    "extra_column_check": _columns,
    "data_type_check": _wrong_type,
    "completeness_check": _incomplete,
    "categorical_values_check": _unknown_values,
    "baseline_drift_check": _drifted,
    "LessThanThreshold": _metric,
    "GreaterThanThreshold": _metric,
}


def _names(members: Sequence[_Member]) -> str:
    return _capped([member.subject for member in members])


def _capped(names: Sequence[str]) -> str:
    """Join the first names, and count the others."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
