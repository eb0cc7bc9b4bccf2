"""The training curve: what is measured while the model trains, as log lines, CSV and SVG.

The SVG is written by hand, because the image has no plotting library.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import lightgbm as lgb
import numpy as np

from training.data import Split, row_weights
from training.goal import Goal

# What early stopping does not need is measured after at most so many iterations, and on at most so many rows of a
# split: an AUC of 0.9 is then accurate to 0.002 (one standard error).
POINTS = 50
SAMPLE_ROWS = 20_000
# Points of the validation split's curve in metrics.json.
SUMMARY_POINTS = 150

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, WIDTH - 16, 48, HEIGHT - 44

# The colours of the reports' page.css.
STYLE = """
  svg { background: #ffffff } text { fill: #5d6878; font: 12px sans-serif } .name { fill: #1b2430; font-weight: bold }
  polyline { fill: none; stroke-width: 2 } .train { stroke: #9aa5b5 } .validation { stroke: #2563eb }
  .grid { stroke: #e3e6eb } .best { stroke: #5d6878; stroke-dasharray: 4 4 }
  @media (prefers-color-scheme: dark) {
    svg { background: #171e27 } text { fill: #9aa7b7 } .name { fill: #e6eaf0 }
    .train { stroke: #66748a } .validation { stroke: #6ea8fe }
    .grid { stroke: #2a3441 } .best { stroke: #9aa7b7 }
  }
"""


@dataclass
class _Measured:
    """The rows on which a split is measured, with the model's raw scores for them so far."""

    rows: Split
    weights: np.ndarray | None
    scores: np.ndarray = field(default_factory=lambda: np.empty(0))


class TrainingCurve:
    """Measures a model while it trains, as a callback of LightGBM.

    LightGBM itself measures the metric of early stopping on the whole validation split after each iteration. Everything
    else is measured at some points only, on samples.

    Attributes:
        values: For each column of training_curve.csv, its values by iteration, from 1.
        sampled_rows: How many training rows are measured; None if these are all.
    """

    def __init__(
        self, train: Split, validation: Split, weights: np.ndarray | None, goal: Goal, rounds: int, train_rows: int
    ) -> None:
        """Prepare the measurements.

        Args:
            train: At most SAMPLE_ROWS training rows.
            validation: At most SAMPLE_ROWS validation rows.
            weights: The weight of each class, shape (classes,); None to weight all classes alike.
            goal: What is trained for and measured.
            rounds: The largest number of iterations.
            train_rows: The number of all training rows.
        """
        self.sampled_rows = len(train) if len(train) < train_rows else None
        self._splits = {
            name: _Measured(rows, row_weights(rows, weights))
            for name, rows in (("train", train), ("validation", validation))
        }
        self._rounds = rounds
        self._period = math.ceil(rounds / POINTS)
        self._goal = goal
        self._measured = 0
        self.values: dict[str, dict[int, float]] = {
            f"{split}_{metric}": {} for metric in goal.metrics for split in self._splits
        }

    def __call__(self, environment: lgb.callback.CallbackEnv) -> None:
        """Record the metrics of an iteration."""
        iteration = environment.iteration + 1
        # there is one: LightGBM measures nothing but what early stopping watches
        values = {
            f"validation_{self._goal.watched}": each.metric_value for each in environment.evaluation_result_list or []
        }
        if environment.iteration % self._period == 0:
            values = self._measure(cast(lgb.Booster, environment.model), iteration, environment.params) | values
            printed = [f"{name}={values[name]:.8g}" for name in self.values]
            print(f"iteration={iteration} of {self._rounds}", *printed, flush=True)
        for name, value in values.items():
            self.values[name][iteration] = value

    def summary(self, best_iteration: int) -> dict[str, Any]:
        """Return the metric of early stopping at some iterations, for metrics.json; None where it was not measured."""
        train, validation = (self.values[f"{split}_{self._goal.watched}"] for split in ("train", "validation"))
        every = math.ceil(len(validation) / SUMMARY_POINTS)
        iterations = sorted({*train, *[*validation][::every], best_iteration})
        return {
            "metric": self._goal.watched,
            "iterations": iterations,
            "train": [train.get(iteration) for iteration in iterations],
            "validation": [validation.get(iteration) for iteration in iterations],
        }

    def restore(self, values: Mapping[str, Mapping[str, float]]) -> None:
        """Take over the values of an interrupted training, from JSON."""
        for name, by_iteration in values.items():
            self.values[name] = {int(iteration): value for iteration, value in by_iteration.items()}

    def _measure(self, model: lgb.Booster, iteration: int, parameters: Mapping[str, Any]) -> dict[str, float]:
        if self._goal.changes_earlier_trees:
            self._measured = 0
        # the number of threads is the process's, and LightGBM warns if it changes while a model is trained
        threads = {name: parameters[name] for name in ("num_threads",) if name in parameters}
        values = {}
        for split, measured in self._splits.items():
            # only of the trees since the last point
            scores = np.asarray(
                model.predict(
                    measured.rows.features,
                    start_iteration=self._measured,
                    num_iteration=iteration - self._measured,
                    raw_score=True,
                    **threads,
                )
            )
            measured.scores = measured.scores + scores if self._measured else scores
            answers = self._goal.output(measured.scores)
            for name, metric in self._goal.metrics.items():
                values[f"{split}_{name}"] = metric(measured.rows, answers, measured.weights)
        self._measured = iteration
        return values


def write_curve(curve: TrainingCurve, best_iteration: int, folder: Path) -> None:
    """Write training_curve.csv and training_curve.svg. A metric that was not measured after an iteration is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    iterations = sorted(set().union(*curve.values.values()))
    with (folder / "training_curve.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["iteration", *curve.values])
        lines.writerows([i, *(values.get(i, "") for values in curve.values.values())] for i in iterations)
    (folder / "training_curve.svg").write_text(curve_svg(curve, best_iteration), encoding="utf-8")


def curve_svg(curve: TrainingCurve, best_iteration: int) -> str:
    """Plot the metric of early stopping, the first of the curve, for both splits."""
    (_, train_values), (name, validation_values), *_ = curve.values.items()
    shown = [*train_values.values(), *validation_values.values()]
    low, high = min(shown), max(shown)
    last = max(*validation_values, 2)

    def x(iteration: float) -> float:
        return LEFT + (RIGHT - LEFT) * (iteration - 1) / (last - 1)

    def y(value: float) -> float:
        return TOP + (BOTTOM - TOP) * (1 - (value - low) / ((high - low) or 1))

    def line(split: str, values: Mapping[int, float]) -> str:
        points = " ".join(f"{x(iteration):.1f},{y(value):.1f}" for iteration, value in values.items())
        return f'<polyline class="{split}" points="{points}"/>'

    sample = f" (sample of {curve.sampled_rows:,} rows)" if curve.sampled_rows else ""
    best = f"{x(best_iteration):.1f}"
    marks = [f'<line class="best" x1="{best}" y1="{TOP}" x2="{best}" y2="{BOTTOM}"/>']
    for value in np.linspace(low, high, 5):
        marks.append(f'<line class="grid" x1="{LEFT}" y1="{y(value):.1f}" x2="{RIGHT}" y2="{y(value):.1f}"/>')
        marks.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for iteration in sorted({round(i) for i in np.linspace(1, last, 6)}):
        marks.append(f'<text x="{x(iteration):.1f}" y="{BOTTOM + 20}" text-anchor="middle">{iteration}</text>')
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">
<style>{STYLE}</style>
<text x="{LEFT}" y="24"><tspan class="name">{name.removeprefix("validation_")}</tspan> by iteration,
  best at {best_iteration}</text>
<polyline class="validation" points="400,20 424,20"/><text x="430" y="24">validation</text>
<polyline class="train" points="510,20 534,20"/><text x="540" y="24">train{sample}</text>
{chr(10).join(marks)}
{line("train", train_values)}
{line("validation", validation_values)}
</svg>
"""
