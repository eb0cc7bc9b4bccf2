"""Find the places at which rows in the order of their places are cut into splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from preprocessing.engine import Engine

# The places of so many rows are sorted in memory; of more rows, those near a cut.
FEW_ROWS = 1_000_000
BINS = 4096


def counts_by(engine: Engine, column: str, source: str) -> dict[Any, int]:
    found = engine.query(f"SELECT {column} AS value, count(*) AS count FROM {source} GROUP BY {column}")
    return dict(zip(found["value"].to_pylist(), found["count"].to_pylist(), strict=True))


def find_random_cuts(engine: Engine, shares: Sequence[float]) -> pa.Table:
    """Find the places at which the validation and the test split of each stratum begin."""
    rows = counts_by(engine, "stratum", "located")
    many = [stratum for stratum, count in rows.items() if count > FEW_ROWS]
    cuts = {stratum: find_cuts_among_many(engine, stratum, rows[stratum], shares) for stratum in many}
    if len(many) < len(rows):
        others = f"stratum NOT IN ({', '.join(map(str, many))})" if many else "TRUE"
        found = engine.query(
            f"SELECT stratum, place, count(*) AS count FROM located WHERE {others} GROUP BY stratum, place "
            "ORDER BY stratum, place"
        )
        strata, places, counts = (found[name].to_numpy() for name in ("stratum", "place", "count"))
        for stratum in set(rows).difference(many):
            members = slice(*np.searchsorted(strata, [stratum, stratum + 1]))
            cuts[stratum] = cut(places[members], counts[members], shares)
    validation_from, test_from = zip(*cuts.values(), strict=True)
    return pa.table({"stratum": [*cuts], "validation_from": validation_from, "test_from": test_from})


def find_cuts_among_many(engine: Engine, stratum: int, rows: int, shares: Sequence[float]) -> list[float]:
    """Find the cuts of a stratum by counting its rows in bins, and then in the places of the two bins with a cut."""
    bin_ = f"CAST(floor(place * {BINS}) AS BIGINT)"
    bins = counts_by(engine, bin_, f"located WHERE stratum = {stratum}")
    before = np.cumsum([0, *(bins.get(number, 0) for number in range(BINS))])
    cuts = []
    for wanted in np.cumsum(shares)[:2] * rows:
        number = int(np.searchsorted(before, wanted)) - 1
        found = engine.query(
            f"SELECT place, count(*) AS count FROM located WHERE stratum = {stratum} AND {bin_} = {number} "
            "GROUP BY place ORDER BY place"
        )
        starts = before[number] + np.cumsum(found["count"].to_numpy()) - found["count"].to_numpy()
        places = [*found["place"].to_pylist(), (number + 1) / BINS]
        cuts.append(places[np.abs([*starts, before[number + 1]] - wanted).argmin()])
    return cuts


def cut(places: np.ndarray, counts: np.ndarray, shares: Sequence[float]) -> list[Any]:
    """Cut places at the shares of their rows, to the nearest place and with at least one place per split.

    Args:
        places: Distinct places in their order, shape (n,).
        counts: The number of rows at each, shape (n,).
        shares: The shares of the splits.

    Returns:
        The first place of the validation split and that of the test split.
    """
    if len(places) < len(shares):
        # The stratum has more rows than places: the others are in sets of other strata.
        return [np.inf, np.inf]
    rows_through = np.cumsum(counts)
    rows = rows_through[-1]
    train_end = np.abs(rows_through[:-2] - shares[0] * rows).argmin()
    later = rows_through[train_end + 1 : -1]
    validation_end = train_end + 1 + np.abs(later - (shares[0] + shares[1]) * rows).argmin()
    return [places[train_end + 1], places[validation_end + 1]]
