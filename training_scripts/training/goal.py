"""What a training minimizes, what early stopping watches, and what is measured meanwhile."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data import Split
from training.iteration_metrics import curve_metrics, iteration_metric
from training.objectives import objective_of, output_of, watched_metric
from training.ranking_metrics import is_ranking_metric, ranking_metric

Metric = Callable[[Split, np.ndarray, "np.ndarray | None"], float]


@dataclass(frozen=True)
class Goal:
    """The objective and the metrics of a training.

    Attributes:
        objective: LightGBM's own name.
        metrics: The metrics of the training curve by name, as functions of rows, of scores as ``output`` returns them,
            and of the rows' weights. Early stopping watches the first.
        output: The function from raw scores to those that the metrics take.
        changes_earlier_trees: Whether a round changes the trees of earlier rounds, as dart does.
    """

    objective: str
    metrics: dict[str, Metric]
    output: Callable[[np.ndarray], np.ndarray]
    changes_earlier_trees: bool

    @classmethod
    def of(cls, schema: Mapping[str, Any], options: argparse.Namespace) -> Goal:
        """Find the goal for the problem type of the schema. Raises TrainingError."""
        objective, watched = objective_of(schema, options), watched_metric(schema, options)
        return cls(
            objective,
            {
                name: _metric(name, objective, options.lightgbm)
                for name in curve_metrics(schema["problem_type"], watched)
            },
            output_of(objective, options),
            options.lightgbm.get("boosting") == "dart",
        )

    @property
    def watched(self) -> str:
        return next(iter(self.metrics))


def _metric(name: str, objective: str, parameters: Mapping[str, Any]) -> Metric:
    if is_ranking_metric(name):
        return lambda rows, scores, weights: ranking_metric(name, parameters.get("label_gain"), rows, scores)
    metric = iteration_metric(name, objective, parameters)
    return lambda rows, scores, weights: metric(rows.target, scores, weights)
