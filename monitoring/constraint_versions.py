"""Copies of a baseline's constraints in S3, each with a reference to the constraints it was made from.

`schedule create` makes one with the settings' tolerances, which both backends then check; `constraints edit` makes
numbered ones.
"""

from __future__ import annotations

import hashlib
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
    wanted = _known_features(document, features)
    return document | {
        "features": [
            _with_threshold(feature, threshold) if feature["name"] in wanted else feature
            for feature in document["features"]
        ]
    }


def edit_completeness(document: Document, features: Sequence[str] | None, share: float) -> Document:
    """Change the share of the records that must have a value, of some features or of all (None).

    Raises:
        UserError: The feature does not exist.
    """
    wanted = _known_features(document, features)
    return document | {
        "features": [
            feature | {"completeness": share} if feature["name"] in wanted else feature
            for feature in document["features"]
        ]
    }


def edit_metric(document: Document, metric: str, threshold: float) -> Document:
    """Change the threshold of a metric in model quality constraints.

    Raises:
        UserError: The metric does not exist.
    """
    return _with_metrics(document, {metric: threshold})


def edit_loss(document: Document, baseline: Document, metric: str | None, loss: float) -> Document:
    """Let a metric, or all metrics (None), be worse than in the baseline constraints by at most the loss.

    Raises:
        UserError: The metric does not exist.
    """
    own = metric_thresholds(baseline)
    names = list(own) if metric is None else [metric]
    return _with_metrics(document, {name: _worse(own[name], loss) if name in own else 0.0 for name in names})


def _worse(entry: Mapping[str, Any], loss: float) -> float:
    below = entry["comparison_operator"] == "LessThanThreshold"
    return round(entry["threshold"] + (-loss if below else loss), 6)


def _with_metrics(document: Document, thresholds: Mapping[str, float]) -> Document:
    ((section, metrics),) = _metric_sections(document).items()
    for name in thresholds:
        if name not in metrics:
            raise UserError(f"no metric {name!r} in the constraints; the metrics are {', '.join(metrics)}")
    changed = {name: metrics[name] | {"threshold": threshold} for name, threshold in thresholds.items()}
    return document | {section: metrics | changed}


def differences(before: Document, after: Document) -> list[dict[str, Any]]:
    """List what an edit has changed: the subject (feature or metric), the constraint, its old and its new value."""
    pairs = _values(before), _values(after)
    return [
        {"subject": subject, "constraint": constraint, "from": pairs[0].get((subject, constraint)), "to": value}
        for (subject, constraint), value in pairs[1].items()
        if pairs[0].get((subject, constraint)) != value
    ]


def _values(document: Document) -> dict[tuple[str, str], float | None]:
    if "features" not in document:
        return {(name, "threshold"): entry["threshold"] for name, entry in metric_thresholds(document).items()}
    values: dict[tuple[str, str], float | None] = {}
    for feature in document["features"]:
        values[feature["name"], "drift threshold"] = drift_threshold(document, feature)
        values[feature["name"], "completeness"] = feature.get("completeness")
    return values


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


def _known_features(document: Document, features: Sequence[str] | None) -> set[str]:
    """Return the features as a set, of None all of them."""
    known = dict.fromkeys(feature["name"] for feature in document["features"])
    for name in features or ():
        if name not in known:
            raise UserError(f"no feature {name!r} in the constraints; the features are {', '.join(known)}")
    return set(known if features is None else features)


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
    put_copy(settings, target, uri, document, baseline_constraints(target, edited_from))
    return uri


def put_copy(settings: Settings, target: Target, uri: str, document: Document, baseline: str) -> None:
    """Put a document with a reference to the file of the baseline that it was made from."""
    bucket, key = split_s3_uri(uri)
    target.s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=json.dumps(document, indent=2, ensure_ascii=False).encode(),
        Metadata={_BASELINE_CONSTRAINTS: baseline},
        **settings.security.object_encryption,
    )


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


def with_constraints(
    settings: Settings, target: Target, endpoint: MonitoredEndpoint, schedules: Sequence[Schedule]
) -> MonitoredEndpoint:
    """Replace the endpoint's constraints by copies with tolerances, or by those that were edited for its schedules.

    Baselines of bias and attribution, which have no constraints to edit, stay as they are.
    """
    edited = {
        (analysis, baseline_constraints(target, used.constraints)): used.constraints
        for schedule in schedules
        for analysis, used in schedule.baselines.items()
        if _is_version(used.constraints)
    }
    baselines = {
        analysis: replace(
            own,
            constraints=edited.get((analysis, own.constraints)) or _put_tolerant(settings, target, analysis, own),
        )
        for analysis, own in endpoint.baselines.items()
        if own.statistics
    }
    return replace(endpoint, baselines={**endpoint.baselines, **baselines})


def _put_tolerant(settings: Settings, target: Target, analysis: str, baseline: Baseline) -> str:
    """Put the constraints with the settings' tolerances; returns their URI, the baseline's own if they are the same.

    The name is that of the content, so that the same constraints are one object.
    """
    # imported late: the analyzer takes a while to import
    from analyzer.constraints.tolerance import tolerate_chance, tolerate_records

    document, monitoring = read_constraints(target, baseline.constraints), settings.monitoring
    if analysis == "data-quality":
        tolerant = tolerate_records(document, monitoring.record_tolerance)
    else:
        statistics = s3_objects.read_json(target, baseline.statistics) or {}
        tolerant = tolerate_chance(
            document, statistics, settings.problem_type, monitoring.metric_tolerance, monitoring.labels_per_window
        )
    if tolerant == document:
        return baseline.constraints
    content = hashlib.sha256(json.dumps([baseline.constraints, tolerant]).encode()).hexdigest()[:12]
    uri = f"{constraints_folder(settings, target, analysis)}/tolerance-{content}.json"
    put_copy(settings, target, uri, tolerant, baseline.constraints)
    return uri


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
