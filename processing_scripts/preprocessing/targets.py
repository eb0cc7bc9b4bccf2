"""Check the target, the time or group column, and the splits."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.values import category_text
from preprocessing.columns import BINARY, MULTICLASS, REGRESSION, SPLITS, is_number, not_numbers
from preprocessing.report import ERROR, WARNING, Report, counted, listed, plural, shortened

# Below this share of the rows, a class is rare.
RARE_CLASS_SHARE = 0.05
# A split may deviate from its share by this much.
MAX_SPLIT_DEVIATION = 0.05


def check_target(target: pa.ChunkedArray, options: argparse.Namespace, report: Report) -> None:
    name = options.target_column
    if not len(target):
        report.add(
            "target", ERROR, {name: f"column {name!r} is empty in every row; set target_column to a column with values"}
        )
        return
    if options.problem_type == REGRESSION:
        problem = regression_problem(target, name)
        report.add("target", ERROR, {name: problem} if problem else {}, distinct=pc.count_distinct(target).as_py())
        return
    counts = {entry["values"]: entry["counts"] for entry in target.value_counts().to_pylist()}
    problem = class_problem(target, sorted(counts), options)
    report.add("target", ERROR, {name: problem} if problem else {}, classes=len(counts))
    if problem:
        return
    small = {label: count for label, count in counts.items() if count < len(SPLITS)}
    if options.split_strategy != "random":
        small = {}
    names = listed(f"{shortened(label)} ({plural('row', count)})" for label, count in small.items())
    problem = (
        f"column {name!r} has classes too small to stratify: {names}; each needs at least three rows, one per split: "
        "add rows of these classes, or remove them"
    )
    report.add("class_size", ERROR, {name: problem} if small else {})
    rare = {label: count / len(target) for label, count in counts.items() if count < RARE_CLASS_SHARE * len(target)}
    names = listed(f"{shortened(label)} ({share:.2%})" for label, share in rare.items())
    problem = f"column {name!r} has rare classes: {names}; consider class_weight balanced"
    rows_by_class = {str(label): counts[label] for label in sorted(counts)}
    report.add("class_balance", WARNING, {name: problem} if rare else {}, rows_by_class=rows_by_class)


def regression_problem(target: pa.ChunkedArray, name: str) -> str | None:
    if not is_number(target.type):
        odd = not_numbers(target)
        example = f", for example {shortened(odd[0])}" if len(odd) else ""
        return (
            f"column {name!r} is not numeric, but a Regression predicts numbers: "
            f"{counted(len(odd), 'value', len(target))} not numeric{example}; fix them, or change target_column or "
            "problem_type"
        )
    if pc.count_distinct(target).as_py() == 1:
        return f"column {name!r} is {target[0]} in every row, so there is nothing to learn; change target_column"
    return None


def class_problem(target: pa.ChunkedArray, classes: Sequence[Any], options: argparse.Namespace) -> str | None:
    name = f"column {options.target_column!r}"
    if pa.types.is_floating(target.type):
        odd = next((value for value in classes if value % 1), classes[-1])
        return (
            f"{name} has values that are not class labels, for example {odd}; set problem_type to {REGRESSION}, or "
            "change target_column"
        )
    if len(classes) == 1:
        return (
            f"{name} has only one class ({shortened(classes[0])}); add rows of another class, or change target_column"
        )
    if options.problem_type == MULTICLASS:
        return None
    if len(classes) > 2:
        return (
            f"{name} has {len(classes)} classes ({listed(map(shortened, classes))}), but a {BINARY} has two; set "
            f"problem_type to {MULTICLASS}, or change target_column"
        )
    if options.positive_class is not None and options.positive_class not in map(str, classes):
        return (
            f"positive_class {options.positive_class!r} is not in {name} (classes: {listed(map(shortened, classes))}); "
            "set positive_class to one of them"
        )
    return None


def check_split_column(table: pa.Table, options: argparse.Namespace, report: Report) -> np.ndarray | None:
    """Check the time or group column.

    Returns:
        Shape (n,), times as numbers or codes of groups; None for a random split, and if the column cannot be used.
    """
    name = options.split_column
    if name is None:
        return None
    column, kind = table[name], options.split_strategy
    key = as_times(column) if kind == "time" else column.combine_chunks().dictionary_encode().indices
    problem = None
    if column.null_count:
        missing = counted(column.null_count, "row", len(table))
        problem = f"{kind}_column {name!r}: {missing} without a value; fill in the values, or remove the rows"
    elif key is None:
        odd = [text for text in column.unique().to_pylist() if as_times(pa.chunked_array([[text]])) is None]
        found = (
            f"values that are not times, for example {shortened(odd[0])}"
            if odd
            else "times with and without a UTC offset"
        )
        problem = f"{kind}_column {name!r} has {found}; use one ISO 8601 form, such as 2024-02-29T13:00:00"
    elif (distinct := pc.count_distinct(key).as_py()) < len(SPLITS):
        problem = f"{kind}_column {name!r} has {plural('distinct value', distinct)}; three splits need at least three"
    report.add("split_column", ERROR, {name: problem} if problem else {})
    return None if key is None or problem else key.to_numpy()


def as_times(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Convert times to numbers in the same order; None if a value is neither a number nor an ISO 8601 time."""
    if is_number(column.type):
        return column
    texts = pc.utf8_trim_whitespace(column)
    for type_ in (pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ns")):
        with contextlib.suppress(pa.ArrowInvalid):
            return texts.cast(type_).cast(pa.int64())
    return None


def check_splits(
    parts: Mapping[str, pa.Table], schema: Mapping[str, Any], options: argparse.Namespace, report: Report
) -> None:
    rows = sum(map(len, parts.values()))
    actual = {split: len(part) / rows for split, part in parts.items()}
    report.add(
        "split_shares",
        WARNING,
        [
            f"the {split} split has {actual[split]:.1%} of the rows instead of {share:.1%}"
            for split, share in zip(SPLITS, options.shares, strict=True)
            if abs(actual[split] - share) > MAX_SPLIT_DEVIATION
        ],
        rows={split: len(part) for split, part in parts.items()},
    )
    unseen = {}
    for feature in schema["features"]:
        if feature["type"] == "category":
            known = set(feature["categories"])
            unseen[feature["name"]] = sum(
                category_text(text) not in known
                for split in ("validation", "test")
                for text in parts[split][feature["name"]].unique().drop_null().to_pylist()
            )
    report.add(
        "unseen_categories",
        WARNING,
        {
            column: f"column {column!r} has {plural('category', count)} outside the training split, encoded as missing"
            for column, count in unseen.items()
            if count
        },
    )
    if schema["classes"] is None:
        return
    name = options.target_column
    found = {split: set(part[name].unique().to_pylist()) for split, part in parts.items()}
    everything = set().union(*found.values())
    problems = []
    for split in SPLITS:
        # One of many classes may be missing from a small test split, but binary metrics need both classes.
        needed = everything if split == "train" or options.problem_type == BINARY else set()
        if lacking := sorted(needed - found[split]):
            problems.append(
                f"the {split} split has no rows of class {listed(map(shortened, lacking))} of column {name!r}; add "
                f"data, or set split_strategy to random instead of {options.split_strategy}"
            )
    report.add("split_classes", ERROR, problems, classes={split: len(labels) for split, labels in found.items()})
