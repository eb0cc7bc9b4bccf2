"""The decision: whether the model reaches what the settings require of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.errors import EvaluationError
from evaluation.intervals import Interval
from evaluation.metrics import LOWER_IS_BETTER

MEAN, LOWER_BOUND = "mean", "lower_bound"


@dataclass(frozen=True)
class Gate:
    """A metric and the value that it must reach.

    Attributes:
        metric: The name of the metric.
        threshold: The value: a maximum for errors, otherwise a minimum.
        on: MEAN for the metric itself, LOWER_BOUND for the pessimistic end of its interval.
    """

    metric: str
    threshold: float
    on: str = MEAN

    def decide(self, interval: Interval) -> dict[str, Any]:
        """Return the gate as in summary.json.

        Raises:
            EvaluationError: The metric is undefined.
        """
        pessimistic = interval.upper if self.is_maximum else interval.lower
        value = interval.value if self.on == MEAN else pessimistic
        if not math.isfinite(value):
            raise EvaluationError(
                f"{self.metric} is undefined on the test split, so that the model cannot be judged by it; use another "
                "metric in quality, or more data"
            )
        return {
            "metric": self.metric,
            "threshold": self.threshold,
            "on": self.on,
            "direction": "max" if self.is_maximum else "min",
            **interval.to_json(),
            "passed": self.reached_by(value),
        }

    @property
    def is_maximum(self) -> bool:
        return self.metric in LOWER_IS_BETTER

    def reached_by(self, value: float) -> bool:
        return value <= self.threshold if self.is_maximum else value >= self.threshold


@dataclass(frozen=True)
class Rules:
    """What is required of a model: the settings of quality.json, and the threshold, which is a pipeline parameter.

    Attributes:
        gates: The metrics and what they must reach, the most important first.
        metric: The most important metric.
        champion: The settings `metric`, `min_gain` and `on` of the comparison with a champion; None without one.
        segments: The columns by whose values metrics are reported.
        segment_gate: The settings `metric`, `threshold` and `min_rows` for each segment; None without them.
        fairness: The groups, the favourable outcome and the limits of metrics of bias; None without them.
    """

    gates: Sequence[Gate] = ()
    metric: str = ""
    champion: Mapping[str, Any] | None = None
    segments: Sequence[str] = ()
    segment_gate: Mapping[str, Any] | None = None
    fairness: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, path: Path, threshold: float | None) -> Rules:
        """Read quality.json; without the file nothing is required.

        Raises:
            EvaluationError: The file cannot be read.
        """
        if not path.exists():
            return cls()
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
            first = {"metric": settings["metric"], "threshold": threshold, "on": settings["on"]}
            gates = [Gate(**gate) for gate in [first, *settings["gates"]] if gate["threshold"] is not None]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EvaluationError(
                f"{path} does not have the settings of quality ({error}); run the pipeline's upsert again"
            ) from error
        return cls(
            gates,
            settings["metric"],
            settings.get("champion"),
            settings.get("segments", ()),
            settings.get("segment_gate"),
            settings.get("fairness"),
        )


def gate_sentence(gate: Mapping[str, Any], title: str = "") -> str:
    """Say what a gate of summary.json measured and requires.

    Args:
        gate: The gate.
        title: How to call the metric; by default by its name.
    """
    bound, end = ("at most", "upper") if gate["direction"] == "max" else ("at least", "lower")
    metric, threshold = title or gate["metric"], gate["threshold"]
    between = f"95 % interval {readable(gate['lower'])} to {readable(gate['upper'])}"
    if gate["on"] == LOWER_BOUND:
        measured = f"the {end} bound of {metric} on the test split is {readable(gate[end], threshold)}"
        between = f"{metric} {readable(gate['value'])}, {between}"
    else:
        measured = f"{metric} on the test split is {readable(gate['value'], threshold)}"
    return f"{measured} ({between}) and must be {bound} {threshold:.12g}"


def readable(number: float | None, threshold: float | None = None) -> str:
    """Round a number to three digits, or to as many as it takes to tell it from a threshold."""
    if number is None:
        return "undefined"
    digits = 3
    while threshold is not None and digits < 17 and float(f"{number:.{digits}g}") == threshold != number:
        digits += 1
    return f"{number:.{digits}g}"
