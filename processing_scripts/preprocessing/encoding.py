"""Encode rows as numbers for LightGBM, by a schema learned on the training split."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.datetimes import CYCLES, PARTS, TABLES, microseconds
from analyzer.value_formats import PLAIN, ValueFormat
from preprocessing.columns import BINARY, categories_of, category_texts
from preprocessing.data_settings import TARGET
from preprocessing.encodings import FOLDS, Encoding
from preprocessing.engine import Engine
from preprocessing.extras import Extra
from preprocessing.model_columns import CATEGORY, TEXT, ModelColumn, feature_type
from preprocessing.profile import NumberProfile
from preprocessing.rows import Column
from preprocessing.targets import Labels

# The type of dates and times that are stored as microseconds since 1970.
MOMENT = pa.timestamp("us")


def ordered_classes(labels: Labels | None, options: argparse.Namespace) -> list[Any] | None:
    """Return the classes, the positive one of two last; None for a regression."""
    if labels is None:
        return None
    # A class may be missing from the training split, which is an error of its own.
    classes = [*labels.counts]
    if options.problem_type == BINARY and options.positive_class is not None:
        classes.sort(key=lambda label: str(label) == options.positive_class)
    return classes


def learn_categories(engine: Engine, columns: Sequence[ModelColumn]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Learn the categories of the model's columns from the training rows of the view `placed`.

    Returns:
        The categories of each column; and by column, how many categories outside the training split are not in them.
    """
    categories, unseen = {}, {}
    for column in columns:
        if column.type == CATEGORY:
            sql = column.source.sql
            found = engine.query(
                f"SELECT {sql} AS value, min(split) AS split FROM placed WHERE {sql} IS NOT NULL GROUP BY {sql}"
            )
            texts = category_texts(found["value"])
            known = set(texts.filter(pc.equal(found["split"], 0)).to_pylist())
            categories[column.name] = sorted(known)
            unseen[column.name] = len(texts.unique()) - len(known)
    return categories, unseen


def make_schema(
    features: Sequence[Column],
    columns: Sequence[ModelColumn],
    categories: Mapping[str, Sequence[str]],
    encodings: Mapping[str, Encoding],
    classes: Sequence[Any] | None,
    extras: Sequence[Extra],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Make the content of schema.json: the features that clients send, and the model's columns where they differ."""
    features_json: list[dict[str, Any]] = []
    for feature in features:
        type_ = feature_type(feature, options.data_settings)
        if type_ == CATEGORY and options.features is not None:
            # only the columns that features.py returns have categories
            type_ = TEXT
        known = {"categories": categories[feature.name]} if type_ == CATEGORY else {}
        features_json.append({"name": feature.name, "type": type_, **format_of(feature.name, options), **known})
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
    if options.features is not None:
        schema["code"] = options.features.name
    if options.features is not None or any(column.is_derived for column in columns):
        names = {feature.name for feature in features}
        schema["columns"] = [column_json(column, names, categories, encodings) for column in columns]
    return schema


def column_json(
    column: ModelColumn,
    features: Collection[str],
    categories: Mapping[str, Sequence[str]],
    encodings: Mapping[str, Encoding],
) -> dict[str, Any]:
    described: dict[str, Any] = {"name": column.name, "type": column.type}
    if column.is_derived or column.made_of in features:
        described["source"] = column.made_of
    if column.type == CATEGORY:
        described["categories"] = categories[column.name]
    if column.part is not None:
        described["part"] = column.part
    if column.encoding is not None:
        encoding = encodings[column.name]
        described |= {"encoding": column.encoding, "values": encoding.values, "default": encoding.default}
    return described


def format_of(column: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return how the values of a column are written, for schema.json; nothing for plain values."""
    value_format: ValueFormat = options.column_formats.by_column.get(column, PLAIN)
    found: dict[str, Any] = {"format": value_format.kind} if value_format.kind else {}
    if value_format.has_decimal_comma:
        found["decimal"] = ","
    return found | ({"normalize": True} if value_format.normalize else {})


class Encoder:
    """Encodes rows: the target first; missing values and unknown categories become null.

    Attributes:
        columns: The stored columns that it needs, by their names in SQL.
        schema: The encoded columns: floats of 32 bits if that changes no value of a column, else of 64.
    """

    def __init__(
        self,
        target: Column,
        columns: Sequence[ModelColumn],
        categories: Mapping[str, Sequence[str]],
        encodings: Mapping[str, Encoding],
        classes: Sequence[Any] | None,
        labels: Labels | None,
        profiles: Mapping[str, NumberProfile],
    ) -> None:
        self._target, self._model_columns, self._encodings = target, columns, encodings
        # the values of a target, and the index of each one's class; None for a regression
        self._classes = None
        if labels is not None:
            codes = pc.index_in(labels.labels, value_set=pa.array(classes, labels.labels.type))
            self._classes = labels.values, codes
        self._categories = {name: pa.array(texts, pa.string()) for name, texts in categories.items()}
        keys = ["feature_key"] if any(encoding.folded for encoding in encodings.values()) else []
        self.columns = [*dict.fromkeys([target.sql, *(column.source.sql for column in columns), *keys])]
        is_double = labels is None and profiles[target.name].doubles
        self.schema = pa.schema(
            [
                (target.name, pa.float64() if is_double else pa.float32()),
                *((column.name, self._type(column, profiles)) for column in columns),
            ]
        )

    def encode(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Encode rows of one split of the view `placed`."""
        target = batch[self._target.sql]
        if self._classes:
            known, codes = self._classes
            target = codes.take(pc.index_in(target, value_set=known))
        moments: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        encoded = [target]
        for column in self._model_columns:
            sql = column.source.sql
            if column.part is not None:
                if sql not in moments:
                    is_read = column.source.type == MOMENT
                    moments[sql] = as_moments(batch[sql]) if is_read else read_moments(batch[sql])
                encoded.append(part_of(*moments[sql], column.part))
            elif column.encoding is not None:
                encoded.append(self._encoding(batch, column))
            elif column.name in self._categories:
                found = categories_of(batch[sql])
                codes = pc.index_in(found.dictionary, value_set=self._categories[column.name])
                encoded.append(codes.take(found.indices))
            else:
                encoded.append(batch[sql])
        cast = [values.cast(field.type, safe=False) for values, field in zip(encoded, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(cast, schema=self.schema)

    def _encoding(self, batch: pa.RecordBatch, column: ModelColumn) -> pa.Array:
        is_training = len(batch) > 0 and batch["split"][0].as_py() == 0
        folds = batch["feature_key"].to_numpy() % FOLDS if is_training and column.encoding == TARGET else None
        numbers = self._encodings[column.name].encode(categories_of(batch[column.source.sql]), folds)
        return pa.array(numbers, mask=np.isnan(numbers))

    def _type(self, column: ModelColumn, profiles: Mapping[str, NumberProfile]) -> pa.DataType:
        # a part is a small whole number
        if column.is_derived:
            return pa.float32() if column.part in PARTS else pa.float64()
        is_double = column.type != CATEGORY and profiles[column.source.name].doubles
        return pa.float64() if is_double else pa.float32()


def as_moments(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the microseconds since 1970, and where there is a value: each of shape (n,)."""
    return values.fill_null(0).to_numpy(), values.is_valid().to_numpy(zero_copy_only=False)


def read_moments(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Read dates and times: the microseconds since 1970, shape (n,), and where there is a value, shape (n,)."""
    codes = values.dictionary_encode()
    read = [microseconds(value) for value in codes.dictionary.to_pylist()]
    known = np.array([moment or 0 for moment in read] or [0])
    is_known = np.array([moment is not None for moment in read] or [False])
    places = codes.indices.fill_null(0).to_numpy()
    return known[places], is_known[places] & codes.indices.is_valid().to_numpy(zero_copy_only=False)


def part_of(moments: np.ndarray, is_present: np.ndarray, part: str) -> pa.Array:
    if part in PARTS:
        return pa.array(PARTS[part](moments).astype(np.float64), mask=~is_present)
    name = part.rpartition("_")[0]
    return pa.array(np.array(TABLES[part])[PARTS[name](moments) - CYCLES[name][0]], mask=~is_present)
