"""The built-in XGBoost algorithm from the service's side: when a training job uses it, and its metric definitions.

The algorithm itself is `xgboost_algorithm.py`. The modules whose names begin with `xgboost_` run in containers, where
this folder is on PYTHONPATH; the prefix keeps them from shadowing users' modules such as `inference.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_sagemaker.algorithms.xgboost.xgboost_hyperparameters import KNOWN_METRICS
from local_sagemaker.containers.images.image import Image, Runtime

_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
METRIC_DEFINITIONS = [
    {"Name": f"{channel}:{metric}", "Regex": rf".*\[[0-9]+\].*#011{channel}-{metric}:{_NUMBER}.*"}
    for channel in ("train", "validation")
    for metric in sorted(KNOWN_METRICS)
]


def is_built_in(runtime: Runtime, specification: Mapping[str, Any], hyperparameters: Mapping[str, Any]) -> bool:
    """Return whether a training job uses the built-in algorithm: it has neither a script nor an entry point."""
    return (
        runtime.image is Image.XGBOOST
        and "ContainerEntrypoint" not in specification
        and "sagemaker_program" not in hyperparameters
    )


def metric_definitions(runtime: Runtime, specification: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a training job's MetricDefinitions, including those of the image, whose scripts print what it does."""
    given = specification.get("MetricDefinitions", [])
    of_image = runtime.image is Image.XGBOOST and "ContainerEntrypoint" not in specification
    return [*given, *METRIC_DEFINITIONS] if of_image else given
