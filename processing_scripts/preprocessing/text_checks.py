"""Checks of columns of text: those that are probably not meant to be categories, with the setting that says so."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.advice import (
    LOOKS_LIKE_SHARE,
    boolean_problem,
    column_setting,
    described,
    find_number_format,
    missing_setting,
    spelling_problem,
)
from preprocessing.columns import are_numbers, category_texts, example_of_spellings
from preprocessing.engine import Engine
from preprocessing.profile import position_of_value
from preprocessing.report import WARNING, Report, counted, plural, shortened
from preprocessing.rows import Column, Rows

DATE_PATTERN = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4})([T ].*)?$"
# LightGBM puts the categories of a column into at most max_bin bins.
MAX_CATEGORIES = 255
# A text column is like an ID above this share of distinct values.
ID_DISTINCT_SHARE = 0.5


def check_texts(
    engine: Engine,
    rows: Rows,
    texts: Mapping[str, pa.Table],
    integer_ids: Mapping[str, int],
    options: argparse.Namespace,
    report: Report,
) -> set[str]:
    """Warn about columns that are probably not meant to be categories or features.

    Args:
        engine: The engine with the view `rows`.
        rows: What is known of the rows.
        texts: The distinct values of each column of text, and their counts.
        integer_ids: The columns with another integer in every row, and how many these are.
        options: The parsed command line.
        report: The checks so far.

    Returns:
        The columns that a warning says not to use as categories.
    """
    like_ids = {
        column: f"column {column!r} has a different integer in every row, like an ID; "
        "consider adding it to drop_columns"
        for column in integer_ids
    }
    distinct = dict(integer_ids)
    dates, numeric, merged, spelled = {}, {}, {}, {}
    declared = {*options.categorical_columns, *options.column_formats.categories, *options.data_settings.encodings}
    for column, values in texts.items():
        spellings, counts = values["value"], values["count"]
        if not len(spellings):
            continue
        present = pc.sum(counts).as_py()
        if count_of(values, pc.match_substring_regex(spellings, DATE_PATTERN)) >= LOOKS_LIKE_SHARE * present:
            # a column that features.py changes has another name here than in the settings
            name = column.removesuffix(f" ({options.features.name})") if options.features else column
            dates[column] = (
                f"column {column!r} contains dates, each of which becomes a category; set datetime_columns: [{name}] "
                "in the section data, or add the column to drop_columns"
            )
        categories = category_texts(spellings)
        if extra := len(spellings) - len(categories.unique()):
            merged[column] = (
                f"column {column!r} has {plural('category', len(spellings) - extra)} in {len(spellings)} spellings, "
                f"such as {example_of_spellings(spellings, categories)}, which are read as the same"
            )
        if problem := numeric_problem(engine, rows.columns[column], rows, values, column in declared, options):
            numeric[column] = problem
        elif column not in dates and len(spellings) > ID_DISTINCT_SHARE * present:
            distinct[column] = len(spellings)
            like_ids[column] = (
                f"column {column!r} has {len(spellings)} distinct texts in {present} rows, like an ID; "
                "consider adding it to drop_columns"
            )
        elif problem := boolean_problem(column, categories) or spelling_problem(column, categories):
            spelled[column] = problem
    report.add("id_like", WARNING, like_ids, distinct=distinct)
    report.add("dates", WARNING, dates)
    report.add("numbers_as_text", WARNING, numeric)
    report.add("spellings", WARNING, merged)
    report.add("category_spellings", WARNING, spelled)
    return {*like_ids, *dates, *numeric}


def numeric_problem(
    engine: Engine, column: Column, rows: Rows, values: pa.Table, is_declared: bool, options: argparse.Namespace
) -> str | None:
    """Say that a column of text probably has numbers; None if it does not.

    Args:
        engine: The engine with the view `rows`.
        column: The column.
        rows: What is known of the rows.
        values: Its distinct values and their counts.
        is_declared: Whether the column is meant to be a category.
        options: The parsed command line.
    """
    present = pc.sum(values["count"]).as_py()
    odd = values.filter(pc.invert(are_numbers(values["value"])))
    not_numeric = pc.sum(odd["count"]).as_py() or 0
    if 0 < not_numeric <= (1 - LOOKS_LIKE_SHARE) * present:
        example = most_frequent(odd)
        place = rows.place(position_of_value(engine, column, example))
        setting = missing_setting(odd)
        advice = f"set {setting} if they stand for missing values" if setting else "leave these values empty"
        return (
            f"column {column.name!r} is categorical because {counted(not_numeric, 'value', present)} not numeric, for "
            f"example {shortened(example)} in {place}; {advice}, to make it numeric"
        )
    found = None if is_declared else find_number_format(values, options.csv_decimal)
    if found is None:
        return None
    value_format, others = found
    settings = [column_setting(column.name, value_format, options.csv_decimal)]
    if len(others):
        settings.append(missing_setting(others) or "correct the others")
    return (
        f"column {column.name!r} is categorical because its values are "
        f"{described(value_format, most_frequent(values))}; set {' and '.join(settings)} to make it numeric, or add it "
        "to categorical_columns"
    )


def check_category_counts(texts: Mapping[str, pa.Table], names: Mapping[str, str], report: Report) -> None:
    """Warn about columns with more categories than LightGBM distinguishes.

    Args:
        texts: The values of columns.
        names: The names of the columns in the settings: those in `texts` may say that features.py has made them.
        report: Where to add the warning.
    """
    counts = {name: len(category_texts(values["value"]).unique()) for name, values in texts.items()}
    many = {name: number for name, number in counts.items() if number > MAX_CATEGORIES}
    report.add(
        "many_categories",
        WARNING,
        {
            name: f"column {name!r} has {number} categories, of which LightGBM distinguishes the {MAX_CATEGORIES} most "
            f"frequent ones; consider encodings: {{{names[name]}: target}} or {{{names[name]}: frequency}} in "
            "the section data"
            for name, number in many.items()
        },
        categories=many,
    )


def count_of(values: pa.Table, selected: pa.ChunkedArray) -> int:
    """Add up the counts of the selected values."""
    return pc.sum(values["count"].filter(selected)).as_py() or 0


def most_frequent(values: pa.Table) -> str:
    return values["value"][pc.index(values["count"], pc.max(values["count"])).as_py()].as_py()
