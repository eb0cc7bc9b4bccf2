"""Rows that equal others: those with the same features, and exact duplicates."""

from __future__ import annotations

import argparse
from typing import Any

from preprocessing.columns import is_number
from preprocessing.engine import Engine
from preprocessing.report import ERROR, WARNING, Report, counted, plural, shortened
from preprocessing.rows import Rows
from preprocessing.targets import Labels

# How many duplicates an error names.
MAX_NAMED = 5


def drop_unlabelled(engine: Engine, rows: Rows, options: argparse.Namespace, report: Report) -> int:
    """Create the view `rows` of the rows with a target, and return how many these are."""
    target = options.target_column
    engine.create_view("rows", f"SELECT * FROM {rows.table} WHERE {rows.columns[target].sql} IS NOT NULL")
    count: int = engine.query("SELECT count(*) AS n FROM rows")["n"][0].as_py()
    without = rows.count - count
    problem = f"dropped {without} of {plural('row', rows.count)} without a value in column {target!r}"
    report.add("rows_without_target", WARNING, {target: problem} if without else {}, without_target=without)
    return count


def drop_duplicates(
    engine: Engine, rows: Rows, labels: Labels | None, count: int, options: argparse.Namespace, report: Report
) -> int:
    """Report exact duplicates, and drop them from the view `rows` if the options say so.

    Duplicates are the rows that equal an earlier one in all columns. The table `sets` has, afterwards, the keys of the
    features that several rows share.

    Args:
        engine: The engine with the view `rows`.
        rows: What is known of the rows.
        labels: The classes, None for a regression.
        count: The number of rows in the view.
        options: The parsed command line.
        report: The checks so far.

    Returns:
        The number of rows in the view afterwards.
    """
    find_sets(engine)
    target = rows.columns[options.target_column].sql
    engine.create_table(
        "copies",
        "SELECT position, original, target FROM "
        f"(SELECT position, {target} AS target, min(position) OVER (PARTITION BY row_key) AS original FROM rows "
        "WHERE feature_key IN (SELECT feature_key FROM sets)) AS alike WHERE position > original",
    )
    copies: int = engine.query("SELECT count(*) AS n FROM copies")["n"][0].as_py()
    severity = ERROR if options.duplicates == "error" else WARNING
    if not copies:
        report.add("duplicate_rows", severity, rows_read=rows.count, duplicates=0)
        return count
    effect, numbers = compare_targets(engine, rows, labels, options)
    problem = f"{counted(copies, 'row', count)} {'an exact duplicate' if copies == 1 else 'exact duplicates'}"
    if options.duplicates == "keep":
        problem += f" and kept; dropping them (duplicates: drop) would change {effect}"
    elif options.duplicates == "drop":
        problem += f" and dropped, which changes {effect}; set duplicates to keep unless they are mistakes"
    else:
        named = engine.query(f"SELECT position, original FROM copies ORDER BY position LIMIT {MAX_NAMED}").to_pylist()
        pairs = [f"{rows.place(copy['position'])} equals {rows.place(copy['original'])}" for copy in named]
        more = f" and {copies - MAX_NAMED} more" if copies > MAX_NAMED else ""
        problem += f": {', '.join(pairs)}{more}; remove them, or set duplicates to keep or drop"
    report.add("duplicate_rows", severity, [problem], rows_read=rows.count, duplicates=copies, **numbers)
    if options.duplicates != "drop":
        return count
    engine.create_view(
        "rows",
        f"SELECT * FROM {rows.table} WHERE {target} IS NOT NULL AND position NOT IN (SELECT position FROM copies)",
    )
    find_sets(engine)
    return count - copies


def find_sets(engine: Engine) -> None:
    engine.create_table("sets", "SELECT feature_key FROM rows GROUP BY feature_key HAVING count(*) > 1")


def compare_targets(
    engine: Engine, rows: Rows, labels: Labels | None, options: argparse.Namespace
) -> tuple[str, dict[str, Any]]:
    """Compare the target with and without duplicates.

    Returns:
        What differs most, as a phrase, and all numbers for the report.
    """
    target = rows.columns[options.target_column]
    if labels is None:
        if not is_number(target.type):
            return "the target", {}
        sums = "SELECT count(*) AS n, sum(CAST({} AS DOUBLE)) AS total FROM {}"
        (all_rows,) = engine.query(sums.format(target.sql, "rows")).to_pylist()
        (copies,) = engine.query(sums.format("target", "copies")).to_pylist()
        before = all_rows["total"] / all_rows["n"]
        after = (all_rows["total"] - copies["total"]) / (all_rows["n"] - copies["n"])
        numbers: dict[str, Any] = {"target_mean": before, "target_mean_without_duplicates": after}
        return f"the mean of column {options.target_column!r} from {before:.6g} to {after:.6g}", numbers
    copied = labels.count(engine.query("SELECT target AS value, count(*) AS count FROM copies GROUP BY target"))
    shares, other = (
        {label: counts[label] / sum(counts.values()) for label in counts if counts[label]}
        for counts in (labels.counts, {label: count - copied.get(label, 0) for label, count in labels.counts.items()})
    )
    most = max(sorted(shares), key=lambda label: abs(shares[label] - other[label]))
    numbers = {
        "class_shares": {str(label): shares[label] for label in sorted(shares)},
        "class_shares_without_duplicates": {str(label): other[label] for label in sorted(shares)},
    }
    if abs(shares[most] - other[most]) < 0.001:
        return "the share of each class by less than 0.1 %", numbers
    return f"the share of class {shortened(most)} from {shares[most]:.1%} to {other[most]:.1%}", numbers
