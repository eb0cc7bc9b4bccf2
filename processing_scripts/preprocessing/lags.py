"""Lags: earlier values of columns as new columns, such as the sales of the same store a week ago.

A series is the rows with the same key, in the order of their times; lag n of a column is its value n rows earlier in
the series, as by `groupby(key)[column].shift(n)` in pandas. So a lag is known at the time of its row, also that of the
target. The first rows of a series have no such value: it is missing there.

Lags are features of the data like any others, which clients send and baselines describe.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from preprocessing.columns import category_texts, is_supported
from preprocessing.engine import Engine
from preprocessing.profile import value_counts
from preprocessing.report import DataError, counted, listed
from preprocessing.rows import Column, Rows
from preprocessing.times import rank_times


def lag_name(column: str, step: int) -> str:
    return f"{column}_lag_{step}"


def add_lags(engine: Engine, rows: Rows, options: argparse.Namespace) -> Rows:
    """Store the rows with the columns of their lags.

    Args:
        engine: The engine with all rows.
        rows: What is known of the rows.
        options: The parsed command line, with a time column.

    Returns:
        What is known of the rows with lags, which are the last columns.

    Raises:
        DataError: A column does not exist or cannot be used, or the order of some rows in a series is not known.
    """
    lags: Mapping[str, Any] = options.data_settings.lags
    check_columns(rows, lags, options)
    keys = [rows.columns[name] for name in lags["key"]]
    for column in (rows.columns[options.time_column], *keys):
        refuse_missing(engine, rows, column)
    series = place_in_series(engine, rows, keys, options)
    copies = refuse_ties(engine, rows, series, options)
    added = {
        lag_name(name, step): replace(rows.columns[name], name=lag_name(name, step), sql=f"lag{number}_{step}")
        for number, name in enumerate(lags["columns"])
        for step in lags["steps"]
    }
    window = f"OVER ({f'PARTITION BY {series} ' if series else ''}ORDER BY moment)"
    values = ", ".join(
        f"lag({rows.columns[name].sql}, {step}) {window} AS {added[lag_name(name, step)].sql}"
        for name in lags["columns"]
        for step in lags["steps"]
    )
    stored = ", ".join([*(column.sql for column in rows.columns.values()), "feature_key", "row_key", "position"])
    if copies:
        # copies of a row get the lags of the first one, as if they were not there
        first = f"SELECT min(position) AS position FROM {rows.table} GROUP BY row_key"
        engine.create_table("lags", f"SELECT row_key AS of_row, {values} FROM series WHERE position IN ({first})")
        lagged = ", ".join(column.sql for column in added.values())
        query = f"SELECT {stored}, {lagged} FROM {rows.table} JOIN lags ON row_key = of_row"
    else:
        query = f"SELECT {stored}, {values} FROM series"
    engine.store_rows("lagged", query, rows.count * (len(rows.columns) + len(added)))
    types = {name: column.type for name, column in added.items()}
    return replace(rows, table="lagged", types={**rows.types, **types}, columns={**rows.columns, **added})


def check_columns(rows: Rows, lags: Mapping[str, Any], options: argparse.Namespace) -> None:
    needed = dict.fromkeys([options.time_column, *lags["key"], *lags["columns"]])
    if absent := [name for name in needed if name not in rows.types]:
        raise DataError(
            f"data.lags names {listed(map(repr, absent))}, which {rows.name} does not have (columns: "
            f"{listed(rows.types)}); correct the names"
        )
    if odd := [name for name in needed if not is_supported(rows.types[name])]:
        raise DataError(
            f"column {odd[0]!r} of data.lags has type {rows.types[odd[0]]}, but only numbers, UTF-8 texts, booleans "
            "and times are supported; convert it, or change lags"
        )
    names = [lag_name(column, step) for column in lags["columns"] for step in lags["steps"]]
    if taken := [name for name in names if name in rows.types]:
        raise DataError(f"{rows.name} has a column {taken[0]!r} already, the name of a lag; rename it, or change lags")


def refuse_missing(engine: Engine, rows: Rows, column: Column) -> None:
    missing = engine.query(f"SELECT count(*) AS n FROM {rows.table} WHERE {column.sql} IS NULL")["n"][0].as_py()
    if missing:
        raise DataError(
            f"column {column.name!r} of data.lags: {counted(missing, 'row', rows.count)} without a value; fill in the "
            "values, or remove the rows"
        )


def place_in_series(engine: Engine, rows: Rows, keys: Sequence[Column], options: argparse.Namespace) -> str:
    """Create the view `series`: all rows with the columns of their series, and their place there as moment.

    Returns:
        The columns of the series, in SQL; empty if all rows are one series.
    """
    time = rows.columns[options.time_column]
    times = value_counts(engine, time, rows.table)["value"].combine_chunks()
    try:
        ranks = rank_times(times, time.type)
    except ValueError as error:
        raise DataError(
            f"time_column {time.name!r} has {error}; use one ISO 8601 form, such as 2024-02-29T13:00:00"
        ) from None
    engine.register("times", pa.table({"value": times, "moment": ranks}))
    selected, joined, series = ["rows.*", "times.moment"], [f"JOIN times ON rows.{time.sql} = times.value"], []
    for number, key in enumerate(keys):
        series.append(key.sql)
        if key.stored_type == pa.string():
            # spellings of one category are one key
            spellings = value_counts(engine, key, rows.table)["value"].combine_chunks()
            codes = category_texts(spellings).dictionary_encode().indices.to_numpy().astype(np.int64)
            table, series[-1] = f"keys{number}", f"key{number}"
            engine.register(table, pa.table({"value": spellings, "code": codes}))
            selected.append(f"{table}.code AS key{number}")
            joined.append(f"JOIN {table} ON rows.{key.sql} = {table}.value")
    engine.create_view("series", f"SELECT {', '.join(selected)} FROM {rows.table} AS rows {' '.join(joined)}")
    return ", ".join(series)


def refuse_ties(engine: Engine, rows: Rows, series: str, options: argparse.Namespace) -> bool:
    """Raise DataError if rows of a series have the same time; copies of a row may, unless they are kept.

    Returns:
        Whether there are such copies.
    """
    place = f"{series}, moment" if series else "moment"
    ties = (
        f"SELECT count(*) AS n, count(DISTINCT row_key) AS distinct_rows, min(position) AS position FROM series "
        f"GROUP BY {place} HAVING count(*) > 1"
    )
    (found,) = engine.query(
        "SELECT count(*) AS n, sum(n) AS tied, min(position) AS position, "
        f"max(CASE WHEN distinct_rows > 1 THEN 1 ELSE 0 END) AS differ FROM ({ties}) AS ties"
    ).to_pylist()
    if not found["n"]:
        return False
    if found["differ"] or options.duplicates == "keep":
        column = options.time_column
        raise DataError(
            f"{counted(int(found['tied']), 'row', rows.count)} at the same time (column {column!r}) as another one of "
            f"the same series, the first in {rows.place(found['position'])}, so that data.lags has no order; aggregate "
            "the rows, add columns to lags.key, or, if they are exact duplicates, set duplicates to drop"
        )
    return True
