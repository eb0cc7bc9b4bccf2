"""Divide rows among the train, validation and test splits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from preprocessing.columns import REGRESSION

UNASSIGNED = -1

# A random split keeps rows with equal features together, so that no model is tested on copies of its training rows. If
# there are more of them than this, they are a frequent combination instead, of which each split gets its share.
MAX_COPIES = 10
MAX_COPIES_SHARE = 0.1  # of the smallest split


def assign_splits(
    target: pa.ChunkedArray, key: np.ndarray | None, alike: np.ndarray | None, options: argparse.Namespace
) -> np.ndarray:
    """Assign each row to a split.

    Args:
        target: The target column.
        key: Shape (n,), times or codes of groups; None for a random split.
        alike: Numbers from 0 that are the same for rows with equal features, shape (n,); None if there are none.
        options: The parsed command line.

    Returns:
        Indices into SPLITS, shape (n,).
    """
    if key is not None and options.split_strategy == "time":
        return split_by_time(key, options.shares)
    if key is not None:
        return split_by_group(key, options.shares, options.seed)
    strata = np.zeros(len(target), np.int64)
    if options.problem_type != REGRESSION:
        strata = target.combine_chunks().dictionary_encode().indices.to_numpy()
    return split_randomly(strata, alike, options.shares, options.seed)


def split_randomly(strata: np.ndarray, alike: np.ndarray | None, shares: Sequence[float], seed: int) -> np.ndarray:
    """Split each stratum by the shares, to the nearest row and with at least one row per split.

    Args:
        strata: The stratum of each row, from 0, shape (n,).
        alike: Numbers from 0, shape (n,). Rows with the same number stay together, if they are few; single rows then
            make up for what a split lacks.
        shares: The share of each split.
        seed: The seed of the shuffle.
    """
    generator = np.random.default_rng(seed)
    assignment = np.full(len(strata), UNASSIGNED)
    if alike is not None:
        assignment = deal_copies(strata, alike, shares, generator)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        dealt = assignment[members]
        rows = generator.permutation(members[dealt == UNASSIGNED])
        lacking = allot(len(members), shares) - np.bincount(dealt[dealt != UNASSIGNED], minlength=len(shares))
        counts = lacking.clip(0)
        while counts.sum() > len(rows):
            counts[counts.argmax()] -= 1
        assignment[rows] = np.repeat(np.arange(len(shares)), counts)
    return assignment


def deal_copies(
    strata: np.ndarray, alike: np.ndarray, shares: Sequence[float], generator: np.random.Generator
) -> np.ndarray:
    """Assign the rows that stay together.

    The sets of a stratum are dealt in the order of their sizes, so that each split has large and small ones. A set with
    rows of several strata counts for the rarest of them.

    Returns:
        The split of each row, UNASSIGNED for those that may go anywhere, shape (n,).
    """
    sizes = np.bincount(alike)
    together = (sizes > 1) & (sizes <= max(MAX_COPIES, MAX_COPIES_SHARE * min(shares) * len(strata)))
    by_rarity = np.argsort(np.bincount(strata), kind="stable")
    rarest = np.full(len(sizes), len(by_rarity))
    np.minimum.at(rarest, alike, np.argsort(by_rarity)[strata])
    single_rows = np.bincount(strata[~together[alike]], minlength=len(by_rarity))

    split = np.full(len(sizes), UNASSIGNED)
    for rank, stratum in enumerate(by_rarity):
        sets = generator.permutation(np.flatnonzero(together & (rarest == rank)))
        # With fewer, a split might have no row of the stratum.
        if max(len(sets), single_rows[stratum]) >= len(shares):
            counts = allot(len(sets), shares)
            turns = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
            order = np.repeat(np.arange(len(shares)), counts)[np.argsort(turns, kind="stable")]
            split[sets[np.argsort(-sizes[sets], kind="stable")]] = order
    return split[alike]


def allot(rows: int, shares: Sequence[float]) -> np.ndarray:
    """Divide rows by the largest remainder method, with at least one row per split if there are enough."""
    exact = rows * np.asarray(shares)
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: rows - counts.sum()]] += 1
    while rows >= len(shares) and not counts.all():
        counts[counts.argmax()] -= 1
        counts[counts.argmin()] += 1
    return counts


def split_by_time(times: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Split by time. Rows of the same time stay together, so that each split ends before the next one begins."""
    _, moments, counts = np.unique(times, return_inverse=True, return_counts=True)
    rows_through = np.cumsum(counts)
    train_end = np.abs(rows_through[:-2] - shares[0] * len(times)).argmin()
    later = rows_through[train_end + 1 : -1]
    validation_end = train_end + 1 + np.abs(later - (shares[0] + shares[1]) * len(times)).argmin()
    return np.searchsorted([train_end, validation_end], moments)


def split_by_group(groups: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """Assign whole groups, in random order, each to the split that lacks the most rows.

    Args:
        groups: The code of each row's group, from 0, shape (n,).
        shares: The share of each split.
        seed: The seed of the order.
    """
    sizes = np.bincount(groups)
    lacking = [share * len(groups) for share in shares]
    empty = set(range(len(shares)))
    chosen = np.empty(len(sizes), np.int64)
    for position, group in enumerate(np.random.default_rng(seed).permutation(len(sizes)).tolist()):
        last_chance = len(sizes) - position == len(empty)
        split = max(empty if last_chance else range(len(shares)), key=lacking.__getitem__)
        chosen[group] = split
        lacking[split] -= sizes[group]
        empty.discard(split)
    return chosen[groups]
