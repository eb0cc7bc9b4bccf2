"""The channels: schema.json and the encoded splits of Preprocess."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.errors import TrainingError


@dataclass(frozen=True)
class Split:
    """The rows of one split.

    Attributes:
        features: The model's columns, in the schema's order; null for a missing value. LightGBM reads it as it is.
        target: Shape (n,), the class index or the number to predict.
    """

    features: pa.Table
    target: np.ndarray

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: np.ndarray) -> Split:
        """Select rows by their positions, shape (rows,)."""
        return Split(self.features.take(pa.array(rows)), self.target[rows])

    def sample(self, rows: int) -> Split:
        """Select at most so many rows, evenly among the rows ordered by their target.

        Both classes of a binary target are in the sample, however rare one of them is.
        """
        if len(self) <= rows:
            return self
        evenly = np.linspace(0, len(self) - 1, rows).astype(np.int64)
        return self.take(np.sort(np.argsort(self.target, kind="stable")[evenly]))


def read_schema(folder: Path) -> dict[str, Any]:
    """Read the schema.json of a channel.

    Raises:
        TrainingError: The file is missing or is not JSON.
    """
    path = folder / "schema.json"
    try:
        schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot read {path} ({error}); expected the schema output of Preprocess") from error
    return schema


def model_columns(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return name, type and categories of the model's columns: the features, or what is derived from them."""
    columns: Sequence[Mapping[str, Any]] = schema.get("columns", schema["features"])
    return columns


def read_split(folder: Path, schema: Mapping[str, Any], is_sharded: bool = False) -> Split:
    """Read all Parquet files of a channel, in the order of their names.

    Args:
        folder: The folder of the channel.
        schema: The content of schema.json.
        is_sharded: Whether other hosts have other files of the channel, so that this one may have none.

    Raises:
        TrainingError: The folder has no Parquet file, or a file does not match the schema.
    """
    names = [schema["target"], *(column["name"] for column in model_columns(schema))]
    paths = sorted(folder.glob("*.parquet"))
    if not paths and is_sharded:
        return Split(pa.table({name: pa.array([], pa.float32()) for name in names[1:]}), np.empty(0))
    if not paths:
        raise TrainingError(f"channel folder {folder} has no Parquet file; expected a split written by Preprocess")
    tables = []
    for path in paths:
        try:
            table = pq.ParquetFile(path).read()
        except pa.ArrowInvalid as error:
            raise TrainingError(f"{path} is not an encoded split ({error}); run Preprocess again") from error
        # behind these there may be others, whose names begin with "@"
        if table.column_names[: len(names)] != names:
            raise TrainingError(
                f"the columns of {path} do not match schema.json; use the outputs of one Preprocess run"
            )
        tables.append(table)
    table = pa.concat_tables(tables, promote_options="permissive")
    return Split(table.select(names[1:]), table[schema["target"]].to_numpy())


def count_classes(target: np.ndarray, schema: Mapping[str, Any]) -> np.ndarray:
    """Count the rows of each class, as doubles, shape (classes,).

    Raises:
        TrainingError: The problem is a regression.
    """
    if schema["classes"] is None:
        raise TrainingError("class_weight is 'balanced', but a Regression has no classes; set it to 'none'")
    return np.bincount(target.astype(np.int64), minlength=len(schema["classes"])).astype(np.float64)


def class_weights(counts: np.ndarray) -> np.ndarray:
    """Compute the balanced weight of each class, rows / (classes * rows of the class), from the rows of each."""
    return counts.sum() / (len(counts) * np.maximum(counts, 1))
