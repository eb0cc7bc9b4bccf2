"""Check the target, the time or group column, and the splits."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import (
    BINARY,
    MULTICLASS,
    REGRESSION,
    SPLITS,
    as_doubles,
    categories_of,
    category_texts,
    decimal_texts,
    example_of_spellings,
    is_number,
    is_whole_number,
    not_numbers,
)
from preprocessing.report import ERROR, WARNING, Report, counted, listed, plural, shortened

# The fraction has up to 18 digits, which fit into int64.
MAX_FRACTION_DIGITS = 18
TIME_PATTERN = (
    r"^(?P<moment>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}(?::[0-9]{2}(?::[0-9]{2})?)?)?)"
    r"(?:[.](?P<fraction>[0-9]{1,18}))?(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?$"
)
# Below this share of the rows, a class is rare.
RARE_CLASS_SHARE = 0.05
# A split may deviate from its share by this much.
MAX_SPLIT_DEVIATION = 0.05


def as_labels(column: pa.ChunkedArray, options: argparse.Namespace, report: Report) -> pa.ChunkedArray:
    """Convert a target to class labels: whole numbers become integers, and texts are trimmed.

    Texts that are the same category, such as "True" and "true", become one label.
    """
    problems = {}
    if pa.types.is_string(column.type):
        labels = column = pc.utf8_trim_whitespace(column)
        spellings = column.unique()
        categories = category_texts(spellings)
        if len(categories.unique()) < len(spellings):
            labels = pa.chunked_array([categories.take(pc.index_in(column.combine_chunks(), value_set=spellings))])
            example = example_of_spellings(spellings, categories)
            problems[options.target_column] = f"has {example}, which are read as the same class"
        elif len(folded := pc.utf8_lower(spellings)) > len(folded.unique()):
            example = example_of_spellings(spellings, folded)
            problems[options.target_column] = f"has {example} as different classes; write each class in one way"
    else:
        try:
            labels = column.cast(pa.int64())
        except pa.ArrowInvalid:
            labels = decimal_texts(column) if is_whole_number(column.type) else as_doubles(column)
    problems = {name: f"column {name!r} {problem}" for name, problem in problems.items()}
    report.add("class_spellings", WARNING, problems)
    return labels


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
    key, problem = None, None
    if column.null_count:
        missing = counted(column.null_count, "row", len(table))
        problem = f"{kind}_column {name!r}: {missing} without a value; fill in the values, or remove the rows"
    else:
        try:
            key = time_keys(column) if kind == "time" else categories_of(column).indices.to_numpy()
        except ValueError as error:
            problem = f"{kind}_column {name!r} has {error}; use one ISO 8601 form, such as 2024-02-29T13:00:00"
    if key is not None and (distinct := len(np.unique(key))) < len(SPLITS):
        problem = f"{kind}_column {name!r} has {plural('distinct value', distinct)}; three splits need at least three"
    report.add("split_column", ERROR, {name: problem} if problem else {})
    return None if problem else key


def time_keys(column: pa.ChunkedArray) -> np.ndarray:
    """Convert times to numbers in the same order, shape (n,).

    Raises:
        ValueError: A value is neither a number nor an ISO 8601 time, or only some of the times have a UTC offset; the
            message says which.
    """
    if is_number(column.type):
        return pc.rank(column, tiebreaker="dense").to_numpy() if pa.types.is_decimal(column.type) else column.to_numpy()
    times = pc.utf8_trim_whitespace(column).combine_chunks().dictionary_encode()
    return rank_times(times.dictionary)[times.indices.to_numpy()]


def rank_times(texts: pa.Array) -> np.ndarray:
    """Rank times to the last digit of their fractions, which Arrow's own types hold for few centuries only."""
    parts = pc.extract_regex(texts, TIME_PATTERN)
    if parts.null_count:
        raise ValueError(f"values that are not times, for example {shortened(texts.filter(parts.is_null())[0])}")
    moment, fraction, zone = (pc.struct_field(parts, name) for name in ("moment", "fraction", "zone"))
    zones = pc.sum(pc.not_equal(zone, "")).as_py()
    if zones not in (0, len(texts)):
        raise ValueError("times with and without a UTC offset")
    type_ = pa.timestamp("s", "UTC" if zones else None)
    moments = pc.binary_join_element_wise(moment, zone, "")
    try:
        seconds = moments.cast(type_).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        odd = texts[first_failure(moments, type_)]
        raise ValueError(f"values that are not times, for example {shortened(odd)}") from None
    fractions = pc.utf8_rpad(fraction, MAX_FRACTION_DIGITS, "0").cast(pa.int64()).to_numpy()
    order = np.lexsort((fractions, seconds))
    is_later = (np.diff(seconds[order]) > 0) | (np.diff(fractions[order]) > 0)
    ranks = np.empty(len(texts), np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(is_later)])
    return ranks


def first_failure(texts: pa.Array, type_: pa.DataType) -> int:
    """Find the first text that cannot be cast, by halving."""
    low, high = 0, len(texts)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            texts.slice(low, middle - low).cast(type_)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


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
            known = pa.array(feature["categories"], pa.string())
            later = [parts[split][feature["name"]].unique().drop_null() for split in ("validation", "test")]
            categories = category_texts(pa.concat_arrays(later)).unique()
            unseen[feature["name"]] = len(categories) - pc.sum(pc.is_in(categories, value_set=known)).as_py()
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
