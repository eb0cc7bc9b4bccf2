"""Metrics by the values of columns, worst first: where the model is weaker than its average says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluation.decision import Gate, readable
from evaluation.errors import EvaluationError
from evaluation.intervals import intervals
from evaluation.metrics import improvement
from evaluation.outcome import Outcome

# Of a column with more texts the most frequent ones are reported, and of one with more numbers quantiles.
MAX_VALUES, MAX_NUMBERS, BINS = 20, 10, 5
MISSING = "(missing)"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]|$)")
# enough for an interval that is read, not one that a gate decides by
REPLICATES = 300


def measure_segments(outcome: Outcome, records: Path, columns: Sequence[str], metric: str) -> list[dict[str, Any]]:
    """Return the metric by value of each column as in summary.json, worst first and undefined ones last.

    Args:
        outcome: The predictions for the test split.
        records: The folder of the raw test rows, in the order of the predictions.
        columns: Columns of the records.
        metric: The name of the metric.

    Raises:
        EvaluationError: The records cannot be read or are those of other rows.
    """
    found = []
    for column in columns:
        for value, rows in values_of(read_column(records, column, len(outcome.truth))):
            interval = intervals(outcome.select(rows), REPLICATES)[metric].to_json()
            found.append({"column": column, "value": value, "rows": int(rows.sum()), "metric": metric})
            found[-1] |= {"score": interval["value"], "lower": interval["lower"], "upper": interval["upper"]}
    sign = improvement(metric)

    def order(segment: Mapping[str, Any]) -> tuple[bool, float]:
        score = segment["score"]
        return score is None, 0.0 if score is None else sign * score

    return sorted(found, key=order)


def read_column(records: Path, column: str, rows: int) -> pa.ChunkedArray:
    """Read a column of the raw test rows."""
    try:
        parts = [pq.read_table(path, columns=[column])[column] for path in sorted(records.glob("*.parquet"))]
        values = pa.chunked_array([chunk for part in parts for chunk in part.chunks])
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        raise EvaluationError(
            f"{records} has no readable column {column!r} ({error}); expected the records of Preprocess"
        ) from error
    if len(values) != rows:
        raise EvaluationError(
            f"{records} has {len(values)} rows and the test split {rows}; use the outputs of one execution"
        )
    return values


def values_of(column: pa.ChunkedArray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the values of a column, or intervals of its numbers, each with a mask of its rows."""
    is_null = pc.is_null(column, nan_is_null=True).to_numpy()
    counts = sorted(
        ((item["counts"], str(item["values"]), item["values"]) for item in pc.value_counts(column).to_pylist()),
        key=lambda item: (-item[0], item[1]),
    )
    distinct = [(text, value) for _, text, value in counts if value is not None and value == value]
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if is_number and len(distinct) > MAX_NUMBERS:
        yield from quantiles_of(column.cast(pa.float64()).to_numpy())
    elif len(distinct) > MAX_VALUES and all(DATE.match(text) for text, _ in distinct):
        yield from periods_of(column)
    else:
        for text, value in distinct[:MAX_VALUES]:
            yield text, pc.equal(column, pa.scalar(value, column.type)).fill_null(False).to_numpy()
    if is_null.any():
        yield MISSING, is_null


def quantiles_of(numbers: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield intervals with about the same number of rows."""
    edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, BINS + 1)))
    for index, (low, high) in enumerate(pairwise(edges)):
        is_last = index == len(edges) - 2
        rows = (numbers >= low) & ((numbers <= high) if is_last else (numbers < high))
        yield f"{low:.6g} to {high:.6g}" if is_last else f"{low:.6g} to below {high:.6g}", rows


def periods_of(column: pa.ChunkedArray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield periods of ISO dates or times with about the same number of rows, each named by its first and last one."""
    encoded = column.combine_chunks().dictionary_encode()
    ordered = pc.sort_indices(encoded.dictionary)
    ranks = np.argsort(ordered.to_numpy())
    places = encoded.indices.cast(pa.float64()).to_numpy(zero_copy_only=False)
    is_date = ~np.isnan(places)
    places[is_date] = ranks[places[is_date].astype(np.int64)]
    for _, rows in quantiles_of(places):
        first, last = (
            encoded.dictionary[ordered[int(end)].as_py()] for end in (places[rows].min(), places[rows].max())
        )
        yield f"{first} to {last}", rows


def decide(segments: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part `segment_gate` of summary.json.

    Args:
        segments: The segments with the metric of the gate.
        settings: The settings `metric`, `threshold` and `min_rows`.
    """
    gate = Gate(settings["metric"], settings["threshold"])
    large = [item for item in segments if item["rows"] >= settings["min_rows"] and item["score"] is not None]
    missed = [item for item in large if not gate.reached_by(item["score"])]
    bound = "at most" if gate.is_maximum else "at least"
    required = f"{bound} {gate.threshold:.12g} for each segment of {settings['min_rows']} rows or more"
    if missed:
        worst = "; ".join(sentence(item, gate) for item in missed[:3])
        more = f"; and {len(missed) - 3} more segments" if len(missed) > 3 else ""
        text = f"{worst}{more}; {gate.metric} must be {required}"
    elif not large:
        text = (
            f"no segment has {settings['min_rows']} rows and a value of {gate.metric}, so that segment_gate decides "
            "nothing; lower min_rows, or evaluate more rows"
        )
    else:
        text = f"{gate.metric} is {required} ({len(large)} of {len(segments)} segments are large enough)"
    return {**settings, "passes": int(not missed), "missed": len(missed), "sentence": text}


def sentence(segment: Mapping[str, Any], gate: Gate) -> str:
    return (
        f"{gate.metric} for {segment['column']} {segment['value']} ({segment['rows']} rows) is "
        f"{readable(segment['score'], gate.threshold)} (95 % interval {readable(segment['lower'])} to "
        f"{readable(segment['upper'])})"
    )
