"""Choose the features and check each column."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import (
    REGRESSION,
    SPLITS,
    as_doubles,
    category_texts,
    example_of_spellings,
    inexact,
    is_number,
    is_supported,
    is_whole_number,
    not_numbers,
)
from preprocessing.report import ERROR, WARNING, DataError, Report, counted, listed, plural, shortened

DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"

# A column is a date column, or numeric with some texts, from this share of such values.
LOOKS_LIKE_SHARE = 0.9
# What people write around numbers.
NOTATION = r"^\s*(\p{Sc}|USD|EUR|GBP|CHF|JPY)\s*|\s*(\p{Sc}|USD|EUR|GBP|CHF|JPY|%)\s*$"
# A text column is like an ID above this share of distinct values.
ID_DISTINCT_SHARE = 0.5


def choose_features(table: pa.Table, name: str, options: argparse.Namespace) -> list[str]:
    """Choose the feature columns, in the order of the table.

    Args:
        table: The data.
        name: What messages call the data.
        options: The parsed command line.

    Raises:
        DataError: A setting names a column that does not exist, or no usable feature is left.
    """
    settings = {
        "target_column": [options.target_column],
        "time_column": [options.time_column] if options.time_column else [],
        "group_column": [options.group_column] if options.group_column else [],
        "drop_columns": options.drop_columns,
        "categorical_columns": options.categorical_columns,
    }
    present = set(table.column_names)
    absent = [(setting, column) for setting, columns in settings.items() for column in columns if column not in present]
    if absent:
        raise DataError(
            " | ".join(
                f"column {column!r} is not in {name} (columns: {listed(table.column_names)}); set {setting}"
                for setting, column in absent
            )
        )
    if options.target_column in options.drop_columns:
        raise DataError(f"column {options.target_column!r} is the target_column; remove it from drop_columns")
    taken = {options.target_column, options.time_column, options.group_column, *options.drop_columns}
    features = [column for column in table.column_names if column not in taken]
    if not features:
        raise DataError(
            f"{name} has no columns besides {listed(filter(None, taken))}; keep at least one column as a feature"
        )
    advice = dict.fromkeys(features, "add it to drop_columns, or convert it")
    advice |= {options.split_column: f"set {options.split_strategy}_column to another column, or convert it"}
    advice |= {options.target_column: "set target_column to another column, or convert it"}
    for column in filter(None, advice):
        if not is_supported(table[column].type):
            raise DataError(
                f"column {column!r} has type {table[column].type}, but only numbers, UTF-8 texts, booleans and times "
                f"are supported; {advice[column]}"
            )
    return features


def check_rows(table: pa.Table, options: argparse.Namespace, report: Report) -> None:
    problem = f"{len(table)} usable rows are fewer than min_rows ({options.min_rows}); add rows, or lower min_rows"
    enough = len(table) >= max(options.min_rows, len(SPLITS))
    report.add("rows", ERROR, [] if enough else [problem], rows=len(table), min_rows=options.min_rows)


def check_features(table: pa.Table, features: Sequence[str], options: argparse.Namespace, report: Report) -> None:
    """Run the checks of single columns."""
    missing = {column: table[column].null_count / max(len(table), 1) for column in features}
    empty = {column for column in features if missing[column] == 1}
    report.add(
        "all_missing",
        ERROR,
        {
            column: f"column {column!r} is empty in every row; add it to drop_columns, or fix its source"
            for column in features
            if column in empty
        },
    )
    report.add(
        "missing_share",
        ERROR,
        {
            column: f"column {column!r} is {share:.1%} missing, more than max_missing_share "
            f"({options.max_missing_share:.1%}); add it to drop_columns, or raise max_missing_share"
            for column, share in missing.items()
            if share > options.max_missing_share and column not in empty
        },
        max_missing_share=options.max_missing_share,
        missing_shares={column: share for column, share in missing.items() if share},
    )
    distinct = {column: pc.count_distinct(table[column]).as_py() for column in features}
    report.add(
        "constant",
        WARNING,
        {
            column: f"column {column!r} has the same value in every row; consider adding it to drop_columns"
            for column in features
            if distinct[column] == 1 and not missing[column]
        },
    )
    check_numbers(table, features, options, report)
    check_texts(table, features, distinct, options.categorical_columns, report)


def check_numbers(table: pa.Table, features: Sequence[str], options: argparse.Namespace, report: Report) -> None:
    """Check for infinities and outliers.

    The robust z-score is 0.6745 (x - median) / MAD, where MAD is the median absolute deviation; for normal data it is
    close to the ordinary z-score (B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993). If more than
    half of the values are equal, MAD is 0 and outliers are not measured.
    """
    infinite: dict[str, int] = {}
    outliers: dict[str, int] = {}
    not_measured = []
    lost: dict[str, str] = {}
    for column in (column for column in [*features, options.target_column] if is_number(table[column].type)):
        numbers = table[column].drop_null()
        if (column != options.target_column or options.problem_type == REGRESSION) and len(more := inexact(numbers)):
            lost[column] = (
                f"column {column!r} has {plural('value', len(more))} with more digits than a double holds, for example "
                f"{more[0]}, which are rounded"
            )
            if column != options.target_column:
                lost[column] += "; add the column to drop_columns or categorical_columns if it is an ID"
        values = as_doubles(numbers).to_numpy()
        finite = values[np.isfinite(values)]
        infinite[column] = len(values) - len(finite)
        distances = np.abs(finite - np.median(finite)) if finite.size else finite
        deviation = np.median(distances) if finite.size else 0.0
        if not deviation:
            not_measured.append(column)
        elif column != options.target_column or options.problem_type == REGRESSION:
            outliers[column] = int((0.6745 * distances > options.outlier_z_score * deviation).sum())
    report.add("rounded_numbers", WARNING, lost)
    report.add(
        "infinities",
        ERROR,
        {
            column: f"column {column!r} is infinite in {plural('row', count)}; fix its source (a division by zero?), "
            "or leave these values empty"
            for column, count in infinite.items()
            if count
        },
        infinities={column: count for column, count in infinite.items() if count},
    )
    report.add(
        "outliers",
        WARNING,
        {
            column: f"column {column!r} has {plural('value', count)} with a robust z-score above "
            f"{options.outlier_z_score:g}"
            for column, count in outliers.items()
            if count
        },
        outlier_z_score=options.outlier_z_score,
        outliers={column: count for column, count in outliers.items() if count},
        not_measured=not_measured,
    )


def without_notation(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Remove thousands separators, currencies and percent signs."""
    return pc.replace_substring_regex(pc.replace_substring_regex(texts, NOTATION, ""), ",([0-9]{3})", r"\1")


def check_texts(
    table: pa.Table, features: Sequence[str], distinct: Mapping[str, int], declared: Sequence[str], report: Report
) -> None:
    """Warn about columns that are probably not meant to be categories or features.

    Args:
        table: The data.
        features: The columns to check.
        distinct: The number of distinct values of each.
        declared: Columns that are meant to be categories.
        report: The checks so far.
    """
    like_ids, dates, numeric, merged = {}, {}, {}, {}
    for column in features:
        values = table[column].drop_null()
        if is_whole_number(values.type) and distinct[column] == len(table):
            like_ids[column] = (
                f"column {column!r} has a different integer in every row, like an ID; "
                "consider adding it to drop_columns"
            )
        if not pa.types.is_string(values.type) or not len(values):
            continue
        if pc.mean(pc.match_substring_regex(values, DATE_PATTERN)).as_py() >= LOOKS_LIKE_SHARE:
            dates[column] = (
                f"column {column!r} contains dates, each of which becomes a category; convert them to numbers, or add "
                "the column to drop_columns"
            )
        spellings = values.unique()
        categories = category_texts(spellings)
        if count := len(spellings) - len(categories.unique()):
            merged[column] = (
                f"column {column!r} has {plural('category', len(spellings) - count)} in {len(spellings)} spellings, "
                f"such as {example_of_spellings(spellings, categories)}, which are read as the same"
            )
        odd = not_numbers(values)
        few = (1 - LOOKS_LIKE_SHARE) * len(values)
        if 0 < len(odd) <= few:
            numeric[column] = (
                f"column {column!r} is categorical because {counted(len(odd), 'value', len(values))} not numeric, for "
                f"example {shortened(odd[0])}; leave these values empty to make it numeric"
            )
        elif column not in declared and len(not_numbers(without_notation(odd))) <= few:
            numeric[column] = (
                f"column {column!r} is categorical because its numbers are written as text, for example "
                f"{shortened(values[0])}; write plain numbers to make it numeric, or add it to categorical_columns"
            )
        elif column not in dates and distinct[column] > ID_DISTINCT_SHARE * len(values):
            like_ids[column] = (
                f"column {column!r} has {distinct[column]} distinct texts in {len(values)} rows, like an ID; "
                "consider adding it to drop_columns"
            )
    report.add("id_like", WARNING, like_ids, distinct={column: distinct[column] for column in like_ids})
    report.add("dates", WARNING, dates)
    report.add("numbers_as_text", WARNING, numeric)
    report.add("spellings", WARNING, merged)
