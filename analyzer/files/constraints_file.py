"""Data quality constraints and violations as Model Monitor's constraints.json and constraint_violations.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.constraints.data_quality import Constraints, FeatureConstraints, Violation, domain_of
from analyzer.drift.comparison import CATEGORICAL_DRIFT_METHODS, COMPARISON_METHODS, MonitoringConfig
from analyzer.files.json_files import describe, read

DISTRIBUTION_FIELDS = (
    "perform_comparison",
    "comparison_threshold",
    "comparison_method",
    "categorical_comparison_threshold",
    "categorical_drift_method",
)
THRESHOLDS = (
    "datatype_check_threshold",
    "domain_content_threshold",
    "comparison_threshold",
    "categorical_comparison_threshold",
)
# Names in AWS's documentation for what its files call Simple and Robust.
COMPARISON_METHOD_ALIASES = {"linf_simple": "Simple", "linf_robust": "Robust"}
ALLOWED = {
    "comparison_method": COMPARISON_METHODS,
    "categorical_drift_method": CATEGORICAL_DRIFT_METHODS,
    "evaluate_constraints": ("Enabled", "Disabled"),
    "emit_metrics": ("Enabled", "Disabled"),
    "perform_comparison": ("Enabled", "Disabled"),
}


def constraints_to_json(constraints: Constraints) -> dict[str, Any]:
    """Return the constraints.json document."""
    return {
        "version": 0.0,
        "features": [_constraint_to_json(feature) for feature in constraints.features],
        "monitoring_config": _nested(vars(constraints.config)),
    }


def _constraint_to_json(feature: FeatureConstraints) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": feature.name,
        "inferred_type": feature.inferred_type,
        "completeness": feature.completeness,
    }
    if feature.is_non_negative is not None:
        document["num_constraints"] = {"is_non_negative": feature.is_non_negative}
    if feature.domains is not None:
        document["string_constraints"] = {"domains": list(feature.domains)}
    if feature.overrides:
        document["monitoring_config_overrides"] = _nested(feature.overrides)
    return document


def _nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """Nest the fields of a monitoring_config as in the file, with those on distributions in an object of their own."""
    document = {name: value for name, value in config.items() if name not in DISTRIBUTION_FIELDS}
    distribution = {name: config[name] for name in DISTRIBUTION_FIELDS if config.get(name) is not None}
    return document | ({"distribution_constraints": distribution} if distribution else {})


def read_constraints(path: Path) -> Constraints:
    """Read a constraints.json of this analyzer or of Model Monitor. Absent settings have Model Monitor's defaults.

    Raises:
        QualityError: The file does not exist, is not such a document, or has an invalid setting.
    """
    return constraints_from_json(read(path), path)


def constraints_from_json(document: Mapping[str, Any], path: Path) -> Constraints:
    """Parse a constraints.json document; ``path`` is for messages. Raises QualityError like `read_constraints`."""
    try:
        return Constraints(
            tuple(_constraint_from_json(feature, path) for feature in document["features"]),
            MonitoringConfig(**_config_from_json(document.get("monitoring_config") or {}, path, "monitoring_config")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, QualityError):
            raise
        raise QualityError(f"{path} does not contain data quality constraints ({describe(error)})") from error


def _constraint_from_json(document: Mapping[str, Any], path: Path) -> FeatureConstraints:
    numbers, strings = document.get("num_constraints") or {}, document.get("string_constraints") or {}
    # The SDK uses the first spelling, AWS's documentation the second.
    overrides = document.get("monitoring_config_overrides") or document.get("monitoringConfigOverrides") or {}
    domains = strings.get("domains")
    return FeatureConstraints(
        name=document["name"],
        inferred_type=document["inferred_type"],
        completeness=float(document.get("completeness", 0.0)),
        is_non_negative=numbers.get("is_non_negative"),
        domains=domain_of(map(str, domains)) if domains else None,
        overrides=_config_from_json(overrides, path, f"monitoring_config_overrides of {document['name']!r}"),
    )


def _config_from_json(document: Mapping[str, Any], path: Path, place: str) -> dict[str, Any]:
    """Return the fields that the document sets, including those in its distribution_constraints."""
    flat = {**document, **(document.get("distribution_constraints") or {})}
    known = {item.name for item in fields(MonitoringConfig)}
    config = {name: value for name, value in flat.items() if name in known and value is not None}
    if "comparison_method" in config:
        method = config["comparison_method"]
        config["comparison_method"] = COMPARISON_METHOD_ALIASES.get(method, method)
    for name, value in config.items():
        if name in THRESHOLDS and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise QualityError(f"{path}: {name} {value!r} in {place} is not a number")
        if name in ALLOWED and value not in ALLOWED[name]:
            raise QualityError(f"{path}: unknown {name} {value!r} in {place}; use one of {', '.join(ALLOWED[name])}")
    return config


def violations_to_json(violations: Iterable[Violation]) -> dict[str, Any]:
    """Return the constraint_violations.json document."""
    return {
        "violations": [
            {
                "feature_name": violation.feature_name,
                "constraint_check_type": violation.constraint_check_type,
                "description": violation.description,
            }
            for violation in violations
        ]
    }
