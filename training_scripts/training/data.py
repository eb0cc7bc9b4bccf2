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

# Columns after those of the model, each only where there is one.
EXTRAS = {"weight": "@weight", "group": "@group", "time": "@time"}
EXTRA_TYPES = {"weight": np.float64, "group": np.int64, "time": np.float64}


@dataclass(frozen=True)
class Split:
    """The rows of one split.

    Attributes:
        features: A column per column of the model, in the schema's order; null for a missing value. LightGBM reads it
            as it is.
        target: Shape (n,), the class index or the number to predict.
        weight: Shape (n,), the weights of the rows; None to weight all rows alike.
        group: Shape (n,), a number per group of rows; None without groups. Rows of a query, the group of a ranking,
            follow each other.
        time: Shape (n,), what orders the rows; None if nothing does.
    """

    features: pa.Table
    target: np.ndarray
    weight: np.ndarray | None = None
    group: np.ndarray | None = None
    time: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.target)

    @classmethod
    def of(cls, table: pa.Table, target: str) -> Split:
        """Take a table apart: the target, the columns of the model and the extra ones."""
        names = {*table.column_names}
        extras = {name: table[column].to_numpy() for name, column in EXTRAS.items() if column in names}
        features = table.drop_columns([target, *(EXTRAS[name] for name in extras)])
        return cls(features, table[target].to_numpy(), **extras)

    def to_table(self, target: str) -> pa.Table:
        """Put the columns into a table, as `of` takes it apart."""
        table = self.features.append_column(target, pa.array(self.target))
        for name, column in EXTRAS.items():
            if (values := getattr(self, name)) is not None:
                table = table.append_column(column, pa.array(values))
        return table

    def take(self, rows: np.ndarray) -> Split:
        """Select rows by their positions, shape (rows,)."""
        extras = {name: None if (own := getattr(self, name)) is None else own[rows] for name in EXTRAS}
        return Split(self.features.take(pa.array(rows)), self.target[rows], **extras)

    def sample(self, rows: int) -> Split:
        """Select at most so many rows, evenly among the rows ordered by their target.

        Both classes of a binary target are in the sample, however rare one of them is.
        """
        if len(self) <= rows:
            return self
        evenly = np.linspace(0, len(self) - 1, rows).astype(np.int64)
        return self.take(np.sort(np.argsort(self.target, kind="stable")[evenly]))

    def sample_groups(self, rows: int) -> Split:
        """Select whole groups, evenly among all, of about so many rows together."""
        if len(self) <= rows or self.group is None:
            return self
        starts = np.append(group_starts(self.group), len(self))
        groups = max(1, (len(starts) - 1) * rows // len(self))
        chosen = np.unique(np.linspace(0, len(starts) - 2, groups).astype(np.int64))
        return self.take(np.concatenate([np.arange(starts[index], starts[index + 1]) for index in chosen]))


def concatenate(splits: Sequence[Split]) -> Split:
    """Put the rows of splits after each other."""
    tables = [split.to_table("") for split in splits]
    return Split.of(pa.concat_tables(tables, promote_options="permissive"), "")


def group_starts(group: np.ndarray) -> np.ndarray:
    """Return the positions at which a group begins, of rows that follow each other by group."""
    return np.flatnonzero(np.append(True, np.diff(group) != 0)) if len(group) else np.empty(0, np.int64)


def group_sizes(split: Split) -> np.ndarray:
    """Count the rows of each group, in their order.

    Raises:
        TrainingError: The rows have no groups, or those of a group do not follow each other.
    """
    if split.group is None:
        raise TrainingError("a Ranking needs the column '@group' in its splits; run Preprocess with data.group_column")
    starts = group_starts(split.group)
    if len(np.unique(split.group)) < len(starts):
        raise TrainingError("the rows of a group do not follow each other; use splits written by Preprocess")
    return np.diff(np.append(starts, len(split)))


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
        # with the extra columns of other hosts' rows, so that all hosts exchange the same ones
        extras = {name: np.empty(0, EXTRA_TYPES[name]) for name in EXTRAS if name in schema}
        return Split(pa.table({name: pa.array([], pa.float32()) for name in names[1:]}), np.empty(0), **extras)
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
    return Split.of(pa.concat_tables(tables, promote_options="permissive"), schema["target"])


def weigh_classes(split: Split, schema: Mapping[str, Any]) -> np.ndarray:
    """Sum the weights of the rows of each class, as doubles, shape (classes,).

    Raises:
        TrainingError: The problem has no classes.
    """
    if schema["classes"] is None:
        raise TrainingError(
            f"class_weight is 'balanced', but a {schema['problem_type']} has no classes; set it to 'none'"
        )
    return np.bincount(split.target.astype(np.int64), split.weight, minlength=len(schema["classes"])).astype(np.float64)


def class_weights(totals: np.ndarray) -> np.ndarray:
    """Compute the balanced weight of each class, total / (classes * total of the class), from the total of each."""
    return totals.sum() / (len(totals) * np.where(totals > 0, totals, 1))


def row_weights(split: Split, by_class: np.ndarray | None) -> np.ndarray | None:
    """Return what training weights each row by: its own weight times that of its class, shape (n,); None for alike."""
    of_class = None if by_class is None else by_class[split.target.astype(np.int64)]
    if split.weight is None or of_class is None:
        return of_class if split.weight is None else split.weight
    return split.weight * of_class
