"""Why the model predicts what it predicts: exact TreeSHAP values by LightGBM's own `pred_contrib`.

The contributions of a row's columns and the base value sum to the raw score (the log-odds of two classes, for
instance). They take thousands of times as long as a prediction, so that only a sample of the test rows is explained:
as many as take about half a second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from analyzer.reports.html import percent
from evaluation.outcome import BINARY, MULTICLASS, QUERIES, RANKING, Outcome
from evaluation.parquet_rows import take_rows
from evaluation.predicting import model_columns

# A contribution takes 90 to 250 ns for each leaf of the model, so that this is about half a second. The number of
# rows depends on the model alone, not on the clock, so that a second evaluation writes the same bytes.
LEAVES_TO_VISIT = 2_500_000
MIN_ROWS, MAX_ROWS = 25, 1_000


@dataclass(frozen=True)
class ExplainedRecord:
    """A test row with the reasons of its prediction.

    Attributes:
        title: Which row it is, such as "Largest error".
        actual, predicted: The texts of the label and of the prediction.
        output: The name of the explained output: the predicted class of several; None for a single one.
        values: The value of each column as a text.
        contributions: Shape (columns,).
        base: The raw score without any contribution.
        score: The raw score.
    """

    title: str
    actual: str
    predicted: str
    output: str | None
    values: Sequence[str]
    contributions: np.ndarray
    base: float
    score: float


@dataclass(frozen=True)
class Explanations:
    """The explained rows of the test split.

    Attributes:
        columns: The model's columns as in schema.json, in order, each with its type and categories.
        outputs: The names of the outputs: the classes if there are more than two; otherwise one name.
        values: Shape (rows, columns), the encoded values; NaN is missing.
        contributions: Shape (rows, outputs, columns).
        test_rows: How many rows the test split has.
        records: Those with the smallest, the median and the largest error of all test rows.
        is_prediction: Whether the raw score is the prediction, so that contributions are in units of the target.
    """

    columns: Sequence[Mapping[str, Any]]
    outputs: Sequence[str]
    values: np.ndarray
    contributions: np.ndarray
    test_rows: int
    records: Sequence[ExplainedRecord]
    is_prediction: bool

    @property
    def importance(self) -> np.ndarray:
        """The mean absolute contribution, shape (outputs, columns)."""
        return np.abs(self.contributions).mean(axis=0)


def explain(
    booster: lgb.Booster, schema: Mapping[str, Any], outcome: Outcome, test: Path, records: Path | None
) -> Explanations:
    """Explain a sample of the test rows, and three of them by name.

    Args:
        booster: The model.
        schema: The content of schema.json.
        outcome: The predictions for all test rows.
        test: The folder of the encoded test split.
        records: The folder of the same rows with their original values, if there is one.
    """
    leaves = sum(map(int, re.findall(r"^num_leaves=(\d+)$", booster.model_to_string(), re.MULTILINE)))
    rows = len(outcome.truth)
    size = int(np.clip(LEAVES_TO_VISIT // max(leaves, 1), MIN_ROWS, MAX_ROWS))
    sample = np.arange(rows) if rows <= size else np.random.default_rng(0).choice(rows, size, replace=False)
    sample.sort()
    named = named_rows(errors(outcome))
    positions = np.union1d(sample, list(named.values()))

    columns = model_columns(schema)
    encoded = take_rows(test, positions, [column["name"] for column in columns])
    contributions, bases = contributions_of(booster, encoded)
    values = np.column_stack([_doubles(column) for column in encoded.columns])
    originals = take_rows(records, sorted(set(named.values()))).to_pylist() if records else []
    original = dict(zip(sorted(set(named.values())), originals, strict=bool(records)))

    multiclass = outcome.problem_type == MULTICLASS
    explained = []
    for title, position in named.items():
        index = int(np.searchsorted(positions, position))
        output = int(outcome.scores[position].argmax()) if multiclass else 0
        explained.append(
            ExplainedRecord(
                title=title,
                actual=_label(outcome, outcome.labels[position]),
                predicted=_prediction(outcome, position),
                output=str(outcome.classes[output]) if multiclass else None,
                values=_texts(columns, values[index], original.get(position, {})),
                contributions=contributions[index, output],
                base=float(bases[output]),
                score=float(contributions[index, output].sum() + bases[output]),
            )
        )
    in_sample = np.searchsorted(positions, sample)
    outputs = [str(name) for name in outcome.classes] if multiclass else [str(schema["target"])]
    raw = contributions.sum(axis=2) + bases
    is_prediction = outcome.scores.ndim == 1 and bool(np.allclose(raw[:, 0], outcome.scores[positions], atol=1e-9))
    return Explanations(columns, outputs, values[in_sample], contributions[in_sample], rows, explained, is_prediction)


def contributions_of(booster: lgb.Booster, encoded: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Compute the contributions and the base values, whose sum is the raw score.

    Returns:
        Contributions of shape (rows, outputs, columns) and bases of shape (outputs,).
    """
    found = np.asarray(booster.predict(encoded, pred_contrib=True))
    found = found.reshape(len(encoded), booster.num_model_per_iteration(), -1)
    return found[:, :, :-1], found[0, :, -1]


def errors(outcome: Outcome) -> np.ndarray:
    """Return how wrong the prediction of each row is, shape (n,): the distance to the number or to a probability of 1.

    For a ranking, it is the number of places between a row's place by score and its place by relevance, in its query.
    """
    if outcome.problem_type == MULTICLASS:
        return 1 - outcome.scores[np.arange(len(outcome.truth)), outcome.truth]
    if outcome.problem_type == RANKING:
        assert outcome.groups is not None, QUERIES
        return np.abs(places(outcome.scores, outcome.groups) - places(outcome.truth, outcome.groups))
    return np.abs(outcome.truth - outcome.scores)


def places(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the place of each row in its group, from 1 for the largest value; equal values share their mean place."""
    _, group = np.unique(groups, return_inverse=True)
    order = np.lexsort((-values, group))
    starts_group = np.append(True, np.diff(group[order]) != 0)
    starts_run = starts_group | np.append(True, np.diff(values[order]) != 0)
    position = np.arange(len(order))
    place = position - np.maximum.accumulate(np.where(starts_group, position, 0)) + 1
    run = np.cumsum(starts_run) - 1
    found = np.empty(len(order))
    found[order] = (np.bincount(run, place) / np.bincount(run))[run]
    return found


def named_rows(errors: np.ndarray) -> dict[str, int]:
    """Return the position of the row with the largest, the median and the smallest error, by title."""
    order = np.argsort(errors, kind="stable")
    places = {"Largest error": -1, "Median error": len(order) // 2, "Smallest error": 0}
    return {title: int(order[place]) for title, place in places.items()}


def _doubles(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy()


def _texts(columns: Sequence[Mapping[str, Any]], values: np.ndarray, original: Mapping[str, Any]) -> list[str]:
    """Return the values of a row as the data has them, or else, as for the parts of a date, decoded by the schema."""
    texts = []
    for column, value in zip(columns, values.tolist(), strict=True):
        source = column.get("source", "")
        if source in original and "part" not in column:
            texts.append("missing" if original[source] is None else str(original[source]))
        else:
            texts.append(decoded(column, value))
    return texts


def decoded(column: Mapping[str, Any], value: float) -> str:
    """Return an encoded value as a text: the name of a category, or a number."""
    if np.isnan(value):
        return "missing"
    if column["type"] == "category":
        categories = column["categories"]
        return str(categories[int(value)]) if 0 <= value < len(categories) else "another value"
    return f"{value:.6g}"


def _label(outcome: Outcome, label: Any) -> str:
    """Return the text of a label of predictions.csv."""
    if outcome.problem_type == BINARY:
        return str(outcome.classes[int(label)])
    return str(label) if outcome.classes else f"{label:.6g}"


def _prediction(outcome: Outcome, position: int) -> str:
    text = _label(outcome, outcome.predictions[position])
    if outcome.probabilities is None:
        return text
    probability = float(outcome.probabilities[position])
    if outcome.problem_type == BINARY and not outcome.predictions[position]:
        probability = 1 - probability
    return f"{text} ({percent(probability)})"
