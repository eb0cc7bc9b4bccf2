"""Divide rows among the train, validation and test splits.

Each strategy gives every row a place, puts the rows of each stratum in the order of their places, and cuts this order
by the shares of the splits. Rows of one place stay together.

    random   a stratum is a class; the place is a hash of the features, so that copies are in one split
    time     the place is the time
    group    a group gets the split that lacks the most rows, in the order of a hash of the groups

So the splits are a function of the data: the same rows are split alike in any order and from any files.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import BINARY, RANKING, SPLITS, category_texts
from preprocessing.cuts import counts_by, cut, find_random_cuts
from preprocessing.engine import Engine
from preprocessing.profile import value_counts
from preprocessing.rankings import check_queries
from preprocessing.report import ERROR, WARNING, Report, counted, listed, plural, shortened
from preprocessing.row_keys import text_hash
from preprocessing.rows import Column, Rows
from preprocessing.targets import Labels
from preprocessing.times import rank_times

# Rows with equal features stay together up to this many copies. If there are more, they are a frequent combination, of
# which each split gets its share.
MAX_COPIES = 10
MAX_COPIES_SHARE = 0.1  # of the stratum's rows in the smallest split
# Multiples of the golden ratio, modulo 1, are spread evenly over the places, however few or many they are.
GOLDEN_RATIO = 0.6180339887498949
# A split may deviate from its share by this much.
MAX_SPLIT_DEVIATION = 0.05


def split_rows(engine: Engine, rows: Rows, labels: Labels | None, options: argparse.Namespace, report: Report) -> None:
    """Create the view `placed`: the columns of `rows`, with the columns stratum, place and split (an index of SPLITS).

    Raises:
        DataError: The time or group column cannot be used.
    """
    if options.split_column is None:
        place_randomly(engine, rows.columns[options.target_column], labels, options)
        cuts = find_random_cuts(engine, options.shares)
    else:
        column = rows.columns[options.split_column]
        place = place_by_time if options.split_strategy == "time" else place_by_group
        cuts = place(engine, column, options, report)
        report.raise_errors()
    engine.register("cuts", cuts)
    engine.create_view(
        "placed",
        "SELECT located.*, CASE WHEN place < validation_from THEN 0 WHEN place < test_from THEN 1 ELSE 2 END AS split "
        "FROM located JOIN cuts ON located.stratum = cuts.stratum",
    )


def place_randomly(engine: Engine, target: Column, labels: Labels | None, options: argparse.Namespace) -> None:
    """Create the view `located` for a random split.

    A set of rows with equal features is in the stratum of its rarest class.
    """
    classes = list_classes(labels)
    engine.register("classes", classes)
    of_class = f"{target.sql} = classes.value" if labels else "TRUE"
    engine.create_view("classified", f"SELECT rows.*, classes.stratum AS class FROM rows JOIN classes ON {of_class}")
    engine.create_table(
        "sets_of_class",
        "SELECT feature_key, min(class) AS stratum, count(*) AS copies FROM classified "
        "WHERE feature_key IN (SELECT feature_key FROM sets) GROUP BY feature_key",
    )
    engine.register("limits", limit_copies(engine, classes, options.shares))
    engine.create_table(
        "kept_together",
        "SELECT feature_key, sets_of_class.stratum FROM sets_of_class JOIN limits "
        "ON sets_of_class.stratum = limits.stratum WHERE copies <= max_copies",
    )
    engine.create_table(
        "scattered",
        "SELECT position, row_number() OVER (PARTITION BY row_key ORDER BY position) AS number FROM rows "
        "WHERE feature_key IN (SELECT feature_key FROM sets) "
        "AND feature_key NOT IN (SELECT feature_key FROM kept_together)",
    )
    scale = f"CAST({2**63} AS DOUBLE)"
    spread = f"(row_key / {scale} + number * CAST('{GOLDEN_RATIO}' AS DOUBLE))"
    engine.create_view(
        "located",
        "SELECT classified.*, coalesce(kept_together.stratum, class) AS stratum, "
        f"CASE WHEN number IS NULL THEN classified.feature_key / {scale} ELSE {spread} - floor({spread}) END AS place "
        "FROM classified LEFT JOIN kept_together ON classified.feature_key = kept_together.feature_key "
        "LEFT JOIN scattered ON classified.position = scattered.position",
    )


def check_splits(
    engine: Engine,
    rows: Rows,
    labels: Labels | None,
    unseen: Mapping[str, int],
    options: argparse.Namespace,
    report: Report,
) -> dict[str, int]:
    """Check the sizes of the splits, their categories and their classes.

    Args:
        engine: The engine with the view `placed`.
        rows: What is known of the rows.
        labels: The classes, None for a regression.
        unseen: By feature, how many categories are not in the training split.
        options: The parsed command line.
        report: The checks so far.

    Returns:
        The number of rows of each split.
    """
    target = rows.columns[options.target_column]
    value = target.sql if labels else "stratum"
    found = engine.query(f"SELECT split, {value} AS value, count(*) AS count FROM placed GROUP BY split, {value}")
    by_split = {split: found.filter(pc.equal(found["split"], index)) for index, split in enumerate(SPLITS)}
    sizes = {split: pc.sum(part["count"]).as_py() or 0 for split, part in by_split.items()}
    actual = {split: size / sum(sizes.values()) for split, size in sizes.items()}
    report.add(
        "split_shares",
        WARNING,
        [
            f"the {split} split has {actual[split]:.1%} of the rows instead of {share:.1%}"
            for split, share in zip(SPLITS, options.shares, strict=True)
            if abs(actual[split] - share) > MAX_SPLIT_DEVIATION
        ],
        rows=sizes,
    )
    if options.problem_type == RANKING:
        check_queries(engine, rows, options, report)
    report.add(
        "unseen_categories",
        WARNING,
        {
            column: f"column {column!r} has {plural('category', count)} outside the training split, encoded as missing"
            for column, count in unseen.items()
            if count
        },
    )
    if labels is None:
        return sizes
    classes = {split: set(labels.count(part)) for split, part in by_split.items()}
    problems = []
    for split in SPLITS:
        # One of many classes may be missing from a small test split, but binary metrics need both classes.
        needed = set(labels.counts) if split == "train" or options.problem_type == BINARY else set()
        if lacking := sorted(needed - classes[split]):
            problems.append(
                f"the {split} split has no rows of class {listed(map(shortened, lacking))} of column {target.name!r}; "
                f"add data, or set split_strategy to random instead of {options.split_strategy}"
            )
    report.add("split_classes", ERROR, problems, classes={split: len(found) for split, found in classes.items()})
    return sizes


def list_classes(labels: Labels | None) -> pa.Table:
    """List the strata: the classes from the rarest to the most frequent one, by the values of the target."""
    if labels is None:
        return pa.table({"value": [0], "stratum": [0]})
    order = sorted(labels.counts, key=lambda label: (labels.counts[label], str(label)))
    strata = {label: stratum for stratum, label in enumerate(order)}
    return pa.table({"value": labels.values, "stratum": [strata[label] for label in labels.labels.to_pylist()]})


def limit_copies(engine: Engine, classes: pa.Table, shares: Sequence[float]) -> pa.Table:
    """Decide up to how many copies stay together, by stratum: none where there would be fewer sets than splits."""
    rows = counts_by(engine, "class", "classified")
    copied = counts_by(engine, "class", "classified WHERE feature_key IN (SELECT feature_key FROM sets)")
    sets = counts_by(engine, "stratum", "sets_of_class")
    limits = {}
    for stratum in set(classes["stratum"].to_pylist()):
        units = rows[stratum] - copied.get(stratum, 0) + sets.get(stratum, 0)
        few = max(MAX_COPIES, int(MAX_COPIES_SHARE * min(shares) * rows[stratum]))
        limits[stratum] = few if units >= len(shares) else 1
    return pa.table({"stratum": [*limits], "max_copies": [*limits.values()]})


def place_by_time(engine: Engine, column: Column, options: argparse.Namespace, report: Report) -> pa.Table | None:
    """Create the view `located` for a split by time.

    Returns:
        The cuts; None if the column cannot be used, which is reported.
    """
    moments = value_counts(engine, column)
    values, counts, problem = moments["value"].combine_chunks(), moments["count"].to_numpy(), None
    try:
        ranks = rank_times(values, column.type)
    except ValueError as error:
        problem, ranks = f"{error}; use one ISO 8601 form, such as 2024-02-29T13:00:00", np.zeros(0)
    places = np.unique(ranks)
    if not report_split_column(engine, column, problem, len(places), options, report):
        return None
    engine.register("moments", pa.table({"value": values, "place": ranks}))
    engine.create_view(
        "located", f"SELECT rows.*, 0 AS stratum, moments.place FROM rows JOIN moments ON {column.sql} = moments.value"
    )
    rows_of_rank = np.bincount(ranks - 1, counts).astype(np.int64)
    validation_from, test_from = cut(places, rows_of_rank, options.shares)
    return pa.table({"stratum": [0], "validation_from": [validation_from], "test_from": [test_from]})


def place_by_group(engine: Engine, column: Column, options: argparse.Namespace, report: Report) -> pa.Table | None:
    """Create the view `located` for a split by group: the place is the number of the group, in the order of splits.

    Returns:
        The cuts; None if the column cannot be used, which is reported.
    """
    spellings = value_counts(engine, column)
    groups = category_texts(spellings["value"]).dictionary_encode()
    names = groups.dictionary.to_pylist()
    if not report_split_column(engine, column, None, len(names), options, report):
        return None
    codes = groups.indices.to_numpy()
    sizes = np.bincount(codes, spellings["count"].to_numpy()).astype(np.int64)
    order = sorted(range(len(names)), key=lambda group: (text_hash(f"{options.seed} {names[group]}"), names[group]))
    splits = deal_groups(sizes, order, options.shares)
    numbers = np.empty(len(order), np.int64)
    numbers[sorted(order, key=splits.__getitem__)] = range(len(order))
    engine.register("groups", pa.table({"value": spellings["value"], "place": numbers[codes]}))
    engine.create_view(
        "located", f"SELECT rows.*, 0 AS stratum, groups.place FROM rows JOIN groups ON {column.sql} = groups.value"
    )
    validation_from, test_from = (int((splits < split).sum()) for split in (1, 2))
    return pa.table({"stratum": [0], "validation_from": [validation_from], "test_from": [test_from]})


def deal_groups(sizes: np.ndarray, order: Sequence[int], shares: Sequence[float]) -> np.ndarray:
    """Assign whole groups, in the given order, each to the split that lacks the most rows.

    Args:
        sizes: The rows of each group, shape (groups,).
        order: The groups in the order in which they are assigned.
        shares: The share of each split.

    Returns:
        The index of each group's split, shape (groups,).
    """
    lacking = [share * int(sizes.sum()) for share in shares]
    empty = set(range(len(shares)))
    chosen = np.empty(len(sizes), np.int64)
    for position, group in enumerate(order):
        last_chance = len(sizes) - position == len(empty)
        split = max(empty if last_chance else range(len(shares)), key=lacking.__getitem__)
        chosen[group] = split
        lacking[split] -= int(sizes[group])
        empty.discard(split)
    return chosen


def report_split_column(
    engine: Engine, column: Column, problem: str | None, distinct: int, options: argparse.Namespace, report: Report
) -> bool:
    """Report the check of the time or group column, and return whether it passed."""
    (found,) = engine.query(f"SELECT count(*) AS n, count({column.sql}) AS present FROM rows").to_pylist()
    name = f"{options.split_strategy}_column {column.name!r}"
    if found["present"] < found["n"]:
        missing = counted(found["n"] - found["present"], "row", found["n"])
        problem = f"{name}: {missing} without a value; fill in the values, or remove the rows"
    elif problem:
        problem = f"{name} has {problem}"
    elif distinct < len(SPLITS):
        problem = f"{name} has {plural('distinct value', distinct)}; three splits need at least three"
    report.add("split_column", ERROR, {column.name: problem} if problem else {})
    return problem is None
