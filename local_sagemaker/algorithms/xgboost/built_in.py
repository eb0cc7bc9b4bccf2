"""The built-in XGBoost algorithm as the service knows it: when an image trains with it, and what it measures.

The algorithm itself is `xgboost_algorithm.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_sagemaker.algorithms.xgboost.xgboost_hyperparameters import KNOWN_METRICS
from local_sagemaker.containers.images.image import Image, Runtime

# tells the algorithm what a tuning job is after; the service adds it
TUNING_OBJECTIVE = "_tuning_objective_metric"

_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
METRIC_DEFINITIONS = [
    {"Name": f"{channel}:{metric}", "Regex": rf".*\[[0-9]+\].*#011{channel}-{metric}:{_NUMBER}.*"}
    for channel in ("train", "validation")
    for metric in sorted(KNOWN_METRICS)
]


def is_built_in(runtime: Runtime, specification: Mapping[str, Any], hyperparameters: Mapping[str, Any]) -> bool:
    """Whether the image is to train with an algorithm of its own: it is given neither a script nor an entry point."""
    return (
        runtime.image is Image.XGBOOST
        and "ContainerEntrypoint" not in specification
        and "sagemaker_program" not in hyperparameters
    )


def metric_definitions(
    runtime: Runtime, specification: Mapping[str, Any], hyperparameters: Mapping[str, Any]
) -> list[dict[str, str]]:
    """A training job's MetricDefinitions: those it is created with and those of the built-in algorithm."""
    given = specification.get("MetricDefinitions", [])
    return [*given, *METRIC_DEFINITIONS] if is_built_in(runtime, specification, hyperparameters) else given
