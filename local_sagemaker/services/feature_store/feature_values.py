"""Values of features: which are valid for a type, the times they state, and how they are stored.

AWS documents the types and formats, but not all messages; those that are not documented are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record

Values = dict[str, str | list[str]]

_SECONDS = {"Seconds": 1, "Minutes": 60, "Hours": 3600, "Days": 86400, "Weeks": 7 * 86400}
# the formats that Feature Store accepts for an event time of type String: yyyy-MM-dd'T'HH:mm:ssZ and ...ss.SSSZ
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(Z|[+-]\d\d:?\d\d)")
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_LARGEST_INTEGER = 2**63 - 1
# from 1970-01-01T00:00:00Z to 9999-12-31T23:59:59Z
_LATEST_TIME = 253402300799


def invalid(message: str) -> ServiceError:
    """Return the error for a request that the feature group does not accept."""
    return ServiceError("ValidationError", f"Validation Error: {message}")


def checked_values(group: Record, features: list[Record]) -> Values:
    """Return the values of a record by feature name.

    Args:
        group: The record of the feature group.
        features: FeatureValue structures.

    Raises:
        ServiceError: A feature is not one of the group, occurs twice, or has a value of another type.
    """
    definitions = {definition["FeatureName"]: definition for definition in group["FeatureDefinitions"]}
    values: Values = {}
    for feature in features:
        name = feature["FeatureName"]
        if name not in definitions:
            raise invalid(f"Feature [{name}] is not defined in FeatureGroup [{group['FeatureGroupName']}]")
        if name in values:
            raise invalid(f"Feature [{name}] occurs more than once in the record")
        if ("ValueAsString" in feature) == ("ValueAsStringList" in feature):
            raise invalid(f"Feature [{name}] must have either ValueAsString or ValueAsStringList")
        values[name] = _checked(definitions[name], feature)
    return values


def identifier(group: Record, values: Values) -> str:
    """Return the value of the record identifier. Raises ServiceError if it is missing."""
    return _required(group["RecordIdentifierFeatureName"], values, "record identifier")


def event_time(group: Record, text: str) -> float:
    """Return an event time in epoch seconds.

    Raises:
        ServiceError: It is not in a format that the type of the group's event time feature has.
    """
    name = group["EventTimeFeatureName"]
    kind = next(item["FeatureType"] for item in group["FeatureDefinitions"] if item["FeatureName"] == name)
    seconds = _number(text) if kind == "Fractional" else _iso_seconds(text)
    if seconds is None or not 0 <= seconds < _LATEST_TIME + 1:
        form = (
            "a Unix timestamp in seconds"
            if kind == "Fractional"
            else "in the ISO-8601 format yyyy-MM-dd'T'HH:mm:ssZ or yyyy-MM-dd'T'HH:mm:ss.SSSZ"
        )
        raise invalid(f"EventTime [{text[:100]}] of feature [{name}] must be {form}, from 1970 to 9999")
    return seconds


def record_event_time(group: Record, values: Values) -> float:
    """Return the event time of a record in epoch seconds. Raises ServiceError if it is missing or invalid."""
    return event_time(group, _required(group["EventTimeFeatureName"], values, "event time"))


def expiration(group: Record, ttl: Mapping[str, Any] | None, time: float) -> float | None:
    """Return when a record expires, in epoch seconds: its TtlDuration, or the group's, after its event time."""
    ttl = ttl or group.get("OnlineStoreConfig", {}).get("TtlDuration")
    return time + ttl["Value"] * _SECONDS[ttl["Unit"]] if ttl else None


def feature_list(values: Values) -> list[Record]:
    """Return values as FeatureValue structures."""
    return [
        {"FeatureName": name, "ValueAsStringList" if isinstance(value, list) else "ValueAsString": value}
        for name, value in values.items()
    ]


def iso_expiration(seconds: float) -> str:
    """Format the time of an expiration as GetRecord does."""
    return datetime.fromtimestamp(min(seconds, _LATEST_TIME), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _required(name: str, values: Values, role: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"the record lacks a value of its {role} feature [{name}]")
    return value


def _checked(definition: Record, feature: Record) -> str | list[str]:
    name, kind, collection = definition["FeatureName"], definition["FeatureType"], definition.get("CollectionType")
    if collection is None:
        if "ValueAsString" not in feature:
            raise invalid(f"Feature [{name}] has no CollectionType and takes ValueAsString")
        return _checked_text(name, kind, feature["ValueAsString"])
    if "ValueAsStringList" not in feature:
        raise invalid(f"Feature [{name}] is a {collection} and takes ValueAsStringList")
    items = [_checked_text(name, kind, text) for text in feature["ValueAsStringList"]]
    if collection == "Vector":
        dimension = definition["CollectionConfig"]["VectorConfig"]["Dimension"]
        if len(items) != dimension:
            raise invalid(f"Feature [{name}] is a Vector of dimension {dimension}, and the value has {len(items)}")
    # a Set keeps no duplicates
    return list(dict.fromkeys(items)) if collection == "Set" else items


def _checked_text(name: str, kind: str, text: str) -> str:
    if kind == "Integral" and not (_INTEGER.fullmatch(text) and abs(int(text)) <= _LARGEST_INTEGER):
        raise invalid(f"Feature [{name}] has type Integral, and its value [{text[:100]}] is not a 64-bit integer")
    if kind == "Fractional" and _number(text) is None:
        raise invalid(f"Feature [{name}] has type Fractional, and its value [{text[:100]}] is not a number")
    return text


def _iso_seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if _ISO_TIME.fullmatch(text) else None
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        # Python's own digit separator
        return None if "_" in text else float(text)
    except ValueError:
        return None
