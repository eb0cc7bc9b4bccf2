"""Divide rows between training, validation and test."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from preprocessing.columns import REGRESSION


def assign_splits(target: pa.ChunkedArray, key: np.ndarray | None, options: argparse.Namespace) -> np.ndarray:
    """The split of each row as an index into SPLITS, shape (n,)."""
    if key is not None and options.split_strategy == "time":
        return split_by_time(key, options.shares)
    if key is not None:
        return split_by_group(key, options.shares, options.seed)
    if options.problem_type == REGRESSION:
        return split_randomly(np.zeros(len(target), np.int64), options.shares, options.seed)
    return split_randomly(target.combine_chunks().dictionary_encode().indices.to_numpy(), options.shares, options.seed)


def split_randomly(strata: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """Split each stratum by the shares, to the nearest row; at least one row a split. strata: one number a row."""
    generator = np.random.default_rng(seed)
    assignment = np.empty(len(strata), np.int64)
    for stratum in np.unique(strata):
        rows = generator.permutation(np.flatnonzero(strata == stratum))
        assignment[rows] = np.repeat(np.arange(len(shares)), allot(len(rows), shares))
    return assignment


def allot(rows: int, shares: Sequence[float]) -> np.ndarray:
    """Whole numbers of rows by the method of largest remainders, none of them 0."""
    exact = rows * np.asarray(shares)
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: rows - counts.sum()]] += 1
    while not counts.all():
        counts[counts.argmax()] -= 1
        counts[counts.argmin()] += 1
    return counts


def split_by_time(times: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Earlier rows first; a moment's rows stay together, so each split ends before the next one begins."""
    _, moments, counts = np.unique(times, return_inverse=True, return_counts=True)
    rows_through = np.cumsum(counts)
    train_end = np.abs(rows_through[:-2] - shares[0] * len(times)).argmin()
    later = rows_through[train_end + 1 : -1]
    validation_end = train_end + 1 + np.abs(later - (shares[0] + shares[1]) * len(times)).argmin()
    return np.searchsorted([train_end, validation_end], moments)


def split_by_group(groups: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """Whole groups, in random order, each to the split that lacks most rows. groups: codes from 0, one a row."""
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
