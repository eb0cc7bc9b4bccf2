"""Model Monitor's files: statistics.json, constraints.json and constraint_violations.json, written and read."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.constraints.data_quality import (
    CATEGORICAL_DRIFT_METHODS,
    COMPARISON_METHODS,
    Constraints,
    FeatureConstraints,
    MonitoringConfig,
    Violation,
)
from analyzer.performance.metrics import json_number
from analyzer.profile.number_state import SKETCH_K
from analyzer.profile.statistics import FeatureStatistics, NumberStatistics, Sketch, Statistics, StringStatistics

STATISTICS = "statistics.json"
CONSTRAINTS = "constraints.json"
VIOLATIONS = "constraint_violations.json"
READ_BY_PEOPLE = (CONSTRAINTS, VIOLATIONS)

# What Model Monitor writes here. Apache DataSketches, which makes our sketches, shrinks its levels by 2/3 instead, but
# the factor only matters to a program that adds more values to the sketch.
SKETCH_PARAMETERS = {"c": 0.64, "k": float(SKETCH_K)}

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
# AWS's documentation has these names for what its files call Simple and Robust.
COMPARISON_METHOD_ALIASES = {"linf_simple": "Simple", "linf_robust": "Robust"}
ALLOWED = {
    "comparison_method": COMPARISON_METHODS,
    "categorical_drift_method": CATEGORICAL_DRIFT_METHODS,
    "evaluate_constraints": ("Enabled", "Disabled"),
    "emit_metrics": ("Enabled", "Disabled"),
    "perform_comparison": ("Enabled", "Disabled"),
}


def write(folder: Path, documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Write JSON documents by file name into a folder, which is made if need be: all of them, or none.

    Raises:
        QualityError: the folder cannot be written.
        ValueError: a document holds NaN or an infinity.
    """
    # Python's fast encoder knows no indentation, and nobody reads a sketch's ten thousand numbers line by line.
    texts = {
        name: json.dumps(document, indent=2 if name in READ_BY_PEOPLE else None, allow_nan=False, ensure_ascii=False)
        for name, document in documents.items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as aside:
            for name, text in texts.items():
                Path(aside, name).write_text(text + "\n", encoding="utf-8")
            for name in texts:
                Path(aside, name).replace(folder / name)
    except OSError as error:
        raise QualityError(f"cannot write to {folder} ({error}); set output_path to a folder that can be") from error


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; QualityError if there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise QualityError(f"{path} does not exist; give the path of a file that a baseline job wrote") from error
    except (OSError, ValueError) as error:
        raise QualityError(f"{path} is not readable as JSON ({error})") from error
    if not isinstance(document, dict):
        raise QualityError(f"{path} holds no JSON object")
    return document


# --- statistics.json ---


def statistics_to_json(statistics: Statistics) -> dict[str, Any]:
    """The document of statistics.json."""
    return {
        "version": 0.0,
        "dataset": {"item_count": statistics.item_count},
        "features": [_feature_to_json(feature) for feature in statistics.features],
    }


def _feature_to_json(feature: FeatureStatistics) -> dict[str, Any]:
    document: dict[str, Any] = {"name": feature.name, "inferred_type": feature.inferred_type}
    common = {"num_present": feature.present, "num_missing": feature.missing}
    if feature.numbers is not None:
        document["numerical_statistics"] = {"common": common, **_numbers_to_json(feature.numbers)}
    else:
        strings = feature.strings or StringStatistics(0, {})
        document["string_statistics"] = {
            "common": common,
            "distinct_count": strings.distinct_count,
            "distribution": {
                "categorical": {
                    "buckets": [{"value": value, "count": count} for value, count in strings.counts.items()]
                }
            },
        }
    return document


def _numbers_to_json(numbers: NumberStatistics) -> dict[str, Any]:
    return {
        # Values near a double's limit can add up to infinity, for which JSON has no number.
        "mean": json_number(numbers.mean),
        "sum": json_number(numbers.sum),
        "std_dev": json_number(numbers.std_dev),
        "min": numbers.min,
        "max": numbers.max,
        "distribution": {
            "kll": {
                "buckets": [
                    {"lower_bound": lower, "upper_bound": upper, "count": count}
                    for lower, upper, count in numbers.buckets()
                ],
                "sketch": {"parameters": SKETCH_PARAMETERS, "data": numbers.sketch.levels},
            }
        },
    }


def read_statistics(path: Path) -> Statistics:
    """Statistics from a statistics.json of ours or of Model Monitor; QualityError names what is missing in it."""
    document = read(path)
    try:
        return Statistics(
            int(document["dataset"]["item_count"]),
            tuple(_feature_from_json(feature) for feature in document["features"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise QualityError(f"{path} holds no data-quality statistics ({_describe(error)})") from error


def _feature_from_json(document: Mapping[str, Any]) -> FeatureStatistics:
    numbers, strings = document.get("numerical_statistics"), document.get("string_statistics")
    common = (numbers or strings or {}).get("common", {"num_present": 0, "num_missing": 0})
    return FeatureStatistics(
        name=document["name"],
        inferred_type=document["inferred_type"],
        present=int(common["num_present"]),
        missing=int(common["num_missing"]),
        numbers=_numbers_from_json(numbers) if numbers and common["num_present"] else None,
        strings=_strings_from_json(strings) if strings and common["num_present"] else None,
    )


def _numbers_from_json(document: Mapping[str, Any]) -> NumberStatistics:
    levels = document["distribution"]["kll"]["sketch"]["data"]
    return NumberStatistics(
        mean=float(document["mean"]),
        sum=float(document["sum"]),
        std_dev=float(document["std_dev"]),
        min=float(document["min"]),
        max=float(document["max"]),
        sketch=Sketch(tuple(tuple(map(float, level)) for level in levels)),
    )


def _strings_from_json(document: Mapping[str, Any]) -> StringStatistics:
    buckets = document.get("distribution", {}).get("categorical", {}).get("buckets", [])
    return StringStatistics(
        round(document["distinct_count"]), {bucket["value"]: int(bucket["count"]) for bucket in buckets}
    )


# --- constraints.json ---


def constraints_to_json(constraints: Constraints) -> dict[str, Any]:
    """The document of constraints.json."""
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
    """Fields of a monitoring_config as the file has them, those of a distribution in an object of their own."""
    document = {name: value for name, value in config.items() if name not in DISTRIBUTION_FIELDS}
    distribution = {name: config[name] for name in DISTRIBUTION_FIELDS if config.get(name) is not None}
    return document | ({"distribution_constraints": distribution} if distribution else {})


def read_constraints(path: Path) -> Constraints:
    """Constraints from a constraints.json of ours or of Model Monitor, edited or not; QualityError names what is odd.

    What a file leaves out has Model Monitor's default.
    """
    return constraints_from_json(read(path), path)


def constraints_from_json(document: Mapping[str, Any], path: Path) -> Constraints:
    """Constraints from such a document; ``path`` is where it came from, for messages. Raises as `read_constraints`."""
    try:
        return Constraints(
            tuple(_constraint_from_json(feature, path) for feature in document["features"]),
            MonitoringConfig(**_config_from_json(document.get("monitoring_config") or {}, path, "monitoring_config")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, QualityError):
            raise
        raise QualityError(f"{path} holds no data-quality constraints ({_describe(error)})") from error


def _constraint_from_json(document: Mapping[str, Any], path: Path) -> FeatureConstraints:
    numbers, strings = document.get("num_constraints") or {}, document.get("string_constraints") or {}
    # The SDK writes the first spelling, AWS's documentation the second.
    overrides = document.get("monitoring_config_overrides") or document.get("monitoringConfigOverrides") or {}
    domains = strings.get("domains")
    return FeatureConstraints(
        name=document["name"],
        inferred_type=document["inferred_type"],
        completeness=float(document.get("completeness", 0.0)),
        is_non_negative=numbers.get("is_non_negative"),
        domains=tuple(domains) if domains else None,
        overrides=_config_from_json(overrides, path, f"monitoring_config_overrides of {document['name']!r}"),
    )


def _config_from_json(document: Mapping[str, Any], path: Path, place: str) -> dict[str, Any]:
    """The config's fields that the document sets, those of its distribution_constraints among them."""
    flat = {**document, **(document.get("distribution_constraints") or {})}
    known = {item.name for item in fields(MonitoringConfig)}
    config = {name: value for name, value in flat.items() if name in known and value is not None}
    if "comparison_method" in config:
        method = config["comparison_method"]
        config["comparison_method"] = COMPARISON_METHOD_ALIASES.get(method, method)
    for name, value in config.items():
        if name in THRESHOLDS and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise QualityError(f"{path}: {name} in {place} is {value!r}; it must be a number")
        if name in ALLOWED and value not in ALLOWED[name]:
            raise QualityError(f"{path}: {name} in {place} is {value!r}; use one of {', '.join(ALLOWED[name])}")
    return config


# --- constraint_violations.json ---


def violations_to_json(violations: Iterable[Violation]) -> dict[str, Any]:
    """The document of constraint_violations.json."""
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


def _describe(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
