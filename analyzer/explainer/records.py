"""Records in requests and in the model's responses, in CSV and JSON Lines."""

from __future__ import annotations

import ast
import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from analyzer import QualityError
from analyzer.explainer.config import CSV, JSON_LINES, ExplainerConfig, media_type


class RecordsError(QualityError):
    """Records that the explainer cannot read; the message says which, and what it expects."""


def read_features(text: str, content_type: str, config: ExplainerConfig) -> list[list[str]]:
    """Return the features of each record.

    They stay texts, CSV's fields or JSON's values, so that the model gets each value as it was sent.

    Raises:
        RecordsError: The content type is not supported, or the text does not have it.
    """
    kind = media_type(content_type)
    if kind == CSV:
        rows = list(_csv_rows(text))
    elif kind == JSON_LINES:
        rows = [[json.dumps(value) for value in _json_features(record, config)] for record in _json_lines(text)]
    else:
        raise RecordsError(f"explanations need records of {CSV} or {JSON_LINES}, got {content_type!r}")
    if not rows:
        raise RecordsError("there are no records")
    if any(len(row) != len(rows[0]) for row in rows):
        raise RecordsError("the records have different numbers of features")
    return rows


def write_features(rows: Sequence[Sequence[str]], content_type: str, config: ExplainerConfig) -> list[str]:
    """Return the model's text of each record, in the content type of a request.

    Raises:
        RecordsError: JSON records need a ContentTemplate.
    """
    if media_type(content_type) == CSV:
        return [_csv_line(row) for row in rows]
    template = config.template
    if template is None or "$features" not in template:
        raise RecordsError("ContentTemplate with the placeholder $features is required for JSON Lines")
    return [template.replace("$features", f"[{','.join(row)}]") for row in rows]


def read_predictions(text: str, content_type: str) -> list[Any]:
    """Return the prediction for each record: a list of CSV's fields, or a JSON value.

    Raises:
        RecordsError: The content type is not supported, or the text does not have it.
    """
    kind = media_type(content_type)
    if kind == CSV:
        return [[_field(field) for field in row] for row in _csv_rows(text)]
    if kind == JSON_LINES:
        return list(_json_lines(text))
    raise RecordsError(
        f"explanations need predictions of {CSV} or {JSON_LINES}, but the model responded with {content_type!r}; "
        "pass Accept"
    )


def scores(prediction: Any, config: ExplainerConfig) -> list[float]:
    """Return the scores in a prediction, one for each output of the model.

    Raises:
        RecordsError: They are not numbers, or are not where the configuration says.
    """
    found: Any = prediction
    if isinstance(prediction, dict):
        if config.probability is None:
            raise RecordsError("ProbabilityAttribute is required: the model's predictions are JSON objects")
        found = config.probability.search(prediction)
        if found is None:
            raise RecordsError(f"{config.probability} finds nothing in the prediction {str(prediction)[:100]}")
    elif isinstance(prediction, list) and config.probability_index is not None:
        if config.probability_index >= len(prediction):
            raise RecordsError(
                f"ProbabilityIndex is {config.probability_index}, but the model's predictions have "
                f"{len(prediction)} columns"
            )
        found = prediction[config.probability_index]
    values = found if isinstance(found, list) else [found]
    if not values or any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        raise RecordsError(f"the model's predictions are not numbers: {str(found)[:100]!r}")
    return [float(value) for value in values]


def label_headers(prediction: Any, config: ExplainerConfig) -> list[str]:
    """Return the names of the outputs: the configured ones, or those in a prediction; empty if there are none."""
    found: Any = None
    if isinstance(prediction, list) and config.label_index is not None and config.label_index < len(prediction):
        found = prediction[config.label_index]
    elif isinstance(prediction, dict) and config.label is not None:
        found = config.label.search(prediction)
    if config.label_headers or found is None:
        return config.label_headers
    return [str(name) for name in (found if isinstance(found, list) else [found])]


def _csv_rows(text: str) -> Iterator[list[str]]:
    try:
        yield from (row for row in csv.reader(io.StringIO(text, newline="")) if row)
    except csv.Error as error:
        raise RecordsError(f"the payload is not CSV: {error}") from error


def _csv_line(row: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(row)
    return line.getvalue()


def _json_lines(text: str) -> Iterator[Any]:
    for line in text.split("\n"):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise RecordsError(f"the payload is not JSON Lines: {error}") from error


def _json_features(record: Any, config: ExplainerConfig) -> list[Any]:
    # a record of the baseline may be the features themselves
    features = config.features.search(record) if isinstance(record, dict) and config.features is not None else record
    if not isinstance(features, list):
        raise RecordsError(
            f"{str(record)[:100]!r} has no list of features; FeaturesAttribute is its JMESPath expression"
        )
    return features


def _field(text: str) -> Any:
    """Return the value of a CSV field: a number, a list, or the text."""
    try:
        return float(text)
    except ValueError:
        pass
    if text.lstrip().startswith("["):
        try:
            return ast.literal_eval(text.strip())
        # of a list, or a dictionary with one as a key
        except (ValueError, SyntaxError, TypeError):
            pass
    return text
