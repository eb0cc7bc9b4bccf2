"""What the contenders of Kernel SHAP are measured on, with the packages of either environment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow.parquet as pq

RECORDS, BASELINE_ROWS = 100, 5
# A function of few features has its exact values, by all 4,094 subsets.
FEATURES, FEW_SAMPLES = 12, 15

Explain = Callable[[Callable[[np.ndarray], np.ndarray], np.ndarray, np.ndarray, "int | None"], np.ndarray]


def measure(explain: Explain, folder: Path, started: float) -> None:
    """Print the seconds of the start and of each record of the benchmark's model, and how wrong few samples are.

    Args:
        explain: Takes a model, a baseline, records and the number of samples (None for the default); returns the
            values, shape (records, features).
        folder: The folder of the benchmark's data.
        started: When the process started, before it imported its packages.
    """
    imported = time.perf_counter()
    booster = lgb.Booster(model_file=folder / "model" / "model.txt")
    rows = next(pq.ParquetFile(folder / "records.parquet").iter_batches(RECORDS + BASELINE_ROWS))
    values = np.column_stack([column.to_numpy() for column in rows.columns])
    start = time.perf_counter()
    explain(booster.predict, values[:BASELINE_ROWS], values[BASELINE_ROWS:], None)
    seconds = time.perf_counter() - start
    generator = np.random.default_rng(1)
    weights, baseline, records = (generator.normal(size=(rows, FEATURES)) for rows in (1, 1, 200))

    def probability(matrix: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(matrix @ weights[0] + matrix[:, 0] * matrix[:, 1])))

    exact = explain(probability, baseline, records, 2**FEATURES - 2)
    few = explain(probability, baseline, records, FEW_SAMPLES)
    errors = np.abs(few - exact)
    print(
        json.dumps(
            {
                "start_seconds": imported - started,
                "record_milliseconds": 1000 * seconds / RECORDS,
                "median_error": float(np.median(errors)),
                "largest_error": float(errors.max()),
                "largest_value": float(np.abs(exact).max()),
            }
        )
    )
