"""Choose the features and check each column."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence

import pyarrow.compute as pc

from preprocessing.columns import (
    REGRESSION,
    SPLITS,
    is_number,
    is_supported,
    is_whole_number,
)
from preprocessing.engine import Engine
from preprocessing.extras import EXTRAS
from preprocessing.profile import (
    NumberProfile,
    measure,
    position_of_infinity,
    profile_numbers,
    value_counts,
)
from preprocessing.report import ERROR, WARNING, DataError, Report, listed, plural
from preprocessing.rows import Column, Rows, not_features
from preprocessing.text_checks import check_category_counts, check_texts


def choose_features(rows: Rows, options: argparse.Namespace) -> list[Column]:
    """Choose the feature columns, in the order of the data.

    Raises:
        DataError: A setting names a column that does not exist, or no usable feature is left.
    """
    settings = {
        "target_column": [options.target_column],
        "time_column": [options.time_column] if options.time_column else [],
        "group_column": [options.group_column] if options.group_column else [],
        "weight_column": [options.weight_column] if options.weight_column else [],
        "drop_columns": options.drop_columns,
        "categorical_columns": options.categorical_columns,
        "quality.segments": options.segment_columns,
        "fairness": options.facet_columns,
        "columns": [*options.column_formats.by_column],
    }
    if options.features is None:
        # otherwise they may name what it returns
        settings |= {
            "datetime_columns": [*options.data_settings.datetime_columns],
            "encodings": [*options.data_settings.encodings],
        }
    present = set(rows.types)
    absent = [(setting, column) for setting, columns in settings.items() for column in columns if column not in present]
    if absent:
        raise DataError(
            " | ".join(
                f"column {column!r} is not in {rows.name} (columns: {listed(rows.types)}); set {setting}"
                for setting, column in absent
            )
        )
    if reserved := [column for column in rows.types if column in EXTRAS]:
        raise DataError(
            f"{rows.name} has a column {listed(map(repr, reserved))}, a name that the encoded splits need for an extra "
            "column; rename it"
        )
    for setting in ("target_column", "weight_column"):
        if (column := getattr(options, setting)) in options.drop_columns:
            raise DataError(f"column {column!r} is the {setting}; remove it from drop_columns")
    taken = not_features(options)
    features = [column for column in rows.types if column not in taken]
    if not features:
        others = [column for column in rows.types if column in taken]
        raise DataError(f"{rows.name} has no columns besides {listed(others)}; keep at least one column as a feature")
    advice = dict.fromkeys(options.segment_columns, "remove it from quality.segments, or convert it")
    advice |= dict.fromkeys(options.facet_columns, "remove it from fairness, or convert it")
    advice |= dict.fromkeys(features, "add it to drop_columns, or convert it")
    advice |= {options.split_column: f"set {options.split_strategy}_column to another column, or convert it"}
    advice |= {options.target_column: "set target_column to another column, or convert it"}
    advice |= {options.weight_column: "set weight_column to another column, or convert it"}
    for column in filter(None, advice):
        if not is_supported(rows.types[column]):
            raise DataError(
                f"column {column!r} has type {rows.types[column]}, but only numbers, UTF-8 texts, booleans and times "
                f"are supported; {advice[column]}"
            )
    for column in options.numeric_facet_columns:
        if not is_number(rows.types[column]):
            raise DataError(
                f"column {column!r} has texts, but fairness.facets compares it with a threshold; name the values of "
                "the group instead, or convert the column to numbers"
            )
    return [rows.columns[column] for column in features]


def check_rows(count: int, options: argparse.Namespace, report: Report) -> None:
    problem = f"{plural('usable row', count)} {'is' if count == 1 else 'are'} fewer than "
    if count < len(SPLITS):
        problem += f"the {len(SPLITS)} splits need; add rows"
    else:
        problem += f"min_rows ({options.min_rows}); add rows, or lower min_rows"
    enough = count >= max(options.min_rows, len(SPLITS))
    report.add("rows", ERROR, [] if enough else [problem], rows=count, min_rows=options.min_rows)


def check_features(
    engine: Engine,
    rows: Rows,
    features: Sequence[Column],
    sources: Mapping[str, Column],
    datetimes: Collection[str],
    count: int,
    options: argparse.Namespace,
    report: Report,
) -> dict[str, NumberProfile]:
    """Run the checks of single columns.

    Args:
        engine: The engine with the view `rows`.
        rows: What is known of the rows.
        features: The features.
        sources: The columns that the model's columns are made of: the features, or what features.py makes of them.
        datetimes: The names of those that are dates or times.
        count: The number of rows in the view.
        options: The parsed command line.
        report: The checks so far.

    Returns:
        The profiles of the columns of numbers, that of the target among them.
    """
    features = [*dict.fromkeys([*features, *sources.values()])]
    target = rows.columns[options.target_column]
    numbers = [column for column in [*features, target] if is_number(column.stored_type)]
    profiles = profile_numbers(engine, numbers, count, options.outlier_z_score)
    texts = {column.name: value_counts(engine, column) for column in features if not is_number(column.stored_type)}
    present = {column.name: profiles[column.name].present for column in numbers}
    present |= {column: pc.sum(values["count"]).as_py() or 0 for column, values in texts.items()}

    check_missing([column.name for column in features], present, count, options, report)
    constant = [
        column.name
        for column in features
        if present[column.name] == count
        and (len(texts[column.name]) == 1 if column.name in texts else profiles[column.name].range == 0)
    ]
    report.add(
        "constant",
        WARNING,
        {
            column: f"column {column!r} has the same value in every row; consider adding it to drop_columns"
            for column in constant
        },
    )
    measured = [column for column in numbers if column != target or options.problem_type == REGRESSION]
    check_numbers(engine, profiles, rows, [column.name for column in measured], options, report)
    as_they_are = [source for name, source in sources.items() if name not in datetimes]
    like_ids = find_distinct_integers(engine, as_they_are, profiles, count)
    texts = {column.name: texts[column.name] for column in as_they_are if column.name in texts}
    advised = check_texts(engine, rows, texts, like_ids, options, report)
    names = {source.name: name for name, source in sources.items()}
    encoded = {source.name for name, source in sources.items() if name in options.data_settings.encodings}
    # one piece of advice for a column: to encode an ID or a date would contradict the others
    categories = {column: values for column, values in texts.items() if column not in advised | encoded}
    check_category_counts(categories, names, report)
    return profiles


def check_missing(
    features: Sequence[str], present: Mapping[str, int], count: int, options: argparse.Namespace, report: Report
) -> None:
    missing = {column: 1 - present[column] / max(count, 1) for column in features}
    report.add(
        "all_missing",
        ERROR,
        {
            column: f"column {column!r} is empty in every row; add it to drop_columns, or fix its source"
            for column in features
            if count and not present[column]
        },
    )
    report.add(
        "missing_share",
        ERROR,
        {
            column: f"column {column!r} is {share:.1%} missing, more than max_missing_share "
            f"({options.max_missing_share:.1%}); add it to drop_columns, or raise max_missing_share"
            for column, share in missing.items()
            if share > options.max_missing_share and present[column]
        },
        max_missing_share=options.max_missing_share,
        missing_shares={column: share for column, share in missing.items() if share},
    )


def check_numbers(
    engine: Engine,
    profiles: Mapping[str, NumberProfile],
    rows: Rows,
    measured: Sequence[str],
    options: argparse.Namespace,
    report: Report,
) -> None:
    """Check for lost digits, infinities and outliers.

    Args:
        engine: The engine with the view `rows`.
        profiles: The columns of numbers.
        rows: What is known of the rows.
        measured: The columns whose values are numbers, not classes.
        options: The parsed command line.
        report: The checks so far.
    """
    rounded = {}
    for column in (column for column in measured if column in rows.rounded):
        number, example = rows.rounded[column]
        rounded[column] = (
            f"column {column!r} has {plural('value', number)} with more digits than a double holds, for example "
            f"{example}, which are rounded"
        )
        if column != options.target_column:
            rounded[column] += "; add the column to drop_columns or categorical_columns if it is an ID"
    report.add("rounded_numbers", WARNING, rounded)
    infinite = {column: profile.infinite for column, profile in profiles.items() if profile.infinite}
    report.add(
        "infinities",
        ERROR,
        {
            column: f"column {column!r} is infinite in {plural('row', number)}, first in "
            f"{rows.place(position_of_infinity(engine, rows.columns[column]))}; fix its source (a division by "
            "zero?), or leave these values empty"
            for column, number in infinite.items()
        },
        infinities=infinite,
    )
    outliers = {column: count for column in measured if (count := profiles[column].outliers)}
    most = sorted(outliers, key=lambda column: -outliers[column])
    named = listed((f"{column!r} ({outliers[column]})" for column in most), limit=5)
    verb = "has" if len(outliers) == 1 else "have"
    problem = (
        f"{plural('column', len(outliers))} {verb} values with a robust z-score above {options.outlier_z_score:g}: "
        f"{named}"
    )
    report.add(
        "outliers",
        WARNING,
        [problem] if outliers else [],
        columns=most,
        outlier_z_score=options.outlier_z_score,
        outliers=outliers,
        not_measured=[column for column in profiles if profiles[column].outliers is None],
    )


def find_distinct_integers(
    engine: Engine, features: Sequence[Column], profiles: Mapping[str, NumberProfile], count: int
) -> dict[str, int]:
    """Find the columns with another integer in every row: how many there are, by column."""
    candidates: dict[Column, dict[str, str]] = {
        column: {}
        for column in features
        if is_whole_number(column.type)
        and (profile := profiles[column.name]).present == count
        and profile.range >= count - 1
    }
    distinct = measure(engine, "rows", candidates, {"distinct": "count(DISTINCT {column})"})
    return {column.name: count for column, values in distinct.items() if values["distinct"] == count}
