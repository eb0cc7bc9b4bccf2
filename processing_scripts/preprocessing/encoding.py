"""Encode a table as numbers for LightGBM, by a schema learned on the training split."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import BINARY, REGRESSION, as_doubles, categories_of, category_texts, is_number


def learn_schema(train: pa.Table, features: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Learn the content of schema.json: features and classes in their order, with the codes of categories."""
    features_json: list[dict[str, Any]] = []
    for name in features:
        if is_number(train[name].type):
            features_json.append({"name": name, "type": "number"})
        else:
            categories = category_texts(train[name].unique().drop_null()).unique()
            features_json.append({"name": name, "type": "category", "categories": sorted(categories.to_pylist())})
    classes = None
    if options.problem_type != REGRESSION:
        classes = sorted(train[options.target_column].unique().to_pylist())
        if options.problem_type == BINARY and options.positive_class is not None:
            classes.sort(key=lambda label: str(label) == options.positive_class)
    return {
        "version": 1,
        "problem_type": options.problem_type,
        "target": options.target_column,
        "features": features_json,
        "classes": classes,
    }


def encode(part: pa.Table, schema: Mapping[str, Any]) -> pa.Table:
    """Encode a split by the schema, the target first; missing values and unknown categories become null.

    All columns are floats: 32 bits wide if that changes no value, else 64.
    """
    target, classes = part[schema["target"]], schema["classes"]
    if classes is not None:
        target = pc.index_in(target, value_set=pa.array(classes, target.type))
    elif pa.types.is_decimal(target.type):
        target = as_doubles(target)
    columns = {schema["target"]: as_floats(target)}
    for feature in schema["features"]:
        values = part[feature["name"]]
        if feature["type"] == "category":
            found = categories_of(values)
            codes = pc.index_in(found.dictionary, value_set=pa.array(feature["categories"], pa.string()))
            values = codes.take(found.indices)
        elif pa.types.is_decimal(values.type):
            values = as_doubles(values)
        columns[feature["name"]] = as_floats(values)
    return pa.table(columns)


def as_floats(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert numbers to floats of 32 bits if that changes no value, else to floats of 64 bits."""
    doubles = numbers.cast(pa.float64(), safe=False)
    floats = doubles.cast(pa.float32(), safe=False)
    is_same = pc.all(pc.equal(floats.cast(pa.float64()), doubles)).as_py()
    return doubles if is_same is False else floats
