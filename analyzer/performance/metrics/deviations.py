"""Metrics with their standard deviations over random samples of the rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from analyzer.performance.metrics.inputs import Array

Metrics = dict[str, float]

NOT_A_NUMBER = "NaN"

# Documented by AWS: the deviation over five random samples of 80 % of the data, reported for 200 rows and more.
DEVIATION_ROWS = 200
DEVIATION_SAMPLES = 5
DEVIATION_SHARE = 0.8
DEVIATION_SEED = 20


def with_deviations(metrics: Callable[[Array | slice], Metrics], rows: int) -> dict[str, dict[str, float | str]]:
    """Compute each metric over all rows, and its standard deviation over random samples.

    Args:
        metrics: Computes metrics by name, from a mask or slice of the rows.
        rows: Number of rows.

    Returns:
        ``{"value", "standard_deviation"}`` by name; "NaN" stands for undefined ones.
    """
    whole = metrics(slice(None))
    if rows < DEVIATION_ROWS:
        deviations = dict.fromkeys(whole, math.nan)
    else:
        generator = np.random.default_rng(DEVIATION_SEED)
        chosen = np.arange(rows) < round(DEVIATION_SHARE * rows)
        samples = [metrics(generator.permutation(chosen)) for _ in range(DEVIATION_SAMPLES)]
        deviations = {name: float(np.std([sample[name] for sample in samples])) for name in whole}
    return {
        name: {"value": json_number(value), "standard_deviation": json_number(deviations[name])}
        for name, value in whole.items()
    }


def json_number(value: float) -> float | str:
    """Return the value, or the string "NaN" if JSON cannot represent it."""
    return value if math.isfinite(value) else NOT_A_NUMBER
