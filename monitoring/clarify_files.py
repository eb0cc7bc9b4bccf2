"""What the monitoring of bias and attribution compares with: analyses of training, put in S3 as Clarify reads them.

Training writes the bias of the data and of the predictions to two files, and a monitoring job compares with one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from monitoring import constraint_versions
from monitoring.monitored_endpoint import Baseline, MonitoredEndpoint
from project.settings import Settings
from project.target import Target

Document = dict[str, Any]

_PRE_TRAINING, _POST_TRAINING = "pre_training_bias_metrics", "post_training_bias_metrics"
_METHODS = {"pre_training_bias": _PRE_TRAINING, "post_training_bias": _POST_TRAINING}
# what an analysis configuration says about bias, whatever the format of the data
_BIAS_KEYS = ("version", "label", "label_values_or_threshold", "facet", "group_variable")


def with_clarify_files(settings: Settings, target: Target, endpoint: MonitoredEndpoint) -> MonitoredEndpoint:
    """Replace the baselines of bias and attribution by files that a monitoring job reads."""
    baselines = dict(endpoint.baselines)
    if bias := baselines.get("bias"):
        baselines["bias"] = _bias(settings, target, bias)
    if attribution := baselines.get("attribution"):
        config = attribution_config(_read(target, attribution.config), endpoint.model_name)
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


def attribution_config(config: Mapping[str, Any], model_name: str) -> Document:
    """Return the analysis configuration of captured requests.

    Args:
        config: The configuration of the package.
        model_name: The model of the endpoint, which Model Monitor's job deploys to a shadow endpoint.
    """
    return {**config, "predictor": {**config.get("predictor", {}), "model_name": model_name}}


def _bias(settings: Settings, target: Target, baseline: Baseline) -> Baseline:
    joined = bias_baseline(_read(target, baseline.pre_training), _read(target, baseline.constraints))
    config = bias_config(_read(target, baseline.config), joined)
    return Baseline(
        constraints=_put(settings, target, "bias", "baseline", joined, baseline.constraints),
        config=_put(settings, target, "bias", "config", config, baseline.config),
    )


def _metric_names(section: Mapping[str, Any]) -> list[str]:
    """Return the bias metrics of a section of analysis.json."""
    groups = (group for facet in section.get("facets", {}).values() for group in facet)
    return sorted({metric["name"] for group in groups for metric in group["metrics"]})


def _read(target: Target, uri: str) -> Document:
    return constraint_versions.read_constraints(target, uri)


def _put(settings: Settings, target: Target, analysis: str, kind: str, document: Document, origin: str) -> str:
    """Put a document under the name of its content, with a reference to the file it was made from; return its URI."""
    content = hashlib.sha256(json.dumps([origin, document]).encode()).hexdigest()[:12]
    uri = f"{constraint_versions.constraints_folder(settings, target, analysis)}/{kind}-{content}.json"
    constraint_versions.put_copy(settings, target, uri, document, origin)
    return uri
