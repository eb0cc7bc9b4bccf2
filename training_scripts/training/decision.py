"""What turns a model's output into answers: the calibration and the decision threshold of two classes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.calibration import calibrated, fit_calibration
from training.data import Split
from training.errors import TrainingError
from training.iteration_metrics import binary_logloss, mse
from training.threshold import choose_threshold


@dataclass(frozen=True)
class Decision:
    """Calibration and decision threshold, fitted on the validation split.

    Attributes:
        is_binary: Whether there are two classes; if not, the model's output is the answer.
        calibration: As schema.json has it; None without one.
        threshold: The probability from which on a record is positive.
        facts: What metrics.json has about both, nothing for the defaults.
    """

    is_binary: bool
    calibration: dict[str, Any] | None
    threshold: float
    facts: dict[str, Any]

    @classmethod
    def fit(cls, rows: Split, output: np.ndarray, schema: Mapping[str, Any], options: argparse.Namespace) -> Decision:
        """Fit both on the validation split, given the output of ``predict`` for it.

        Raises:
            TrainingError: The options are for two classes and there are others, or a rule cannot be met.
        """
        if schema["problem_type"] != "BinaryClassification":
            for name, default in (("calibration", "none"), ("decision_threshold", 0.5)):
                if getattr(options, name) != default:
                    raise TrainingError(f"{name} is for BinaryClassification, not {schema['problem_type']}; remove it")
            return cls(False, None, 0.5, {})
        facts: dict[str, Any] = {}
        calibration = fit_calibration(options.calibration, output, rows.target, rows.weight)
        probabilities = calibrated(output, calibration)
        if calibration is not None:
            before = calibrated(output, None)
            facts["calibration"] = {
                "method": options.calibration,
                "validation": {
                    "brier": [mse(rows.target, values, rows.weight) for values in (before, probabilities)],
                    "binary_logloss": [
                        _logloss(rows.target, values, rows.weight) for values in (before, probabilities)
                    ],
                },
            }
        threshold = 0.5
        if options.decision_threshold != 0.5:
            rule = options.decision_threshold
            threshold, measured = choose_threshold(rule, rows.target, probabilities, rows.weight)
            facts["decision_threshold"] = {"rule": rule, "value": threshold, "validation": measured}
        return cls(True, calibration, threshold, facts)

    def answer(self, output: np.ndarray) -> np.ndarray:
        """Return what the model answers: probabilities of two classes, else its output."""
        return calibrated(output, self.calibration) if self.is_binary else output

    def schema_entries(self) -> dict[str, Any]:
        """Return what schema.json gets, nothing for the defaults."""
        threshold = {"decision_threshold": self.threshold} if self.threshold != 0.5 else {}
        return threshold | ({"calibration": self.calibration} if self.calibration else {})

    def remarks(self) -> list[str]:
        """Return what a reader of the log and the report should know."""
        chosen = self.facts.get("decision_threshold")
        if chosen is None or chosen["validation"]["recall"] > 0:
            return []
        return [
            f"decision_threshold {self.threshold:.4g} labels no row of the validation split positive; check the rule "
            f"{chosen['rule']!r}"
        ]


def _logloss(target: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None) -> float:
    limit = np.finfo(np.float64).eps
    clipped = np.clip(probabilities, limit, 1 - limit)
    return binary_logloss(target, np.log(clipped / (1 - clipped)), weights)
