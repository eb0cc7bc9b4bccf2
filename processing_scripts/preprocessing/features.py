"""Choose the features, drop rows that cannot be used, and check columns one by one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import REGRESSION, SPLITS, is_number, not_numbers
from preprocessing.report import ERROR, WARNING, DataError, Report, counted, listed, plural, shortened

DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"

# from these shares on a warning is due
LOOKS_LIKE = 0.9
ID_LIKE_DISTINCT = 0.5


def choose_features(table: pa.Table, name: str, options: argparse.Namespace) -> list[str]:
    """The feature columns, in the order of the table; raises DataError where the settings do not fit it."""
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
        raise DataError(
            f"column {options.target_column!r} is the target and in drop_columns; take it out of drop_columns"
        )
    taken = {options.target_column, options.time_column, options.group_column, *options.drop_columns}
    features = [column for column in table.column_names if column not in taken]
    if not features:
        raise DataError(
            f"{name} has no column besides {listed(filter(None, taken))}; a model needs at least one feature"
        )
    for column in [*features, options.target_column]:
        if not (is_number(table[column].type) or pa.types.is_string(table[column].type)):
            raise DataError(
                f"column {column!r} holds {table[column].type}, which is neither number, text, boolean nor time; "
                "drop it with drop_columns, or make columns of what is in it"
            )
    return features


def drop_unusable_rows(table: pa.Table, options: argparse.Namespace, report: Report) -> pa.Table:
    """The table without exact duplicates (the first one stays) and without rows that lack a target."""
    target, rows = options.target_column, len(table)
    # grouped under numbers for names, as a column may have any name; Arrow cannot group by lists and structs
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

    problem = f"dropped {duplicates} of {plural('row', rows)} as exact duplicates of others"
    report.add("duplicate_rows", WARNING, [problem] if duplicates else [], rows_read=rows, duplicates=duplicates)
    problem = f"dropped {unlabelled} of {plural('row', rows)} without a value in column {target!r}"
    report.add("rows_without_target", WARNING, {target: problem} if unlabelled else {}, without_target=unlabelled)
    return table


def as_labels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Class labels: text without blanks around it, whole numbers as integers whatever else made the column double."""
    if pa.types.is_string(column.type):
        return pc.utf8_trim_whitespace(column)
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def check_rows(table: pa.Table, options: argparse.Namespace, report: Report) -> None:
    problem = f"{len(table)} usable rows are fewer than min_rows ({options.min_rows}); bring more, or lower min_rows"
    enough = len(table) >= max(options.min_rows, len(SPLITS))
    report.add("rows", ERROR, [] if enough else [problem], rows=len(table), min_rows=options.min_rows)


def check_features(table: pa.Table, features: Sequence[str], options: argparse.Namespace, report: Report) -> None:
    """Every check that looks at the columns one by one."""
    missing = {column: table[column].null_count / max(len(table), 1) for column in features}
    empty = [column for column in features if missing[column] == 1]
    report.add(
        "all_missing",
        ERROR,
        {
            column: f"column {column!r} has no value in any row; drop it with drop_columns, or mend its source"
            for column in empty
        },
    )
    report.add(
        "missing_share",
        ERROR,
        {
            column: f"column {column!r} is {share:.1%} missing, more than max_missing_share "
            f"({options.max_missing_share:.1%}); drop it with drop_columns, or raise max_missing_share"
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
            column: f"column {column!r} has the same value in every row and teaches nothing; drop it with drop_columns"
            for column in features
            if distinct[column] == 1 and not missing[column]
        },
    )
    check_numbers(table, features, options, report)
    check_texts(table, features, distinct, report)


def check_numbers(table: pa.Table, features: Sequence[str], options: argparse.Namespace, report: Report) -> None:
    """Infinities, and values far from the median in units of the median absolute deviation (MAD).

    The robust z-score is 0.6745 (x - median) / MAD, for normal data close to the ordinary one: B. Iglewicz and D.
    Hoaglin, How to Detect and Handle Outliers, 1993. Where more than half of the values are the same, MAD is 0 and
    nothing is measured.
    """
    infinite: dict[str, int] = {}
    outliers: dict[str, int] = {}
    unmeasured = []
    for column in (column for column in [*features, options.target_column] if is_number(table[column].type)):
        values = table[column].drop_null().to_numpy()
        finite = values[np.isfinite(values)]
        infinite[column] = len(values) - len(finite)
        distances = np.abs(finite - np.median(finite)) if finite.size else finite
        deviation = np.median(distances) if finite.size else 0.0
        if not deviation:
            unmeasured.append(column)
        elif column != options.target_column or options.problem_type == REGRESSION:
            outliers[column] = int((0.6745 * distances > options.outlier_z_score * deviation).sum())
    report.add(
        "infinities",
        ERROR,
        {
            column: f"column {column!r} is infinite in {plural('row', count)}; mend its source (a division by "
            "zero?), or leave the value out"
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
        not_measured=unmeasured,
    )


def check_texts(table: pa.Table, features: Sequence[str], distinct: Mapping[str, int], report: Report) -> None:
    """Columns that are probably not meant to be categories, or not to be features at all."""
    like_ids, dates, mixed = {}, {}, {}
    for column in features:
        values = table[column].drop_null()
        if pa.types.is_integer(values.type) and distinct[column] == len(table):
            like_ids[column] = (
                f"column {column!r} has another whole number in each row, like an id; drop it with drop_columns"
            )
        if not pa.types.is_string(values.type) or not len(values):
            continue
        if pc.mean(pc.match_substring_regex(values, DATE_PATTERN)).as_py() >= LOOKS_LIKE:
            dates[column] = (
                f"column {column!r} holds dates, each of which becomes a category; make numbers of them, or drop it"
            )
        elif distinct[column] > ID_LIKE_DISTINCT * len(values):
            like_ids[column] = (
                f"column {column!r} has {distinct[column]} different texts in {len(values)} rows, like an id; "
                "drop it with drop_columns"
            )
        odd = not_numbers(values)
        if 0 < len(odd) <= (1 - LOOKS_LIKE) * len(values):
            mixed[column] = (
                f"column {column!r} is taken for categories because {counted(len(odd), 'value', len(values))} no "
                f"number, as {shortened(odd[0])}; leave such values empty to have numbers"
            )
    report.add("id_like", WARNING, like_ids, distinct={column: distinct[column] for column in like_ids})
    report.add("dates", WARNING, dates)
    report.add("numbers_as_text", WARNING, mixed)
