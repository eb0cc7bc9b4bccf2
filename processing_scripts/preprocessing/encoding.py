"""Encode a table as numbers for LightGBM, by a schema learned on the training split."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.values import category_text
from preprocessing.columns import BINARY, REGRESSION, is_number


def learn_schema(train: pa.Table, features: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Learn the content of schema.json: features and classes in their order, with the codes of categories."""
    features_json: list[dict[str, Any]] = []
    for name in features:
        if is_number(train[name].type):
            features_json.append({"name": name, "type": "number"})
        else:
            texts = {category_text(text) for text in train[name].unique().drop_null().to_pylist()}
            features_json.append({"name": name, "type": "category", "categories": sorted(texts)})
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
    """Encode a split by the schema, the target first; missing values and unknown categories become null."""
    target, classes = part[schema["target"]], schema["classes"]
    columns = {
        schema["target"]: target if classes is None else pc.index_in(target, value_set=pa.array(classes, target.type))
    }
    for feature in schema["features"]:
        values = part[feature["name"]]
        if feature["type"] == "category":
            codes = {text: code for code, text in enumerate(feature["categories"])}
            spellings = values.unique().drop_null()
            spelling_codes = pa.array([codes.get(category_text(text)) for text in spellings.to_pylist()], pa.int64())
            values = spelling_codes.take(pc.index_in(values, value_set=spellings).combine_chunks())
        columns[feature["name"]] = values
    return pa.table(columns)
