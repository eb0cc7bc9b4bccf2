"""analysis.json, Clarify's results and, to a later job, the baseline: written and read in AWS's layout.

Bias metrics also have ``standard_deviation``, named as in Model Monitor's files on model quality, where the bootstrap
gives one and the records are enough for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.attribution.global_shap import GlobalShap
from analyzer.attribution.partial_dependence import PartialDependence
from analyzer.bias.analysis import FacetResult, MetricValue
from analyzer.files import json_files

NAME = "analysis.json"
VIOLATIONS = json_files.VIOLATIONS
VERSION = "1.0"
PRE_TRAINING, POST_TRAINING = "pre_training_bias_metrics", "post_training_bias_metrics"
STAGES = {PRE_TRAINING: "pre-training", POST_TRAINING: "post-training"}

Analysis = dict[str, Any]


@dataclass(frozen=True)
class BiasValue:
    """A bias metric in analysis.json.

    Attributes:
        stage: PRE_TRAINING or POST_TRAINING.
        facet: The facet's column.
        group: Clarify's value_or_threshold of the sensitive group.
        name: Clarify's abbreviation.
        value: The value, possibly infinite; None if it is not defined.
        error: Why there is none.
        standard_deviation: Standard error of the value; None if unknown.
    """

    stage: str
    facet: str
    group: str
    name: str
    value: float | None
    error: str | None = None
    standard_deviation: float | None = None


def bias_sections(
    results: Sequence[FacetResult], label: str, label_values: str, stages: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return the sections of bias metrics.

    Args:
        results: The metrics of each group.
        label: Name of the label.
        label_values: Clarify's text for the favourable labels.
        stages: The sections to return: PRE_TRAINING, POST_TRAINING or both.
    """
    sections = {}
    for stage in sorted(stages):
        facets: dict[str, list[dict[str, Any]]] = {}
        for result in results:
            metrics = result.pre_training if stage == PRE_TRAINING else result.post_training
            facets.setdefault(result.column, []).append(
                {"value_or_threshold": result.value_or_threshold, "metrics": [_metric(metric) for metric in metrics]}
            )
        sections[stage] = {"label": label, "facets": facets, "label_value_or_threshold": label_values}
    return sections


def explanations(shap: GlobalShap | None, pdp: Sequence[PartialDependence] | None) -> dict[str, Any]:
    """Return the section of explanations; empty without any."""
    section: dict[str, Any] = {}
    if shap is not None:
        section["kernel_shap"] = {
            label: {"global_shap_values": dict(values.global_shap_values), "expected_value": values.expected_value}
            for label, values in shap.labels.items()
        }
    if pdp is not None:
        section["pdp"] = [_dependence(item) for item in pdp]
    return {"explanations": section} if section else {}


def bias_values(analysis: Mapping[str, Any]) -> Iterator[BiasValue]:
    """Yield the bias metrics of an analysis.json. Raises KeyError, TypeError or ValueError if it has another layout."""
    for stage in STAGES:
        for facet, groups in analysis.get(stage, {}).get("facets", {}).items():
            for group in groups:
                for metric in group["metrics"]:
                    value = metric.get("value")
                    yield BiasValue(
                        stage,
                        facet,
                        str(group["value_or_threshold"]),
                        metric["name"],
                        # "Infinity" is a text.
                        None if value is None else float(value),
                        metric.get("error"),
                        metric.get("standard_deviation"),
                    )


def global_shap_values(analysis: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the global SHAP values of an analysis.json by label and feature; empty without explanations."""
    found = analysis.get("explanations", {}).get("kernel_shap", {})
    return {label: dict(values["global_shap_values"]) for label, values in found.items()}


def read(path: Path) -> Analysis:
    """Read an analysis.json; a folder stands for the one in it.

    Raises:
        QualityError: It does not exist, or is not the result of a Clarify job.
    """
    path = path / NAME if path.is_dir() else path
    if not path.is_file():
        raise QualityError(f"{path} does not exist; use the {NAME} of an earlier Clarify job")
    analysis = json_files.read(path)
    try:
        bias, shap = [*bias_values(analysis)], global_shap_values(analysis)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise QualityError(f"{path} is not an {NAME} of Clarify ({json_files.describe(error)})") from error
    if not bias and not shap:
        raise QualityError(
            f"{path} has neither bias metrics nor global SHAP values; use the {NAME} of an earlier Clarify job"
        )
    return analysis


def to_text(document: Mapping[str, Any]) -> str:
    """Format a document as Clarify does."""
    return json.dumps(document, indent=4, allow_nan=False, ensure_ascii=False) + "\n"


def _metric(metric: MetricValue) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": metric.name, "description": metric.description, "value": _number(metric.value)}
    if metric.error is not None:
        entry["error"] = metric.error
    if metric.standard_deviation is not None and math.isfinite(metric.standard_deviation):
        entry["standard_deviation"] = metric.standard_deviation
    return entry


def _number(value: float | None) -> float | str | None:
    """Return a number as Clarify writes it: an infinite one as a text."""
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(value)


def _dependence(item: PartialDependence) -> dict[str, Any]:
    if item.error is not None:
        return {"feature_name": item.feature_name, "data_type": item.data_type, "error": item.error}
    return {
        "feature_name": item.feature_name,
        "data_type": item.data_type,
        "feature_values": [*item.feature_values],
        "model_predictions": [[*predictions] for predictions in item.model_predictions],
        "data_distribution": [*item.data_distribution],
        "label_headers": [*item.label_headers],
    }
