"""What several sections of the report share: titles of metrics, tables, intervals."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from analyzer.reports.html import metric_number, section, sheet

TITLES = {"auc": "AUC", "au_prc": "AUPRC", "mae": "MAE", "mse": "MSE", "rmse": "RMSE", "mape": "MAPE", "r2": "R²"}
TITLES |= {"ndcg": "NDCG", "log_loss": "Log loss", "brier": "Brier score", "pinball": "Pinball loss"}
TITLES |= {"f1": "F1", "f0_5": "F0.5", "f2": "F2", "mcc": "MCC", "map": "MAP"}
TITLES |= {f"weighted_{name}": f"Weighted {TITLES[name]}" for name in ("f0_5", "f1", "f2")}
TITLES |= {"binary_logloss": "Log loss", "multi_logloss": "Log loss"}
CONSTANT_SUFFIX = "_best_constant_classifier"


def metric_title(name: str) -> str:
    """Return how the report names a metric; `ndcg@10` and `ndcg_at_10` are NDCG@10."""
    if at := re.fullmatch(r"(ndcg|map)(?:@|_at_)(\d+)", name):
        return f"{at[1].upper()}@{at[2]}"
    return TITLES.get(name, name.replace("_", " ").capitalize())


def finite(value: float | str | None) -> float | None:
    """Convert Model Monitor's "NaN" to None."""
    return None if isinstance(value, str) else value


def interval(metric: Mapping[str, Any]) -> str:
    """Return the 95 % interval of a metric of summary.json; empty if it has none."""
    lower, upper = finite(metric.get("lower")), finite(metric.get("upper"))
    return "" if lower is None or upper is None else f"{metric_number(lower)} to {metric_number(upper)}"


def table_section(
    title: str, note: str, header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int] = ()
) -> str:
    return section(title, note, table_card(header, rows, text_columns))


def table_card(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int] = ()) -> str:
    return f'<div class="card sheet">{sheet(header, rows, text_columns)}</div>'
