"""Columns that the user's features.py makes of the features."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from analyzer.user_features import (
    DATETIME,
    NUMBER,
    TEXT,
    WORDS,
    FeaturesError,
    UserFeatures,
    first_difference,
    kind_of_missing,
    missing_values,
)
from preprocessing.columns import categories_of, is_number
from preprocessing.data_settings import DataSettings
from preprocessing.encoding import MOMENT, read_moments
from preprocessing.engine import Engine
from preprocessing.model_columns import feature_type
from preprocessing.report import DataError
from preprocessing.rows import Column, Rows

# The rows that say which columns the function returns, and that it is tested with one by one.
SAMPLE_ROWS = 100
STORED = {NUMBER: pa.float64(), TEXT: pa.string(), DATETIME: pa.int64()}


@dataclass(frozen=True)
class UserColumns:
    """Calls the function for batches of stored rows; the tasks of Spark get copies.

    Attributes:
        source: The content of the file.
        name: The name of the file.
        features: The features.
        types: The types of the features, by name.
        unavailable: What other columns are, which endpoints do not have.
        kinds: The kind of each column that the function returns.
        rows: What is known of the rows, for messages.
    """

    source: str
    name: str
    features: Sequence[Column]
    types: Mapping[str, str]
    unavailable: Mapping[str, str]
    kinds: Mapping[str, str]
    rows: Rows

    @property
    def schema(self) -> pa.Schema:
        """The columns to add to the stored rows."""
        return pa.schema([(f"made{place}", STORED[kind]) for place, kind in enumerate(self.kinds.values())])

    def load(self) -> UserFeatures:
        return UserFeatures(self.source, self.name, self.types, self.unavailable)

    def make(self, function: UserFeatures, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Make the columns of the schema for a batch of stored rows.

        Raises:
            DataError: The function fails, or returns something else than for other rows.
        """
        try:
            made = function.apply(self.inputs(batch), self.kinds)
        except FeaturesError as error:
            position = batch["position"][error.row or 0].as_py()
            place = "" if error.row is not None else "the chunk that begins with "
            raise DataError(f"{error} ({place}{self.rows.place(position)})") from error
        arrays = [as_arrow(made[name], kind) for name, kind in self.kinds.items()]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def inputs(self, batch: pa.RecordBatch | pa.Table) -> dict[str, np.ndarray]:
        """Return what the function gets, by the names of the features."""
        return {column.name: input_values(batch[column.sql], self.types[column.name]) for column in self.features}

    def columns(self) -> dict[str, Column]:
        """Return the stored columns that hold the results, by their names in the model."""
        names = {feature.name for feature in self.features}
        return {
            name: Column(
                f"{name} ({self.name})" if name in names else name,
                field.name,
                MOMENT if kind == DATETIME else field.type,
                field.type,
            )
            for (name, kind), field in zip(self.kinds.items(), self.schema, strict=True)
        }


def add_user_columns(
    engine: Engine, rows: Rows, features: Sequence[Column], options: argparse.Namespace
) -> tuple[Rows, dict[str, Column], dict[str, str]]:
    """Add the columns that features.py makes to the rows.

    Returns:
        The rows with these columns, the columns by their names in the model, and the kind of each.

    Raises:
        DataError: The function fails, or is not row-wise.
    """
    path: Path = options.features
    types = {feature.name: feature_type(feature, options.data_settings) for feature in features}
    unavailable = {name: "which is not a feature" for name in rows.types if name not in types}
    unavailable |= {options.target_column: "the target"}
    try:
        source = path.read_text(encoding="utf-8")
        function = UserFeatures(source, path.name, types, unavailable)
        user = UserColumns(source, path.name, features, types, unavailable, {}, rows)
        selected = ", ".join(column.sql for column in features)
        sample = engine.query(
            f"SELECT {selected}, position FROM {rows.table} ORDER BY row_key, position LIMIT {SAMPLE_ROWS}"
        )
        user = replace(user, kinds=find_kinds(function, user.inputs(sample), types))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); set data.features to a Python file") from error
    except FeaturesError as error:
        place = "" if error.row is None else f" ({rows.place(sample['position'][error.row].as_py())})"
        raise DataError(f"{error}{place}") from error
    check_settings(user, options.data_settings)
    engine.add_columns("featured", rows.table, user)
    made = user.columns()
    columns = {**rows.columns, **{column.name: column for column in made.values()}}
    return replace(rows, table="featured", columns=columns), made, dict(user.kinds)


def check_settings(user: UserColumns, settings: DataSettings) -> None:
    """Raise DataError if a setting names a column that cannot be used so."""
    for name in settings.encodings:
        if user.kinds.get(name) != TEXT:
            found = f"returns {WORDS[user.kinds[name]]} in it" if name in user.kinds else "does not return it"
            raise DataError(
                f"column {name!r} is in encodings, but {user.name} {found}; return texts, or remove it from encodings"
            )
    for name in settings.datetime_columns:
        if user.kinds.get(name, DATETIME) != DATETIME or (name not in user.types and name not in user.kinds):
            raise DataError(
                f"column {name!r} is in datetime_columns, but neither a feature nor a date that {user.name} returns; "
                "correct datetime_columns"
            )


def find_kinds(function: UserFeatures, inputs: Mapping[str, np.ndarray], types: Mapping[str, str]) -> dict[str, str]:
    """Find which columns the function returns, and check that it is row-wise.

    Raises:
        FeaturesError: It fails, or a row's results depend on other rows.
    """
    whole = function.inspect(inputs)
    kinds = {name: kind or kind_of_missing(values) for name, (kind, values) in whole.items()}
    whole_values = function.apply(inputs, kinds)
    for row in range(len(next(iter(inputs.values())))):
        alone = function.apply({name: values[row : row + 1] for name, values in inputs.items()}, kinds)
        for name, values in whole_values.items():
            if first_difference(values[row : row + 1], alone[name]) is not None:
                raise FeaturesError(
                    f"{function.name} is not row-wise: column {name!r} is {shown(values[row])} for a row among others "
                    f"and {shown(alone[name][0])} for the same row alone, as endpoints send it; compute it from the "
                    "row's own values (no mean, rank, shift or groupby), or use constants",
                    row,
                )
    try:
        function.apply({name: missing_values(kind_of(type_), 1) for name, type_ in types.items()}, kinds)
    except FeaturesError as error:
        # without the row, which is none of the sample
        raise FeaturesError(
            f"{error} (a record without any value, which an endpoint answers when it starts); handle missing values"
        ) from error
    return kinds


def shown(value: object) -> str:
    """Write a value for a message: 0.5 instead of np.float64(0.5)."""
    return str(value) if isinstance(value, np.generic) else repr(value)


def kind_of(type_: str) -> str:
    return type_ if type_ in (NUMBER, DATETIME) else TEXT


def input_values(values: Any, type_: str) -> np.ndarray:
    """Return what the function gets of a stored column."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if type_ == DATETIME:
        moments, is_present = read_moments(values)
        return np.where(is_present, moments.astype("datetime64[us]"), np.datetime64("NaT"))
    if is_number(values.type):
        return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    found = categories_of(values)
    texts = np.array([*found.dictionary.to_pylist(), None], object)
    return texts[found.indices.fill_null(len(texts) - 1).to_numpy()]


def as_arrow(values: np.ndarray, kind: str) -> pa.Array:
    if kind == NUMBER:
        return pa.array(values, mask=np.isnan(values))
    if kind == DATETIME:
        return pa.array(values.astype(np.int64), mask=np.isnat(values))
    return pa.array(values, pa.string())
