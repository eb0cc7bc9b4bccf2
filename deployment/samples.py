"""Records that the evaluation of a model predicted, with its predictions: an endpoint must answer the same."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment.endpoints import ServedVariant
from pipelines.results import registered_outputs
from project.errors import UserError
from project.registry import describe_package
from project.s3_uris import split_s3_uri
from project.target import Target

# of numbers: what another processor may round otherwise
TOLERANCE = 1e-12


@dataclass(frozen=True)
class EvaluationSamples:
    """Samples of the evaluation of the model that a variant serves.

    Attributes:
        variant: The variant's name.
        version: The version of its model package.
        records: Features by name, as clients send them.
        predictions: What the endpoint must answer to each record.
        reason: Why there are no samples; empty if there are.
    """

    variant: str
    version: str
    records: Sequence[Mapping[str, Any]] = ()
    predictions: Sequence[Mapping[str, Any]] = ()
    reason: str = ""


def find_samples(target: Target, variants: Sequence[ServedVariant]) -> list[EvaluationSamples]:
    """Read the samples of each variant's model: samples.jsonl of Evaluate in the execution that registered it.

    Raises:
        UserError: A file of samples is not of the expected form.
    """
    return [_samples_of(target, variant) for variant in variants]


def difference(expected: Any, found: Any, place: str = "") -> str:
    """Describe the first difference of two JSON values, of which numbers may differ by TOLERANCE.

    Returns:
        A sentence without a period; empty without a difference.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        names = dict.fromkeys([*expected, *found])
        inner = (difference(expected.get(name), found.get(name), f"{place}.{name}") for name in names)
        return next(filter(None, inner), "")
    if _is_number(expected) and _is_number(found):
        if math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            return ""
    elif type(expected) is type(found) and expected == found:
        return ""
    return f"{place.lstrip('.') or 'it'} is {json.dumps(found)}, the evaluation has {json.dumps(expected)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _samples_of(target: Target, variant: ServedVariant) -> EvaluationSamples:
    name, version = variant.name, variant.version
    if not variant.package:
        return EvaluationSamples(name, version, reason="the model package is unknown")
    try:
        outputs = registered_outputs(target, describe_package(variant.package, target), "Evaluate")
    except ClientError:
        outputs = {}
    if not outputs:
        return EvaluationSamples(name, version, reason=f"the execution that registered version {version} was not found")
    bucket, key = split_s3_uri(f"{outputs['evaluation']}/samples.jsonl")
    try:
        text = target.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode("utf-8")
    except target.s3.exceptions.NoSuchKey:
        return EvaluationSamples(name, version, reason=f"the evaluation of version {version} has no samples")
    try:
        samples = [json.loads(line) for line in text.splitlines()]
        records = [sample["record"] for sample in samples]
        return EvaluationSamples(name, version, records, [sample["prediction"] for sample in samples])
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"s3://{bucket}/{key} is not a file of samples; expected a JSON object with record and prediction per line"
        ) from None
