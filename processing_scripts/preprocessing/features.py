"""Choose the features, drop unusable rows, and check each column."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import REGRESSION, SPLITS, is_number, not_numbers
from preprocessing.report import ERROR, WARNING, DataError, Report, counted, listed, plural, shortened

DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"

# A column is a date column, or numeric with some texts, from this share of such values.
LOOKS_LIKE_SHARE = 0.9
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
    absent = [
        (setting, column)
        for setting, columns in settings.items()
        for column in columns
        if column not in table.column_names
    ]
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
    for column in [*features, options.target_column]:
        if not (is_number(table[column].type) or pa.types.is_string(table[column].type)):
            raise DataError(
                f"column {column!r} has type {table[column].type}, but only numbers, texts, booleans and times are "
                "supported; add it to drop_columns, or flatten it into columns"
            )
    return features


def drop_unusable_rows(table: pa.Table, options: argparse.Namespace, report: Report) -> pa.Table:
    """Drop exact duplicates, except the first, and rows without a target; convert the target to labels."""
    target, rows = options.target_column, len(table)
    # Columns are renamed to numbers, because a column may have any name. Arrow cannot group by lists and structs.
    *keys, position = map(str, range(table.num_columns + 1))
    values = [pa.array(map(repr, c.to_pylist())) if pa.types.is_nested(c.type) else c for c in table.columns]
    numbered = pa.table([*values, pa.array(np.arange(rows))], names=[*keys, position])
    kept = numbered.group_by(keys, use_threads=False).aggregate([(position, "min")])[f"{position}_min"]
    duplicates = rows - len(kept)
    if duplicates:
        table = table.take(kept.sort())
    unlabelled = table[target].null_count
    if unlabelled:
        table = table.filter(table[target].is_valid())
    if options.problem_type != REGRESSION:
        table = table.set_column(table.column_names.index(target), target, as_labels(table[target]))

    problem = f"dropped {duplicates} of {plural('row', rows)} as exact duplicates"
    report.add("duplicate_rows", WARNING, [problem] if duplicates else [], rows_read=rows, duplicates=duplicates)
    problem = f"dropped {unlabelled} of {plural('row', rows)} without a value in column {target!r}"
    report.add("rows_without_target", WARNING, {target: problem} if unlabelled else {}, without_target=unlabelled)
    return table


def as_labels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert a target to class labels: texts are trimmed, and whole doubles become integers."""
    if pa.types.is_string(column.type):
        return pc.utf8_trim_whitespace(column)
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def check_rows(table: pa.Table, options: argparse.Namespace, report: Report) -> None:
    problem = f"{len(table)} usable rows are fewer than min_rows ({options.min_rows}); add rows, or lower min_rows"
    enough = len(table) >= max(options.min_rows, len(SPLITS))
    report.add("rows", ERROR, [] if enough else [problem], rows=len(table), min_rows=options.min_rows)


def check_features(table: pa.Table, features: Sequence[str], options: argparse.Namespace, report: Report) -> None:
    """Run the checks of single columns."""
    missing = {column: table[column].null_count / max(len(table), 1) for column in features}
    empty = [column for column in features if missing[column] == 1]
    report.add(
        "all_missing",
        ERROR,
        {
            column: f"column {column!r} is empty in every row; add it to drop_columns, or fix its source"
            for column in empty
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
    check_texts(table, features, distinct, report)


def check_numbers(table: pa.Table, features: Sequence[str], options: argparse.Namespace, report: Report) -> None:
    """Check for infinities and outliers.

    The robust z-score is 0.6745 (x - median) / MAD, where MAD is the median absolute deviation; for normal data it is
    close to the ordinary z-score (B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993). If more than
    half of the values are equal, MAD is 0 and outliers are not measured.
    """
    infinite: dict[str, int] = {}
    outliers: dict[str, int] = {}
    not_measured = []
    for column in (column for column in [*features, options.target_column] if is_number(table[column].type)):
        values = table[column].drop_null().to_numpy()
        finite = values[np.isfinite(values)]
        infinite[column] = len(values) - len(finite)
        distances = np.abs(finite - np.median(finite)) if finite.size else finite
        deviation = np.median(distances) if finite.size else 0.0
        if not deviation:
            not_measured.append(column)
        elif column != options.target_column or options.problem_type == REGRESSION:
            outliers[column] = int((0.6745 * distances > options.outlier_z_score * deviation).sum())
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


def check_texts(table: pa.Table, features: Sequence[str], distinct: Mapping[str, int], report: Report) -> None:
    """Warn about columns that are probably not meant to be categories or features."""
    like_ids, dates, mixed = {}, {}, {}
    for column in features:
        values = table[column].drop_null()
        if pa.types.is_integer(values.type) and distinct[column] == len(table):
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
        elif distinct[column] > ID_DISTINCT_SHARE * len(values):
            like_ids[column] = (
                f"column {column!r} has {distinct[column]} distinct texts in {len(values)} rows, like an ID; "
                "consider adding it to drop_columns"
            )
        odd = not_numbers(values)
        if 0 < len(odd) <= (1 - LOOKS_LIKE_SHARE) * len(values):
            mixed[column] = (
                f"column {column!r} is categorical because {counted(len(odd), 'value', len(values))} not numeric, for "
                f"example {shortened(odd[0])}; leave these values empty to make it numeric"
            )
    report.add("id_like", WARNING, like_ids, distinct={column: distinct[column] for column in like_ids})
    report.add("dates", WARNING, dates)
    report.add("numbers_as_text", WARNING, mixed)
