"""Features from SageMaker Feature Store, by record id, to send to an endpoint.

lookup = FeatureLookup(target, "customers")
record = lookup("C00042") | {"amount": 12.5}     # what the request knows itself comes on top
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from botocore.exceptions import ClientError

from deployment.endpoints import is_missing
from project.errors import UserError
from project.target import Target

_TYPES = {"Integral": int, "Fractional": float, "String": str}


class FeatureLookup:
    """Reads records of one feature group from its online store."""

    def __init__(self, target: Target, feature_group: str, leave_out: Collection[str] = ()) -> None:
        """leave_out: features that are no input of the model; record identifier and event time never are.

        Raises:
            UserError: there is no such group, or it has no online store.
        """
        try:
            description = target.sagemaker.describe_feature_group(FeatureGroupName=feature_group)
        except ClientError as error:
            if is_missing(error):
                raise UserError(f"there is no feature group {feature_group!r}; check its name and --region") from None
            raise
        if not description.get("OnlineStoreConfig", {}).get("EnableOnlineStore"):
            raise UserError(f"feature group {feature_group!r} has no online store to look records up in")
        self._client = target.feature_store
        self._group = feature_group
        no_input = {description["RecordIdentifierFeatureName"], description["EventTimeFeatureName"], *leave_out}
        self._types = {
            definition["FeatureName"]: definition["FeatureType"]
            for definition in description["FeatureDefinitions"]
            if definition["FeatureName"] not in no_input
        }

    def __call__(self, record_id: str) -> dict[str, Any]:
        """The record's features, in their types; a feature that the record lacks is None: missing to the model.

        Raises:
            UserError: the group holds no such record, or it has expired.
        """
        answer = self._client.get_record(FeatureGroupName=self._group, RecordIdentifierValueAsString=record_id)
        values = {item["FeatureName"]: item for item in answer.get("Record", ())}
        if not values:
            raise UserError(f"feature group {self._group!r} has no record {record_id!r}")
        return {name: _value(values.get(name), self._types[name]) for name in self._types}


def _value(item: Mapping[str, Any] | None, kind: str) -> Any:
    """A feature of GetRecord's answer, which has text for all types, as its definition says."""
    if item is None:
        return None
    if "ValueAsStringList" in item:
        return [_TYPES[kind](text) for text in item["ValueAsStringList"]]
    return _TYPES[kind](item["ValueAsString"])
