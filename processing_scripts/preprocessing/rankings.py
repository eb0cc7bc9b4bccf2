"""What a ranking needs of its rows: a relevance in each, and queries whose rows differ in it."""

from __future__ import annotations

import argparse

from preprocessing.columns import SPLITS
from preprocessing.engine import Engine
from preprocessing.profile import first_position
from preprocessing.report import ERROR, Report, counted, listed, plural
from preprocessing.rows import Column, Rows

# LightGBM has a gain for each relevance, 2^relevance - 1, up to this one, and refuses queries of more rows than this.
MAX_RELEVANCE = 30
MAX_QUERY_ROWS = 10_000


def relevance_problem(engine: Engine, rows: Rows, column: Column, count: int) -> str | None:
    """Return what is wrong with a target of relevances."""
    odd = f"{column.sql} < 0 OR {column.sql} > {MAX_RELEVANCE} OR {column.sql} <> floor({column.sql})"
    (found,) = engine.query(f"SELECT count(*) AS n FROM rows WHERE {odd}").to_pylist()
    if not found["n"]:
        return None
    place = rows.place(first_position(engine, odd))
    return (
        f"column {column.name!r} is the relevance of a ranking, a whole number from 0 to {MAX_RELEVANCE}: "
        f"{counted(found['n'], 'value', count)} not, first in {place}; convert them to grades such as 0 to 4"
    )


def check_queries(engine: Engine, rows: Rows, options: argparse.Namespace, report: Report) -> None:
    """Check the queries of each split in the view `placed`, whose places are the queries.

    A query whose rows all have the same relevance says nothing of their order.
    """
    target = rows.columns[options.target_column].sql
    queries = (
        f"SELECT split, count(*) AS n, CASE WHEN min({target}) < max({target}) THEN 1 ELSE 0 END AS differs "
        "FROM placed GROUP BY split, place"
    )
    found = engine.query(
        f"SELECT split, count(*) AS queries, sum(differs) AS useful, max(n) AS longest FROM ({queries}) AS queries "
        "GROUP BY split ORDER BY split"
    ).to_pylist()
    name = options.group_column
    problems = []
    if alike := [SPLITS[split["split"]] for split in found if not split["useful"]]:
        problems.append(
            f"no query (group_column {name!r}) in the split {listed(alike)} has rows of different relevance, so there "
            "is no order to learn or to measure; check group_column, or add queries"
        )
    longest = max(split["longest"] for split in found)
    if longest > MAX_QUERY_ROWS:
        problems.append(
            f"a query (group_column {name!r}) has {plural('row', longest)}, more than the {MAX_QUERY_ROWS} that "
            "LightGBM accepts; check group_column, or sample the rows of long queries"
        )
    numbers = {SPLITS[split["split"]]: {key: int(split[key]) for key in ("queries", "useful")} for split in found}
    report.add("queries", ERROR, problems, columns=[name], longest=longest, splits=numbers)
