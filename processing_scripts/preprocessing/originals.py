"""The outputs that have the original values of the data: baseline, records and facets."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import is_whole_number
from preprocessing.profile import NumberProfile
from preprocessing.rows import Column, Rows
from preprocessing.targets import Labels

CSV, PARQUET = "csv", "parquet"
# Smaller numbers fit into a decimal of 38 digits.
MAX_DECIMAL = 1e38


class OriginalTable:
    """Columns of the data with their original values, and the target as its class if it is among them.

    Attributes:
        columns: The stored columns that it needs, by their names in SQL.
        schema: The columns, as they are written.
    """

    def __init__(self, columns: Iterable[Column], schema: pa.Schema, target: str, labels: Labels | None) -> None:
        self.columns = [column.sql for column in columns]
        self.schema = schema
        self._target, self._labels = target, labels

    def of(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Take the columns of rows of the view `placed`."""
        values = [self._values(rows[sql], field) for sql, field in zip(self.columns, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(values, schema=self.schema)

    def _values(self, stored: pa.Array, field: pa.Field) -> pa.Array:
        if field.name == self._target and self._labels is not None:
            return self._labels.labels.take(pc.index_in(stored, value_set=self._labels.values))
        # a whole number of more digits than a double holds is rounded, as in training
        return stored.cast(field.type, safe=field.type != pa.float64())


class Originals:
    """The outputs with original values.

    Attributes:
        baseline: The features of the training split.
        baseline_format: CSV or PARQUET.
        records: The features of the test split, with the columns of segments and facets.
        facets: The facets and the target of the training split; None without facets.
    """

    def __init__(
        self,
        rows: Rows,
        features: Sequence[Column],
        labels: Labels | None,
        profiles: Mapping[str, NumberProfile],
        options: argparse.Namespace,
    ) -> None:
        """Choose the columns.

        Args:
            rows: What is known of the rows.
            features: The features, as they are in the data.
            labels: The classes of the target, None for a regression.
            profiles: The columns of numbers.
            options: The parsed command line.
        """
        target = options.target_column
        facets = [*dict.fromkeys(options.facet_columns), *([target] if options.facet_columns else [])]
        segments = [name for name in options.segment_columns if name not in facets]
        names = list(dict.fromkeys([*(column.name for column in features), *segments, *facets]))
        types = {name: rows.columns[name].stored_type for name in names}
        # Clarify reads a column as numbers for sure only if they are doubles
        types |= dict.fromkeys(options.numeric_facet_columns, pa.float64())
        if facets:
            types[target] = pa.float64() if labels is None else labels.labels.type

        def table(names: Sequence[str]) -> OriginalTable:
            columns = [rows.columns[name] for name in names]
            return OriginalTable(columns, pa.schema([(name, types[name]) for name in names]), target, labels)

        self.records = table(names)
        self.facets = table(facets) if facets else None
        self.baseline_format: str = options.baseline_format
        schema = baseline_schema(features, profiles, options.baseline_format)
        self.baseline = OriginalTable(features, schema, target, labels)

    @property
    def columns(self) -> list[str]:
        """The stored columns of all outputs, by their names in SQL."""
        return [*dict.fromkeys([*self.records.columns, *self.baseline.columns])]


def baseline_schema(
    features: Sequence[Column], profiles: Mapping[str, NumberProfile], baseline_format: str
) -> pa.Schema:
    """Return the types of the baseline, with which a value looks in CSV as it does in a request.

    Whole doubles are written as 30.0, not as 30 like Arrow does; whole numbers beyond int64 without an exponent.
    """
    types = {column.name: column.stored_type for column in features}
    for column in features:
        if column.stored_type == pa.float64() and baseline_format == CSV:
            profile = profiles[column.name]
            if is_whole_number(column.type) and max(-(profile.minimum or 0), profile.maximum or 0) < MAX_DECIMAL:
                types[column.name] = pa.decimal128(38, 0)
            elif not profile.fractions:
                # Below 2^53 they fit into a decimal of 18 digits, one of them after the point.
                types[column.name] = pa.decimal128(18, 1)
    return pa.schema(types.items())
