"""The metrics of summary.json, by problem type: of the rows themselves and of many weightings of them.

A metric is a function of weighted rows. The rows' own weights give its value, and random weights its interval (see
`evaluation.intervals`). Where Model Monitor has the metric too, unweighted values equal those of evaluation.json.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

# rmse, log_loss ...: the others are better the higher they are. A test keeps them and the names in step with
# project/settings/quality.py.
LOWER_IS_BETTER = frozenset({"rmse", "mae", "mse", "mape", "pinball", "log_loss", "brier"})
# The possible values of metrics; errors have no upper end.
RANGES = {"r2": (-np.inf, 1.0), "mcc": (-1.0, 1.0)}


class Metrics(Protocol):
    """The metrics of n rows, or of n queries for a ranking.

    Attributes:
        deciding_rows: How many rows, or queries, could have been wrong: of the smaller class for two classes.
    """

    deciding_rows: int

    def compute(self, weights: np.ndarray, generator: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """Compute the metrics for each weighting, NaN where one is undefined.

        Args:
            weights: Shape (weightings, n).
            generator: Adds the uncertainty about the cells of a confusion matrix; None for the metrics themselves.

        Returns:
            Arrays of shape (weightings,) by name.
        """
        ...


def possible_values(name: str) -> tuple[float, float]:
    if name in RANGES:
        return RANGES[name]
    return (0.0, np.inf) if name in LOWER_IS_BETTER - {"brier"} else (0.0, 1.0)


def improvement(name: str) -> int:
    """Return the sign of a change of the metric that is an improvement."""
    return -1 if name in LOWER_IS_BETTER else 1
