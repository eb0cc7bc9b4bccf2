"""Constraints that people have edited: copies in S3 by number, each with the baseline's constraints it came from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from monitoring import s3_objects
from monitoring.schedule import Schedule
from monitoring.watched import Baseline, Watched
from project.errors import UserError
from project.s3_uris import split_s3_uri
from project.settings import Settings
from project.target import Target

Document = dict[str, Any]

# metadata of a copy's object
_ORIGIN = "baseline-constraints"
_TEXT = ("String",)


def constraints_folder(settings: Settings, target: Target, analysis: str) -> str:
    return f"{settings.uri(target.bucket)}/constraints/{analysis}"


def read_constraints(target: Target, uri: str) -> Document:
    """Raises:
    UserError: there is no such object.
    """
    document = s3_objects.read_json(target, uri)
    if document is None:
        raise UserError(f"the constraints {uri} are not there; `schedule create` takes those of the model again")
    return document


def edit_features(document: Document, features: Sequence[str] | None, threshold: float) -> Document:
    """Constraints of data quality with another drift threshold, for some features, or for all (None).

    Raises:
        UserError: there is no such feature.
    """
    if features is None:
        config = document.get("monitoring_config", {})
        distribution = {**config.get("distribution_constraints", {}), **_thresholds(threshold)}
        changed = [_without_thresholds(feature) for feature in document["features"]]
        return document | {
            "features": changed,
            "monitoring_config": config | {"distribution_constraints": distribution},
        }
    known = [feature["name"] for feature in document["features"]]
    for name in features:
        if name not in known:
            raise UserError(f"there is no feature {name!r} in the constraints; there are {', '.join(known)}")
    return document | {
        "features": [
            _with_threshold(feature, threshold) if feature["name"] in features else feature
            for feature in document["features"]
        ]
    }


def edit_metric(document: Document, metric: str, threshold: float) -> Document:
    """Constraints of model quality with another threshold for a metric.

    Raises:
        UserError: there is no such metric.
    """
    ((section, metrics),) = _metric_sections(document).items()
    if metric not in metrics:
        raise UserError(f"there is no metric {metric!r} in the constraints; there are {', '.join(metrics)}")
    return document | {section: metrics | {metric: metrics[metric] | {"threshold": threshold}}}


def metric_thresholds(document: Document) -> dict[str, Mapping[str, Any]]:
    """Threshold and comparison operator by metric."""
    return {name: entry for metrics in _metric_sections(document).values() for name, entry in metrics.items()}


def drift_threshold(document: Document, feature: Mapping[str, Any]) -> float | None:
    """The distance from which a feature counts as drifted; None where it is not compared."""
    config = document.get("monitoring_config", {}).get("distribution_constraints", {})
    own = feature.get("monitoring_config_overrides", {}).get("distribution_constraints", {})
    effective = config | own
    if effective.get("perform_comparison") == "Disabled":
        return None
    categorical = feature.get("inferred_type") in _TEXT and "categorical_comparison_threshold" in effective
    return float(effective.get("categorical_comparison_threshold" if categorical else "comparison_threshold", 0.1))


def put_version(settings: Settings, target: Target, analysis: str, document: Document, edited_from: str) -> str:
    """Check an edited document and put it under the next number; its URI.

    edited_from: the URI of what was edited.

    Raises:
        UserError: the document is not one that the analyzer reads.
    """
    if analysis == "data-quality":
        _check(document)
    folder = constraints_folder(settings, target, analysis)
    numbers = [
        int(Path(item["Key"]).stem) for item in s3_objects.find(target, f"{folder}/") if _is_version(item["Key"])
    ]
    uri = f"{folder}/{max(numbers, default=0) + 1}.json"
    bucket, key = split_s3_uri(uri)
    target.s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=json.dumps(document, indent=2, ensure_ascii=False).encode(),
        Metadata={_ORIGIN: origin(target, edited_from)},
        **settings.security.object_encryption,
    )
    return uri


def origin(target: Target, uri: str) -> str:
    """The constraints of a baseline that others came from by editing; the given ones where those are a baseline's."""
    bucket, key = split_s3_uri(uri)
    try:
        metadata: dict[str, str] = target.s3.head_object(Bucket=bucket, Key=key)["Metadata"]
    except ClientError as error:
        if s3_objects.is_missing(error):
            return uri
        raise
    return metadata.get(_ORIGIN, uri)


def keep_edited(target: Target, watched: Watched, before: Sequence[Schedule]) -> Watched:
    """What is watched, with the constraints that a schedule has now where they are edited ones of the same baseline."""
    baselines = dict(watched.baselines)
    for schedule in before:
        for analysis, now in schedule.baselines.items():
            new = baselines.get(analysis)
            if new and now.constraints != new.constraints and origin(target, now.constraints) == new.constraints:
                baselines[analysis] = Baseline(new.statistics, now.constraints)
    return replace(watched, baselines=baselines)


def _check(document: Document) -> None:
    # the analyzer takes a while to import
    from analyzer import QualityError
    from analyzer.files import json_files
    from analyzer.files.constraints_file import read_constraints

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, json_files.CONSTRAINTS)
        path.write_text(json.dumps(document), encoding="utf-8")
        try:
            read_constraints(path)
        except QualityError as error:
            raise UserError(f"the edited constraints are not valid: {str(error).removeprefix(f'{path}: ')}") from None


def _is_version(key: str) -> bool:
    return Path(key).suffix == ".json" and Path(key).stem.isdecimal()


def _thresholds(threshold: float) -> dict[str, float]:
    return {"comparison_threshold": threshold, "categorical_comparison_threshold": threshold}


def _with_threshold(feature: Document, threshold: float) -> Document:
    overrides = feature.get("monitoring_config_overrides", {})
    distribution = overrides.get("distribution_constraints", {}) | _thresholds(threshold)
    return feature | {"monitoring_config_overrides": overrides | {"distribution_constraints": distribution}}


def _without_thresholds(feature: Document) -> Document:
    """A feature whose own thresholds, if it has any, give way to the one for all."""
    overrides = feature.get("monitoring_config_overrides")
    if not overrides:
        return feature
    distribution = overrides.get("distribution_constraints", {})
    left = {key: value for key, value in distribution.items() if key not in _thresholds(0)}
    kept = {key: value for key, value in overrides.items() if key != "distribution_constraints"}
    if left:
        kept["distribution_constraints"] = left
    changed = {key: value for key, value in feature.items() if key != "monitoring_config_overrides"}
    return changed | ({"monitoring_config_overrides": kept} if kept else {})


def _metric_sections(document: Document) -> Document:
    return {key: value for key, value in document.items() if key.endswith("_constraints")}
