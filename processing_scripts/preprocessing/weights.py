"""The weights of the rows: how much each row counts in training and in metrics."""

from __future__ import annotations

import argparse

from preprocessing.columns import SPLITS, is_number
from preprocessing.engine import Engine
from preprocessing.profile import INFINITE, count_where, describe_texts, first_position
from preprocessing.report import ERROR, Report, counted
from preprocessing.rows import Column, Rows


def check_weights(engine: Engine, rows: Rows, count: int, options: argparse.Namespace, report: Report) -> None:
    """Check that every row has a finite weight of at least 0, and that some row counts."""
    if options.weight_column is None or not count:
        return
    column = rows.columns[options.weight_column]
    problem = weight_problem(engine, rows, column, count)
    report.add("weights", ERROR, {column.name: f"weight_column {column.name!r}: {problem}"} if problem else {})


def weight_problem(engine: Engine, rows: Rows, column: Column, count: int) -> str | None:
    if not is_number(column.type):
        return f"{describe_texts(engine, rows, column, count)}; fix them, or choose a column of numbers"
    impossible = f"{column.sql} < 0 OR {INFINITE.format(column=column.sql)}"
    (found,) = engine.query(
        f"SELECT count({column.sql}) AS present, {count_where(impossible)} AS impossible, "
        f"{count_where(f'{column.sql} > 0')} AS positive FROM rows"
    ).to_pylist()
    if missing := count - found["present"]:
        return f"{counted(missing, 'row', count)} without a weight; fill in the weights (0 leaves a row out)"
    if found["impossible"]:
        place = rows.place(first_position(engine, impossible))
        return (
            f"{counted(found['impossible'], 'weight', count)} negative or infinite, first in {place}; "
            "weights must be finite numbers of at least 0"
        )
    if not found["positive"]:
        return "every weight is 0, so no row counts; choose another column"
    return None


def check_weights_of_splits(engine: Engine, rows: Rows, options: argparse.Namespace, report: Report) -> None:
    """Check that each split has a row that counts."""
    if options.weight_column is None:
        return
    column = rows.columns[options.weight_column]
    found = engine.query(f"SELECT split FROM placed WHERE {column.sql} > 0 GROUP BY split")["split"].to_pylist()
    problems = [
        f"every weight in the {split} split is 0 (weight_column {column.name!r}); add rows with weights above 0"
        for index, split in enumerate(SPLITS)
        if index not in found
    ]
    report.add("split_weights", ERROR, problems, columns=[column.name])
