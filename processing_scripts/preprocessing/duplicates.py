"""Rows that equal others, and rows without a target."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import REGRESSION, as_comparable, as_doubles, is_number
from preprocessing.reading import Data
from preprocessing.report import ERROR, WARNING, Report, counted, plural, shortened
from preprocessing.targets import as_labels

# How many duplicates an error names.
MAX_NAMED = 5


def drop_unusable_rows(
    data: Data, features: Sequence[str], options: argparse.Namespace, report: Report
) -> tuple[pa.Table, np.ndarray | None]:
    """Drop rows without a target and, if the options say so, exact duplicates except the first.

    Returns:
        The rows, with the target as labels; and numbers, shape (n,), which are the same for rows with equal features,
        or None if there are no such rows.
    """
    target = options.target_column
    table = pa.table({name: as_comparable(data.table[name]) for name in data.table.column_names})
    rows = np.flatnonzero(table[target].is_valid())
    unlabelled = len(table) - len(rows)
    if unlabelled:
        table = table.take(pa.array(rows))
    problem = f"dropped {unlabelled} of {plural('row', len(data.table))} without a value in column {target!r}"
    report.add("rows_without_target", WARNING, {target: problem} if unlabelled else {}, without_target=unlabelled)

    alike = number_equal_rows(table.select(features))
    copies, originals = find_duplicates(table, alike)
    if options.problem_type != REGRESSION:
        table = table.set_column(table.column_names.index(target), target, as_labels(table[target], options, report))
    report_duplicates(table[target], copies, originals, data, rows, options, report)
    if options.duplicates == "drop" and alike is not None:
        table, alike = table.take(pa.array(np.delete(np.arange(len(table)), copies))), np.delete(alike, copies)
    return table, alike


def report_duplicates(
    labels: pa.ChunkedArray,
    copies: np.ndarray,
    originals: np.ndarray,
    data: Data,
    rows: np.ndarray,
    options: argparse.Namespace,
    report: Report,
) -> None:
    """Report how many duplicates there are, and what dropping them does to the target.

    Args:
        labels: The target.
        copies: The positions of the duplicates.
        originals: The position of the first row that each of them equals.
        data: The data as read.
        rows: The position of each row in the data.
        options: The parsed command line.
        report: The checks so far.
    """
    severity = ERROR if options.duplicates == "error" else WARNING
    if not len(copies):
        report.add("duplicate_rows", severity, rows_read=len(data.table), duplicates=0)
        return
    without = labels.take(pa.array(np.delete(np.arange(len(labels)), copies)))
    effect, numbers = compare_targets(labels, without, options)
    problem = f"{counted(len(copies), 'row', len(labels))} exact duplicates"
    if options.duplicates == "keep":
        problem += f" and kept; dropping them (duplicates: drop) would change {effect}"
    elif options.duplicates == "drop":
        problem += f" and dropped, which changes {effect}; set duplicates to keep unless they are mistakes"
    else:
        first = rows[copies[:MAX_NAMED]], rows[originals[:MAX_NAMED]]
        pairs = [f"{data.place(copy)} equals {data.place(original)}" for copy, original in zip(*first, strict=True)]
        more = f" and {len(copies) - MAX_NAMED} more" if len(copies) > MAX_NAMED else ""
        problem += f": {', '.join(pairs)}{more}; remove them, or set duplicates to keep or drop"
    report.add("duplicate_rows", severity, [problem], rows_read=len(data.table), duplicates=len(copies), **numbers)


def number_equal_rows(table: pa.Table) -> np.ndarray | None:
    """Number rows from 0, shape (n,), equal rows alike; None if no two rows are equal."""
    # Columns are renamed to numbers, because a column may have any name.
    *keys, position = map(str, range(table.num_columns + 1))
    numbered = pa.table([*table.columns, pa.array(np.arange(len(table)))], names=[*keys, position])
    grouped = numbered.group_by(keys, use_threads=False)
    groups = grouped.aggregate([(position, "list")])[f"{position}_list"]
    if len(groups) == len(table):
        return None
    numbers = np.empty(len(table), np.int64)
    numbers[pc.list_flatten(groups).to_numpy()] = np.repeat(np.arange(len(groups)), pc.list_value_length(groups))
    return numbers


def find_duplicates(table: pa.Table, alike: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows that equal an earlier one in all columns.

    Args:
        table: The rows.
        alike: The number of each row, by its features: only rows with equal features can be duplicates.

    Returns:
        The positions of the duplicates, and that of the first row that each equals; both of shape (duplicates,).
    """
    none = np.empty(0, np.int64)
    if alike is None:
        return none, none
    candidates = np.flatnonzero(np.bincount(alike)[alike] > 1)
    numbers = number_equal_rows(table.take(pa.array(candidates)))
    if numbers is None:
        return none, none
    _, first = np.unique(numbers, return_index=True)
    originals = candidates[first[numbers]]
    is_copy = originals != candidates
    return candidates[is_copy], originals[is_copy]


def compare_targets(
    labels: pa.ChunkedArray, without: pa.ChunkedArray, options: argparse.Namespace
) -> tuple[str, dict[str, object]]:
    """Compare the target with and without duplicates.

    Returns:
        What differs most, as a phrase, and all numbers for the report.
    """
    if options.problem_type == REGRESSION:
        if not is_number(labels.type):
            return "the target", {}
        before, after = (pc.mean(as_doubles(column)).as_py() for column in (labels, without))
        numbers: dict[str, object] = {"target_mean": before, "target_mean_without_duplicates": after}
        return f"the mean of column {options.target_column!r} from {before:.6g} to {after:.6g}", numbers
    shares, other = (
        {entry["values"]: entry["counts"] / len(column) for entry in column.value_counts().to_pylist()}
        for column in (labels, without)
    )
    most = max(sorted(shares), key=lambda label: abs(shares[label] - other[label]))
    numbers = {
        "class_shares": {str(label): shares[label] for label in sorted(shares)},
        "class_shares_without_duplicates": {str(label): other[label] for label in sorted(shares)},
    }
    if abs(shares[most] - other[most]) < 0.001:
        return "the share of each class by less than 0.1 %", numbers
    return f"the share of class {shortened(most)} from {shares[most]:.1%} to {other[most]:.1%}", numbers
