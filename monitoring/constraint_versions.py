"""Edited constraints: numbered copies in S3, each with a reference to the baseline constraints it was made from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from monitoring import s3_objects
from monitoring.monitored_endpoint import Baseline, MonitoredEndpoint
from monitoring.schedule import Schedule
from project.errors import UserError, is_not_found
from project.s3_uris import split_s3_uri
from project.settings import Settings
from project.target import Target

Document = dict[str, Any]

# metadata key of a copy's object
_BASELINE_CONSTRAINTS = "baseline-constraints"


def constraints_folder(settings: Settings, target: Target, analysis: str) -> str:
    return f"{settings.uri(target.bucket)}/constraints/{analysis}"


def read_constraints(target: Target, uri: str) -> Document:
    """Read a constraints document.

    Raises:
        UserError: The object does not exist.
    """
    document = s3_objects.read_json(target, uri)
    if document is None:
        raise UserError(
            f"constraints {uri} not found; reset them to the model's with `python -m monitoring schedule create`"
        )
    return document


def edit_features(document: Document, features: Sequence[str] | None, threshold: float) -> Document:
    """Change the drift threshold in data quality constraints, of some features or of all (None).

    Raises:
        UserError: The feature does not exist.
    """
    if features is None:
        config = document.get("monitoring_config", {})
        distribution = {**config.get("distribution_constraints", {}), **_thresholds(threshold)}
        changed = [_without_thresholds(feature) for feature in document["features"]]
        return document | {
            "features": changed,
            "monitoring_config": config | {"distribution_constraints": distribution},
        }
    known, wanted = dict.fromkeys(feature["name"] for feature in document["features"]), set(features)
    for name in features:
        if name not in known:
            raise UserError(f"no feature {name!r} in the constraints; the features are {', '.join(known)}")
    return document | {
        "features": [
            _with_threshold(feature, threshold) if feature["name"] in wanted else feature
            for feature in document["features"]
        ]
    }


def edit_metric(document: Document, metric: str, threshold: float) -> Document:
    """Change the threshold of a metric in model quality constraints.

    Raises:
        UserError: The metric does not exist.
    """
    ((section, metrics),) = _metric_sections(document).items()
    if metric not in metrics:
        raise UserError(f"no metric {metric!r} in the constraints; the metrics are {', '.join(metrics)}")
    return document | {section: metrics | {metric: metrics[metric] | {"threshold": threshold}}}


def metric_thresholds(document: Document) -> dict[str, Mapping[str, Any]]:
    """Return threshold and comparison operator by metric."""
    return {name: entry for metrics in _metric_sections(document).values() for name, entry in metrics.items()}


def drift_threshold(document: Document, feature: Mapping[str, Any]) -> float | None:
    """Return the distance above which a feature has drifted; None if it is not compared."""
    config = document.get("monitoring_config", {}).get("distribution_constraints", {})
    own = feature.get("monitoring_config_overrides", {}).get("distribution_constraints", {})
    effective = config | own
    if effective.get("perform_comparison") == "Disabled":
        return None
    categorical = feature.get("inferred_type") == "String" and "categorical_comparison_threshold" in effective
    return float(effective.get("categorical_comparison_threshold" if categorical else "comparison_threshold", 0.1))


def put_version(settings: Settings, target: Target, analysis: str, document: Document, edited_from: str) -> str:
    """Validate an edited document and put it under the next number.

    Args:
        settings: The project's settings.
        target: Where to put it.
        analysis: "data-quality" or "model-quality".
        document: The edited constraints.
        edited_from: S3 URI of the constraints that were edited.

    Returns:
        The S3 URI of the copy.

    Raises:
        UserError: The analyzer can't read the document.
    """
    if analysis == "data-quality":
        _validate(document)
    folder = constraints_folder(settings, target, analysis)
    numbers = [
        int(Path(item["Key"]).stem)
        for item in s3_objects.list_objects(target, f"{folder}/")
        if _is_version(item["Key"])
    ]
    uri = f"{folder}/{max(numbers, default=0) + 1}.json"
    bucket, key = split_s3_uri(uri)
    target.s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=json.dumps(document, indent=2, ensure_ascii=False).encode(),
        Metadata={_BASELINE_CONSTRAINTS: baseline_constraints(target, edited_from)},
        **settings.security.object_encryption,
    )
    return uri


def baseline_constraints(target: Target, uri: str) -> str:
    """Return the URI of the baseline constraints that `uri` was edited from; `uri` itself if it is a baseline's."""
    bucket, key = split_s3_uri(uri)
    try:
        metadata: dict[str, str] = target.s3.head_object(Bucket=bucket, Key=key)["Metadata"]
    except ClientError as error:
        if is_not_found(error):
            return uri
        raise
    return metadata.get(_BASELINE_CONSTRAINTS, uri)


def keep_edited(target: Target, endpoint: MonitoredEndpoint, schedules: Sequence[Schedule]) -> MonitoredEndpoint:
    """Replace the endpoint's constraints by those of existing schedules that were edited from them."""
    baselines = dict(endpoint.baselines)
    for schedule in schedules:
        for analysis, used in schedule.baselines.items():
            own = baselines.get(analysis)
            if own and baseline_constraints(target, used.constraints) == own.constraints:
                baselines[analysis] = Baseline(own.statistics, used.constraints)
    return replace(endpoint, baselines=baselines)


def _validate(document: Document) -> None:
    # imported late: the analyzer takes a while to import
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
    """Remove a feature's own thresholds, so that the one for all features applies."""
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
