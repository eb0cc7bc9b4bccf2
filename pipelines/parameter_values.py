"""Validation of parameter values, before an execution starts and its jobs cost anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter, ValidationError

from pipelines.inputs import input_data_type
from project.errors import UserError
from project.s3_uris import is_s3_uri, split_s3_uri
from project.settings import ResourceSettings, TrainingSettings, TuningSettings
from project.settings.quality import needed_threshold
from project.target import Target


def check_parameters(values: Mapping[str, str], declared: Mapping[str, Mapping[str, Any]]) -> None:
    """Check values against the parameters of a definition, by name.

    Raises:
        UserError: A parameter is unknown, or its value is not allowed or of the wrong type.
    """
    for name, value in values.items():
        if name not in declared:
            raise UserError(f"unknown parameter {name!r}; the pipeline has {', '.join(declared)}")
        declaration = declared[name]
        allowed = declaration.get("EnumValues")
        if allowed and value not in allowed:
            raise UserError(f"parameter {name} is {value!r}; it must be one of {', '.join(allowed)}")
        if not _has_type(value, declaration["Type"]):
            raise UserError(f"parameter {name} is {value!r}; it must be of type {declaration['Type']}")


def check_ranges(values: Mapping[str, str], metric: str) -> None:
    """Check values of the training pipeline's parameters by the rules of the settings that they replace.

    Args:
        values: By the names of the parameters, of the right types.
        metric: The metric of MetricThreshold.

    Raises:
        UserError: A value is out of range.
    """
    threshold = values.get("MetricThreshold")
    if threshold is not None and (needed := needed_threshold(metric, float(threshold))):
        raise UserError(f"parameter MetricThreshold is {threshold!r}; for {metric} it must be {needed}")
    for name, value in values.items():
        setting = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        # MaxTuningJobs stands for tuning.max_jobs
        setting = setting.replace("_tuning_", "_")
        for section in (TrainingSettings, ResourceSettings, TuningSettings):
            if field := section.model_fields.get(setting):
                rules: Any = Annotated[field.annotation, field]
                try:
                    TypeAdapter(rules).validate_python(value)
                except ValidationError as error:
                    reason = (
                        error.errors()[0]["msg"].replace("Input should", "it must").replace("String should", "it must")
                    )
                    raise UserError(f"parameter {name} is {value!r}; {reason}") from None


def check_input_exists(target: Target, uri: str) -> None:
    """Check that there are objects at the URI of the input data.

    Raises:
        UserError: There are none, or they cannot be listed.
    """
    if not is_s3_uri(uri):
        raise UserError(f"InputDataUri is {uri!r}; it must be an s3:// URI (give a local path with --input)")
    bucket, key = split_s3_uri(uri)
    try:
        count = target.s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("KeyCount", 0)
    except ClientError as error:
        raise UserError(
            f"cannot list {uri}: {error.response['Error']['Code']}; check the bucket and the permissions"
        ) from None
    if not count:
        raise UserError(f"no objects found at {uri}; upload the data or give another location with --input")


def check_input_data_type(uri: str, definition: str) -> None:
    """Check that the input data is a manifest if and only if the pipeline's definition reads one.

    Raises:
        UserError: It is not; the type is no parameter of the pipeline.
    """
    data_type = input_data_type(uri)
    if (data_type == "ManifestFile") != ('"ManifestFile"' in definition):
        kind, other = ("a manifest", "none") if data_type == "ManifestFile" else ("not a manifest", "one")
        raise UserError(
            f"{uri} is {kind}, but the pipeline reads {other}; set data.input to it in the settings instead of --input"
        )


def _has_type(value: str, kind: str) -> bool:
    if kind == "Boolean":
        return value.lower() in ("true", "false")
    try:
        {"Integer": int, "Float": float}.get(kind, str)(value)
    except ValueError:
        return False
    return True
