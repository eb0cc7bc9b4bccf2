"""samples.jsonl: records of the test split with the predictions that an endpoint must give for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.outcome import BINARY, MULTICLASS, Outcome
from evaluation.parquet_rows import take_rows

MAX_SAMPLES = 100


def sample_lines(outcome: Outcome, schema: Mapping[str, Any], records: Path) -> Iterator[str]:
    """Yield the lines: a record by its features' names, and the prediction as in the endpoint's JSON.

    Args:
        outcome: The predictions for the test split.
        schema: The content of schema.json.
        records: The folder of the raw test rows, in the order of the predictions.
    """
    rows = np.unique(np.linspace(0, len(outcome.truth) - 1, MAX_SAMPLES).round().astype(int))
    names = [feature["name"] for feature in schema["features"]]
    for row, record in zip(rows, take_rows(records, rows, names).to_pylist(), strict=True):
        line = {"record": record, "prediction": prediction(outcome, schema, int(row))}
        yield json.dumps(line, ensure_ascii=False, default=str) + "\n"


def prediction(outcome: Outcome, schema: Mapping[str, Any], row: int) -> dict[str, Any]:
    """Return what the endpoint answers."""
    classes = schema["classes"]
    scores = outcome.scores[row].tolist()
    if outcome.problem_type == BINARY:
        is_positive = int(outcome.predictions[row])
        probabilities = [1 - scores, scores]
        return {
            "label": classes[is_positive],
            "probability": scores,
            "confidence": probabilities[is_positive],
            "probabilities": by_class(classes, probabilities),
        }
    if outcome.problem_type == MULTICLASS:
        highest = max(scores)
        return {
            "label": classes[scores.index(highest)],
            "probability": highest,
            "probabilities": by_class(classes, scores),
        }
    return {"prediction": scores}


def by_class(classes: list[Any], probabilities: list[float]) -> dict[str, float]:
    return {str(name): value for name, value in zip(classes, probabilities, strict=True)}
