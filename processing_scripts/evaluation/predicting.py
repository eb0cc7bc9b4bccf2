"""Predict the encoded test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.errors import EvaluationError
from evaluation.outcome import Outcome

# Columns after those of the model, where the data has them. There may be others, whose names begin with "@" as well.
WEIGHT, GROUP = "@weight", "@group"


def predict_split(booster: lgb.Booster, schema: Mapping[str, Any], folder: Path, alpha: float | None = None) -> Outcome:
    """Predict a split, a row group at a time: all of its files, in the order of their names.

    Args:
        booster: The model.
        schema: The content of schema.json.
        folder: The folder of the split's Parquet files.
        alpha: The quantile that a quantile regression predicts.

    Raises:
        EvaluationError: A file cannot be read or does not match the schema, or there is none.
    """
    target, extras = schema["target"], (WEIGHT, GROUP)
    features = [column["name"] for column in model_columns(schema)]
    scores: list[np.ndarray] = []
    columns: dict[str, list[np.ndarray]] = {name: [] for name in (target, *extras)}
    for path in sorted(folder.glob("*.parquet")):
        try:
            file = pq.ParquetFile(path)
            names = file.schema_arrow.names
            if names[: 1 + len(features)] != [target, *features]:
                raise EvaluationError(
                    f"the columns of {path} do not match the model's schema; use the outputs of one execution"
                )
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, [target, *features, *(name for name in extras if name in names)])
                # a worker of Spark that has no rows writes an empty file
                if not len(rows):
                    continue
                scores.append(scores_of(booster, schema, rows.select(features)))
                for name, values in columns.items():
                    if name in rows.column_names:
                        values.append(rows[name].to_numpy())
        except (OSError, pa.ArrowInvalid) as error:
            raise EvaluationError(
                f"{path} is not a readable test split ({error}); expected the test split of Preprocess"
            ) from error
    if not scores:
        raise EvaluationError(f"{folder} has no Parquet file with rows; expected the test split of Preprocess")
    truth, weights, groups = (np.concatenate(values) if values else None for values in columns.values())
    assert truth is not None
    return Outcome.from_scores(schema, np.concatenate(scores), truth, weights, groups, alpha)


def model_columns(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the model's columns as schema.json has them, in order: the features, or what is derived from them."""
    columns: Sequence[Mapping[str, Any]] = schema.get("columns") or [
        {**feature, "source": feature["name"]} for feature in schema["features"]
    ]
    return columns


def scores_of(booster: lgb.Booster, schema: Mapping[str, Any], rows: pa.Table) -> np.ndarray:
    """Predict encoded rows: the output of the model with the calibration of schema.json, as the endpoint answers.

    Returns:
        Shape (n,), or (n, classes) for more than two classes.
    """
    calibration = schema.get("calibration")
    if calibration is None:
        return np.asarray(booster.predict(rows))
    if calibration["method"] == "isotonic":
        return np.interp(np.asarray(booster.predict(rows)), calibration["x"], calibration["y"])
    raw = np.asarray(booster.predict(rows, raw_score=True))
    return 1 / (1 + np.exp(-(calibration["slope"] * raw + calibration["intercept"])))
