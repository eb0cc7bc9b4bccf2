"""Divide rows among the train, validation and test splits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from preprocessing.columns import REGRESSION


def assign_splits(target: pa.ChunkedArray, key: np.ndarray | None, options: argparse.Namespace) -> np.ndarray:
    """Assign each row to a split.

    Args:
        target: The target column.
        key: Shape (n,), times or codes of groups; None for a random split.
        options: The parsed command line.

    Returns:
        Indices into SPLITS, shape (n,).
    """
    if key is not None and options.split_strategy == "time":
        return split_by_time(key, options.shares)
    if key is not None:
        return split_by_group(key, options.shares, options.seed)
    if options.problem_type == REGRESSION:
        return split_randomly(np.zeros(len(target), np.int64), options.shares, options.seed)
    return split_randomly(target.combine_chunks().dictionary_encode().indices.to_numpy(), options.shares, options.seed)


def split_randomly(strata: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """Split each stratum by the shares, to the nearest row and with at least one row per split.

    Args:
        strata: The stratum of each row, shape (n,).
        shares: The share of each split.
        seed: The seed of the shuffle.
    """
    generator = np.random.default_rng(seed)
    assignment = np.empty(len(strata), np.int64)
    for stratum in np.unique(strata):
        rows = generator.permutation(np.flatnonzero(strata == stratum))
        assignment[rows] = np.repeat(np.arange(len(shares)), allot(len(rows), shares))
    return assignment


def allot(rows: int, shares: Sequence[float]) -> np.ndarray:
    """Divide rows by the largest remainder method, with at least one row per split."""
    exact = rows * np.asarray(shares)
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: rows - counts.sum()]] += 1
    while not counts.all():
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
