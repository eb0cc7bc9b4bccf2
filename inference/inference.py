"""Serve a model: the four functions that SageMaker's scikit-learn serving container calls, in this order.

In, one record or many:
    text/csv               with or without a header; without one, all features in the model's order
    application/json       {"age": 31, "plan": "gold"}, a list of such, {"instances": [...]}, or arrays in the model's
                           order
    application/jsonlines  an object or an array on each line
With names, features may come in any order and be left out (they are then missing, as are null and an empty field); an
unknown name is refused. A category that training did not see counts as missing.

Out:
    application/json       {"predictions": [{"label": "yes", "probability": 0.83, "probabilities": {"no": 0.17, ...}}]},
                           of a regression {"predictions": [{"prediction": 152.3}]}
    application/jsonlines  one such prediction on each line
    text/csv               lines `prediction,probability` as in Evaluate's predictions.csv, where the prediction of two
                           classes is 0 or 1 (the positive class); of a regression `prediction` alone
The probability is that of the positive class of two, else that of the predicted class.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

BINARY, REGRESSION = "BinaryClassification", "Regression"
CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"

# as preprocess.py reads training data
MISSING = frozenset(("", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "<NA>", "#N/A"))
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

Record = Mapping[str, Any] | Sequence[Any]


class InputError(ValueError):
    """The request cannot be answered; the message names the row, the feature and what is wrong with its value."""


@dataclass(frozen=True)
class Feature:
    """codes: the number of each category; None for a number."""

    name: str
    codes: Mapping[str, int] | None


@dataclass(frozen=True)
class Model:
    booster: lgb.Booster
    problem_type: str
    features: tuple[Feature, ...]
    classes: tuple[Any, ...]


@dataclass(frozen=True)
class Request:
    """Records by name (mappings) or by position (sequences); the first one of a CSV body may be its header."""

    records: Sequence[Record]
    may_have_header: bool = False


@dataclass(frozen=True)
class Predictions:
    """scores: the model's output, shape (n,), or (n, classes) for more than two classes."""

    problem_type: str
    classes: tuple[Any, ...]
    scores: np.ndarray


def model_fn(model_dir: str) -> Model:
    """Load model.txt and schema.json; nothing in them can run code."""
    folder = Path(model_dir)
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    features = read_features(schema)
    booster = lgb.Booster(model_file=folder / "model.txt")
    if booster.num_feature() != len(features):
        raise ValueError(f"model.txt has {booster.num_feature()} features and schema.json {len(features)}; train again")
    return Model(booster, schema["problem_type"], features, tuple(schema["classes"] or ()))


def input_fn(body: bytes | str, content_type: str) -> Request:
    """Read a request body; what its values mean is for predict_fn, which knows the model.

    Raises:
        InputError: the body is not what the content type says, or the content type is none of the three.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in (CSV, JSON, JSON_LINES):
        raise InputError(f"content type {content_type!r} is not supported; send {CSV}, {JSON} or {JSON_LINES}")
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
    except UnicodeDecodeError as error:
        raise InputError(f"the body is not UTF-8: {error}") from error
    text = text.removeprefix("\ufeff")
    if media_type == CSV:
        return Request([row for row in csv.reader(io.StringIO(text)) if row], may_have_header=True)
    if media_type == JSON_LINES:
        lines = [line for line in text.splitlines() if line.strip()]
        return Request([parse_json(line, f"row {row}") for row, line in enumerate(lines, start=1)])
    content = parse_json(text, "the body")
    if isinstance(content, dict) and isinstance(content.get("instances"), list):
        return Request(content["instances"])
    if isinstance(content, list) and any(isinstance(item, dict | list) for item in content):
        return Request(content)
    return Request([content] if content != [] else [])


def predict_fn(request: Request, model: Model) -> Predictions:
    """Encode the records as training did, and predict.

    Raises:
        InputError: there is no record, or one does not fit the model's features.
    """
    records: list[Any] = list(request.records)
    if request.may_have_header and records and is_header(records[0], model.features):
        header, *rows = records
        records = [by_name(row, header, number) for number, row in enumerate(rows, start=1)]
    if not records:
        raise InputError("the request holds no record; send at least one")
    matrix = np.array([encode(record, model.features, row) for row, record in enumerate(records, start=1)])
    return Predictions(model.problem_type, model.classes, np.asarray(model.booster.predict(matrix)))


def output_fn(predictions: Predictions, accept: str) -> tuple[str, str]:
    """The response and its content type: the first of ``accept`` that there is.

    Raises:
        InputError: none of the accepted content types can be given.
    """
    for wanted in (part.partition(";")[0].strip().lower() for part in (accept or "*/*").split(",")):
        if wanted in (JSON, "*/*", "application/*"):
            return json.dumps({"predictions": described(predictions)}, ensure_ascii=False), JSON
        if wanted == JSON_LINES:
            return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in described(predictions)), JSON_LINES
        if wanted == CSV:
            return as_csv(predictions), CSV
    raise InputError(f"accept {accept!r} is not supported; ask for {JSON}, {JSON_LINES} or {CSV}")


# --- in ---


def read_features(schema: Mapping[str, Any]) -> tuple[Feature, ...]:
    def codes(categories: Sequence[str]) -> dict[str, int]:
        return {text: code for code, text in enumerate(categories)}

    return tuple(
        Feature(feature["name"], codes(feature["categories"]) if feature["type"] == "category" else None)
        for feature in schema["features"]
    )


def parse_json(text: str, place: str) -> Any:
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except ValueError as error:
        raise InputError(f"{place} is not JSON: {error}") from error


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value; send null for what is missing")


def is_header(row: Record, features: Sequence[Feature]) -> bool:
    """Whether the first CSV row names features rather than being a record that happens to hold such a text."""
    names = {feature.name for feature in features}
    if not any(cell.strip() in names for cell in row):
        return False
    return len(row) != len(features) or any(
        not (NUMBER.fullmatch(cell.strip()) if feature.codes is None else category_text(cell) in feature.codes)
        and cell.strip() not in MISSING
        for cell, feature in zip(row, features, strict=True)
    )


def by_name(row: Sequence[str], header: Sequence[str], number: int) -> Record:
    if len(row) != len(header):
        raise InputError(f"row {number} has {len(row)} fields, the header has {len(header)}")
    return {name.strip(): cell for name, cell in zip(header, row, strict=True)}


def encode(record: Record, features: Sequence[Feature], row: int) -> list[float]:
    """The record as numbers in the model's order, NaN for what is missing."""
    if isinstance(record, Mapping):
        values = {feature.name: record.get(feature.name) for feature in features}
        if len(record.keys() | values.keys()) > len(values):
            unknown = next(name for name in record if name not in values)
            raise InputError(f"row {row}: the model has no feature {unknown!r} (features: {', '.join(values)})")
        in_order: Sequence[Any] = [*values.values()]
    elif isinstance(record, list):
        in_order = record
    else:
        raise InputError(f"row {row} is neither an object nor an array")
    if len(in_order) != len(features):
        raise InputError(
            f"row {row} has {len(in_order)} values, the model has {len(features)} features; send names too"
        )
    return [
        as_number(value, feature.name, row) if feature.codes is None else as_code(value, feature, row)
        for value, feature in zip(in_order, features, strict=True)
    ]


def as_number(value: Any, name: str, row: int) -> float:
    text = value.strip() if isinstance(value, str) else value
    if text is None or (isinstance(text, str) and text in MISSING):
        return math.nan
    if isinstance(text, bool) or not (isinstance(text, int | float) or NUMBER.fullmatch(str(text))):
        raise InputError(f"row {row}: feature {name!r} is {shortened(value)}, not a number")
    try:
        number = float(text)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise InputError(f"row {row}: feature {name!r} is {shortened(value)}, beyond what a number can be")
    return number


def as_code(value: Any, feature: Feature, row: int) -> float:
    if isinstance(value, dict | list):
        raise InputError(f"row {row}: feature {feature.name!r} is {shortened(value)}, not a category")
    text = category_text(str(value))
    if value is None or text in MISSING or feature.codes is None:
        return math.nan
    return feature.codes.get(text, math.nan)


def category_text(value: str) -> str:
    """The text that stands for a category, however a file or a request spells it: preprocess.py has the same rule."""
    text = value.strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    return re.sub(r"^(-?(?:0|[1-9][0-9]*))\.0+$", r"\1", text)


def shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


# --- out ---


def described(predictions: Predictions) -> list[dict[str, Any]]:
    if predictions.problem_type == REGRESSION:
        return [{"prediction": score} for score in predictions.scores.tolist()]
    classes, result = predictions.classes, []
    for score in predictions.scores.tolist():
        probabilities = [1 - score, score] if predictions.problem_type == BINARY else score
        chosen = int(score >= 0.5) if predictions.problem_type == BINARY else int(np.argmax(score))
        probability = score if predictions.problem_type == BINARY else score[chosen]
        by_class = {str(label): value for label, value in zip(classes, probabilities, strict=True)}
        result.append({"label": classes[chosen], "probability": probability, "probabilities": by_class})
    return result


def as_csv(predictions: Predictions) -> str:
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    for item, score in zip(described(predictions), predictions.scores.tolist(), strict=True):
        if predictions.problem_type == REGRESSION:
            lines.writerow([score])
        elif predictions.problem_type == BINARY:
            lines.writerow([int(score >= 0.5), score])
        else:
            lines.writerow([item["label"], item["probability"]])
    return file.getvalue()
