"""What several sections of the report share: titles of metrics, tables, intervals, samples and bins of rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analyzer.reports.html import metric_number, section, sheet

TITLES = {"auc": "AUC", "au_prc": "AUPRC", "mae": "MAE", "mse": "MSE", "rmse": "RMSE", "mape": "MAPE", "r2": "R²"}
TITLES |= {"ndcg": "NDCG", "log_loss": "Log loss", "brier": "Brier score", "pinball": "Pinball loss"}
TITLES |= {"f1": "F1", "f0_5": "F0.5", "f2": "F2", "mcc": "MCC", "map": "MAP"}
TITLES |= {f"weighted_{name}": f"Weighted {TITLES[name]}" for name in ("f0_5", "f1", "f2")}
TITLES |= {"binary_logloss": "Log loss", "multi_logloss": "Log loss"}
MAX_POINTS = 1_500
MAX_BINS, MIN_ROWS_PER_BIN = 10, 20
CONSTANT_SUFFIX = "_best_constant_classifier"


def metric_title(name: str) -> str:
    """Return how the report names a metric; `ndcg@10` and `ndcg_at_10` are NDCG@10."""
    if at := re.fullmatch(r"(ndcg|map)(?:@|_at_)(\d+)", name):
        return f"{at[1].upper()}@{at[2]}"
    return TITLES.get(name, name.replace("_", " ").capitalize())


def defined(value: float | str | None) -> float | None:
    """Convert Model Monitor's "NaN" to None."""
    return None if isinstance(value, str) else value


def interval(metric: Mapping[str, Any]) -> str:
    """Return the 95 % interval of a metric of summary.json; empty if it has none."""
    lower, upper = metric.get("lower"), metric.get("upper")
    return "" if lower is None or upper is None else f"{metric_number(lower)} to {metric_number(upper)}"


def sampled(rows: int) -> np.ndarray:
    """Return the positions of at most MAX_POINTS rows, for a chart with a dot for each."""
    if rows <= MAX_POINTS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, MAX_POINTS, replace=False))


def equal_bins(values: np.ndarray) -> list[np.ndarray]:
    """Divide rows, ordered by their values, into up to ten bins of equally many; returns their positions."""
    return np.array_split(np.argsort(values, kind="stable"), np.clip(len(values) // MIN_ROWS_PER_BIN, 1, MAX_BINS))


def table_section(
    title: str, note: str, header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int] = ()
) -> str:
    return section(title, note, table_card(header, rows, text_columns))


def table_card(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int] = ()) -> str:
    return f'<div class="card sheet">{sheet(header, rows, text_columns)}</div>'
