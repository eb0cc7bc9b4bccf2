"""The target: its classes, and whether it suits the problem type."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.value_formats import ValueFormat
from preprocessing.advice import column_setting, find_number_format
from preprocessing.columns import (
    BINARY,
    MULTICLASS,
    OF_NUMBERS,
    RANKING,
    REGRESSION,
    SPLITS,
    category_texts,
    example_of_spellings,
    is_number,
    is_whole_number,
)
from preprocessing.engine import Engine
from preprocessing.profile import describe_texts, value_counts
from preprocessing.rankings import relevance_problem
from preprocessing.report import ERROR, WARNING, Report, listed, plural, shortened
from preprocessing.rows import Column, Rows

# Below this share of the rows, a class is rare.
RARE_CLASS_SHARE = 0.05


@dataclass(frozen=True)
class Labels:
    """The classes of a target.

    Attributes:
        values: The distinct values, as they are stored.
        labels: The class of each of them: an integer or a text; a double if it is not a class at all.
        counts: How many rows each class has, in the order of the classes.
    """

    values: pa.Array
    labels: pa.Array
    counts: dict[Any, int]

    def count(self, values: pa.Table) -> Counter[Any]:
        """Count rows by class, of a table of stored values and their counts."""
        classes = self.labels.take(pc.index_in(values["value"], value_set=self.values))
        counts: Counter[Any] = Counter()
        for label, count in zip(classes.to_pylist(), values["count"].to_pylist(), strict=True):
            counts[label] += count
        return counts


def read_labels(engine: Engine, rows: Rows, options: argparse.Namespace, report: Report) -> Labels | None:
    """Find the classes of the target; None if the problem type has none.

    Whole numbers become integers, and texts are trimmed. Texts that are the same category, such as "True" and "true",
    become one class.
    """
    problem = None
    column = rows.columns[options.target_column]
    if options.problem_type not in OF_NUMBERS:
        found = value_counts(engine, column)
        values = found["value"].combine_chunks()
        labels, problem = as_labels(values, column)
    problems = {column.name: f"column {column.name!r} {problem}"} if problem else {}
    report.add("class_spellings", WARNING, problems)
    if options.problem_type in OF_NUMBERS:
        return None
    counts = Labels(values, labels, {}).count(found)
    return Labels(values, labels, {label: counts[label] for label in sorted(counts)})


def as_labels(values: pa.Array, column: Column) -> tuple[pa.Array, str | None]:
    """Convert the distinct values of a target to classes.

    Returns:
        The class of each value, and what is doubtful about their spelling.
    """
    if column.stored_type == pa.float64() or column.type == pa.int64():
        try:
            return values.cast(pa.int64()), None
        except pa.ArrowInvalid:
            return values, None
    if is_whole_number(column.type):
        return values, None
    if pa.types.is_decimal(column.type):
        # databases have whole numbers in decimals with digits after the point, too
        try:
            return values.cast(pa.int64()), None
        except pa.ArrowInvalid:
            return values.cast(pa.float64()), None
    spellings = pc.utf8_trim_whitespace(values)
    categories = category_texts(spellings)
    distinct = spellings.unique()
    if len(categories.unique()) < len(distinct):
        return categories, f"has {example_of_spellings(spellings, categories)}, which are read as the same class"
    folded = pc.utf8_lower(distinct)
    if len(folded.unique()) < len(distinct):
        example = example_of_spellings(distinct, folded)
        setting = column_setting(column.name, ValueFormat(normalize=True), ".")
        return spellings, f"has {example} as different classes; set {setting} to read them as the same"
    return spellings, None


def check_target(
    engine: Engine, rows: Rows, labels: Labels | None, count: int, options: argparse.Namespace, report: Report
) -> None:
    """Check that the target suits the problem type, and how many rows each class has.

    Args:
        engine: The engine with the view `rows`.
        rows: What is known of the rows.
        labels: The classes, None for a regression.
        count: The number of rows in the view.
        options: The parsed command line.
        report: The checks so far.
    """
    name = options.target_column
    if not count:
        report.add(
            "target", ERROR, {name: f"column {name!r} is empty in every row; set target_column to a column with values"}
        )
        return
    if labels is None:
        problem, distinct = number_problem(engine, rows, rows.columns[name], count, options)
        if options.problem_type == RANKING and problem is None:
            problem = relevance_problem(engine, rows, rows.columns[name], count)
        report.add("target", ERROR, {name: problem} if problem else {}, distinct=distinct)
        return
    counts = labels.counts
    problem = class_problem([*counts], labels.labels.type, options)
    report.add("target", ERROR, {name: problem} if problem else {}, classes=len(counts))
    if problem:
        return
    small = {label: n for label, n in counts.items() if n < len(SPLITS) and options.split_strategy == "random"}
    names = listed(f"{shortened(label)} ({plural('row', n)})" for label, n in small.items())
    problem = (
        f"column {name!r} has classes too small to stratify: {names}; each needs at least three rows, one per split: "
        "add rows of these classes, or remove them"
    )
    report.add("class_size", ERROR, {name: problem} if small else {})
    rare = {label: n / count for label, n in counts.items() if n < RARE_CLASS_SHARE * count}
    names = listed(f"{shortened(label)} ({share:.2%})" for label, share in rare.items())
    problem = f"column {name!r} has rare classes: {names}; consider class_weight balanced"
    rows_by_class = {str(label): n for label, n in counts.items()}
    report.add("class_balance", WARNING, {name: problem} if rare else {}, rows_by_class=rows_by_class)


def number_problem(
    engine: Engine, rows: Rows, column: Column, count: int, options: argparse.Namespace
) -> tuple[str | None, int]:
    """Return what is wrong with a target of numbers, and its number of distinct values."""
    if not is_number(column.type):
        values = value_counts(engine, column)
        suggested = find_number_format(values, options.csv_decimal)
        advice = f"set {column_setting(column.name, suggested[0], options.csv_decimal)}" if suggested else "fix them"
        return (
            f"column {column.name!r} is not numeric, but a {options.problem_type} needs numbers: "
            f"{describe_texts(engine, rows, column, count)}; {advice}, or change target_column or problem_type"
        ), len(values)
    (found,) = engine.query(
        f"SELECT count(DISTINCT {column.sql}) AS distinct_values, min({column.sql}) AS smallest FROM rows"
    ).to_pylist()
    problem = None
    if found["distinct_values"] == 1:
        problem = (
            f"column {column.name!r} is {found['smallest']} in every row, so there is nothing to learn; "
            "change target_column"
        )
    return problem, found["distinct_values"]


def class_problem(classes: Sequence[Any], type_: pa.DataType, options: argparse.Namespace) -> str | None:
    name = f"column {options.target_column!r}"
    if pa.types.is_floating(type_):
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
