"""Looks up features in SageMaker Feature Store by record id, to send them to an endpoint.

lookup = FeatureLookup(target, "customers")
record = lookup("C00042") | {"amount": 12.5}     # features of the request override stored ones
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from botocore.exceptions import ClientError

from project.errors import UserError, is_not_found
from project.target import Target

_TYPES = {"Integral": int, "Fractional": float, "String": str}


class FeatureLookup:
    """Reads records of one feature group from its online store."""

    def __init__(self, target: Target, feature_group: str, leave_out: Collection[str] = ()) -> None:
        """Describe the feature group.

        Args:
            target: Where the group is.
            feature_group: Name of the group.
            leave_out: Features that are not inputs of the model, beside the record identifier and the event time.

        Raises:
            UserError: The feature group does not exist, or it has no online store.
        """
        try:
            description = target.sagemaker.describe_feature_group(FeatureGroupName=feature_group)
        except ClientError as error:
            if is_not_found(error):
                raise UserError(f"there is no feature group {feature_group!r}; check its name and --region") from None
            raise
        if not description.get("OnlineStoreConfig", {}).get("EnableOnlineStore"):
            raise UserError(f"feature group {feature_group!r} has no online store; give the features with --record")
        self._client = target.feature_store
        self._group = feature_group
        not_inputs = {description["RecordIdentifierFeatureName"], description["EventTimeFeatureName"], *leave_out}
        self._types = {
            definition["FeatureName"]: definition["FeatureType"]
            for definition in description["FeatureDefinitions"]
            if definition["FeatureName"] not in not_inputs
        }

    def __call__(self, record_id: str) -> dict[str, Any]:
        """Return a record's features; None for a feature that the record lacks, which the model treats as missing.

        Raises:
            UserError: The group has no such record, or it has expired.
        """
        response = self._client.get_record(FeatureGroupName=self._group, RecordIdentifierValueAsString=record_id)
        values = {item["FeatureName"]: item for item in response.get("Record", ())}
        if not values:
            raise UserError(f"feature group {self._group!r} has no record {record_id!r}; check --record-id")
        return {name: _value(values.get(name), self._types[name]) for name in self._types}


def _value(item: Mapping[str, Any] | None, kind: str) -> Any:
    """Convert a value of GetRecord, which returns strings for all types."""
    if item is None:
        return None
    if "ValueAsStringList" in item:
        return [_TYPES[kind](text) for text in item["ValueAsStringList"]]
    return _TYPES[kind](item["ValueAsString"])
