"""What the monitoring of bias and attribution compares with: analyses of training, put in S3 as Clarify reads them.

Training writes the bias of the data and of the predictions to two files, and a monitoring job compares with one.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from monitoring import constraint_versions
from monitoring.monitored_endpoint import Baseline, MonitoredEndpoint
from pipelines.clarify_configs import PREDICTION, SCORES
from project.settings import Settings
from project.target import Target

Document = dict[str, Any]

_PRE_TRAINING, _POST_TRAINING = "pre_training_bias_metrics", "post_training_bias_metrics"
_BY_NAME = {
    "accept_type": "application/json",
    "content_type": "application/json",
    "content_template": '{"instances": $records}',
    "record_template": "$features_kvp",
}
# the names of the files in Clarify's container
_NAMES = {"baseline": "analysis.json", "config": "analysis_config.json"}
_METHODS = {"pre_training_bias": _PRE_TRAINING, "post_training_bias": _POST_TRAINING}
# what an analysis configuration says about bias, whatever the format of the data
_BIAS_KEYS = ("version", "label", "label_values_or_threshold", "facet", "group_variable")


def with_clarify_files(
    settings: Settings, target: Target, endpoint: MonitoredEndpoint, tolerance: float | None = None
) -> MonitoredEndpoint:
    """Replace the baselines of bias and attribution by files that a monitoring job reads.

    Args:
        settings: The project's settings.
        target: Where the files are.
        endpoint: The endpoint with the baselines of its model.
        tolerance: Standard errors by which bias may exceed the baseline, for the jobs of Model Monitor, which know no
            tolerance; None for those of the monitoring pipeline.
    """
    baselines = dict(endpoint.baselines)
    if bias := baselines.get("bias"):
        baselines["bias"] = _bias(settings, target, bias, tolerance)
    if attribution := baselines.get("attribution"):
        config = attribution_config(_read(target, attribution.config), endpoint, scores(settings))
        baselines["attribution"] = replace(
            attribution, config=_put(settings, target, "attribution", "config", config, attribution.config)
        )
    return replace(endpoint, baselines=baselines)


def bias_baseline(pre_training: Mapping[str, Any], post_training: Mapping[str, Any]) -> Document:
    """Join the bias metrics of the training data and of the predictions in one analysis.json."""
    return {**post_training, _PRE_TRAINING: pre_training.get(_PRE_TRAINING, {})}


def bias_config(config: Mapping[str, Any], baseline: Mapping[str, Any]) -> Document:
    """Return the analysis configuration of captured and merged data: the groups of a package, the metrics it has."""
    kept = {key: config[key] for key in _BIAS_KEYS if key in config}
    methods = {
        method: {"methods": _metric_names(baseline.get(section, {})) or "all"} for method, section in _METHODS.items()
    }
    return kept | {"methods": methods}


def scores(settings: Settings) -> str:
    """Return the path of the scores, which the SHAP values explain, in responses of the endpoint."""
    return f"predictions[*].{SCORES.get(settings.problem_type, PREDICTION)}"


def attribution_config(config: Mapping[str, Any], endpoint: MonitoredEndpoint, label: str) -> Document:
    """Return the analysis configuration of captured requests: that of the package, for the model of the endpoint.

    Model Monitor's job deploys the model to a shadow endpoint. Captured requests name their features, in any order, and
    so do the records that this endpoint gets; it answers as the captured responses do.
    """
    report = {"name": "report", "title": f"Feature attribution of the predictions of {endpoint.endpoint}"}
    predictor = {**config.get("predictor", {}), **_BY_NAME, "model_name": endpoint.model_name, "label": label}
    return {**config, "methods": {**config.get("methods", {}), "report": report}, "predictor": predictor}


def clarify_constraints(baseline: Mapping[str, Any], tolerance: float) -> Document:
    """Return a baseline as Model Monitor compares with it: by the distance from 0, without a tolerance.

    Each metric is moved away from 0 by so many standard errors of the difference of two windows. DI is left out: it is
    1 without bias, and bias against the group would bring it nearer to 0. So are metrics without a standard deviation,
    which have too few records for one, except in a baseline that has none at all, such as that of Clarify's own
    container: this one has no tolerance.

    Args:
        baseline: Content of analysis.json.
        tolerance: The standard errors for a single group; with several it is more.
    """
    # imported late: the analyzer takes a while to import
    from analyzer.bias.catalogue import BY_NAME
    from analyzer.clarify.drift import joint_tolerance

    document: Document = copy.deepcopy(dict(baseline))
    groups = [
        (facet, group)
        for section in _METHODS.values()
        for facet, of_facet in document.get(section, {}).get("facets", {}).items()
        for group in of_facet
    ]
    for _, group in groups:
        group["metrics"] = [
            metric
            for metric in group["metrics"]
            if metric["name"] not in BY_NAME or BY_NAME[metric["name"]].fair_value == 0
        ]
    metrics = [metric for _, group in groups for metric in group["metrics"]]
    if not tolerance or all(metric.get("standard_deviation") is None for metric in metrics):
        return document
    names = {(facet, str(group["value_or_threshold"])) for facet, group in groups}
    errors = math.sqrt(2) * joint_tolerance(tolerance, len(names))
    for _, group in groups:
        group["metrics"] = [metric for metric in group["metrics"] if metric.get("standard_deviation") is not None]
        for metric in group["metrics"]:
            value = metric["value"]
            if isinstance(value, int | float):
                metric["value"] = value + math.copysign(errors * metric["standard_deviation"], value)
    return document


def _bias(settings: Settings, target: Target, baseline: Baseline, tolerance: float | None) -> Baseline:
    joined = bias_baseline(_read(target, baseline.pre_training), _read(target, baseline.constraints))
    config = bias_config(_read(target, baseline.config), joined)
    constraints = joined if tolerance is None else clarify_constraints(joined, tolerance)
    return Baseline(
        constraints=_put(settings, target, "bias", "baseline", constraints, baseline.constraints),
        config=_put(settings, target, "bias", "config", config, baseline.config),
    )


def _metric_names(section: Mapping[str, Any]) -> list[str]:
    """Return the bias metrics of a section of analysis.json."""
    return sorted({metric["name"] for group in _groups(section) for metric in group["metrics"]})


def _groups(section: Mapping[str, Any]) -> Iterator[Document]:
    for groups in section.get("facets", {}).values():
        yield from groups


def _read(target: Target, uri: str) -> Document:
    return constraint_versions.read_constraints(target, uri)


def _put(settings: Settings, target: Target, analysis: str, kind: str, document: Document, origin: str) -> str:
    """Put a document under the name of its content, with a reference to the file it was made from; return its URI."""
    content = hashlib.sha256(json.dumps([origin, document]).encode()).hexdigest()[:12]
    folder = constraint_versions.constraints_folder(settings, target, analysis)
    uri = f"{folder}/{kind}-{content}/{_NAMES[kind]}"
    constraint_versions.put_copy(settings, target, uri, document, origin)
    return uri
