"""Encode rows as numbers for LightGBM, by a schema learned on the training split."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.value_formats import PLAIN, ValueFormat
from preprocessing.columns import BINARY, categories_of, category_texts, is_number
from preprocessing.engine import Engine
from preprocessing.extras import Extra
from preprocessing.profile import NumberProfile
from preprocessing.rows import Column
from preprocessing.targets import Labels


def learn_schema(
    engine: Engine,
    features: Sequence[Column],
    labels: Labels | None,
    extras: Sequence[Extra],
    options: argparse.Namespace,
) -> tuple[dict[str, Any], dict[str, int]]:
    """Learn the content of schema.json from the view `placed`: features and classes in their order, and the categories.

    Returns:
        The schema; and by feature, how many categories outside the training split are not in it.
    """
    features_json: list[dict[str, Any]] = []
    unseen = {}
    for column in features:
        if is_number(column.stored_type):
            features_json.append({"name": column.name, "type": "number", **format_of(column.name, options)})
            continue
        found = engine.query(
            f"SELECT {column.sql} AS value, min(split) AS split FROM placed WHERE {column.sql} IS NOT NULL "
            f"GROUP BY {column.sql}"
        )
        categories = category_texts(found["value"])
        known = set(categories.filter(pc.equal(found["split"], 0)).to_pylist())
        features_json.append(
            {
                "name": column.name,
                "type": "category",
                **format_of(column.name, options),
                "categories": sorted(known),
            }
        )
        unseen[column.name] = len(categories.unique()) - len(known)
    classes = None
    if labels is not None:
        # A class may be missing from the training split, which is an error of its own.
        classes = [*labels.counts]
        if options.problem_type == BINARY and options.positive_class is not None:
            classes.sort(key=lambda label: str(label) == options.positive_class)
    schema = {
        "version": 2,
        "problem_type": options.problem_type,
        "target": options.target_column,
        "features": features_json,
        "classes": classes,
        **{extra.role: extra.source for extra in extras},
    }
    if options.column_formats.missing_texts:
        schema["missing_values"] = sorted(options.column_formats.missing_texts)
    return schema, unseen


def format_of(column: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return how the values of a column are written, for schema.json; nothing for plain values."""
    value_format: ValueFormat = options.column_formats.by_column.get(column, PLAIN)
    found: dict[str, Any] = {"format": value_format.kind} if value_format.kind else {}
    if value_format.has_decimal_comma:
        found["decimal"] = ","
    return found | ({"normalize": True} if value_format.normalize else {})


class Encoder:
    """Encodes rows by a schema: the target first; missing values and unknown categories become null.

    Attributes:
        columns: The columns to encode.
        schema: The encoded columns: floats of 32 bits if that changes no value of a column, else of 64.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        columns: Mapping[str, Column],
        labels: Labels | None,
        profiles: Mapping[str, NumberProfile],
    ) -> None:
        self._target = schema["target"]
        # the values of a target, and the index of each one's class; None for a regression
        self._classes = None
        if labels is not None:
            codes = pc.index_in(labels.labels, value_set=pa.array(schema["classes"], labels.labels.type))
            self._classes = labels.values, codes
        self._categories = {
            feature["name"]: pa.array(feature["categories"], pa.string())
            for feature in schema["features"]
            if feature["type"] == "category"
        }
        names = [schema["target"], *(feature["name"] for feature in schema["features"])]
        self.columns = [columns[name] for name in names]
        self.schema = pa.schema(
            (name, pa.float64() if self._is_number(name) and profiles[name].doubles else pa.float32()) for name in names
        )

    def encode(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Encode rows of the view `placed`."""
        encoded = []
        for column, field in zip(self.columns, self.schema, strict=True):
            values = batch[column.sql]
            if self._classes and column.name == self._target:
                known, codes = self._classes
                values = codes.take(pc.index_in(values, value_set=known))
            elif column.name in self._categories:
                found = categories_of(values)
                codes = pc.index_in(found.dictionary, value_set=self._categories[column.name])
                values = codes.take(found.indices)
            encoded.append(values.cast(field.type, safe=False))
        return pa.RecordBatch.from_arrays(encoded, schema=self.schema)

    def _is_number(self, name: str) -> bool:
        return name not in self._categories and (self._classes is None or name != self._target)
