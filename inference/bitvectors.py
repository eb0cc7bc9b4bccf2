"""Many rows through many trees at once, in NumPy: three to five times as fast as walking down the trees one by one.

Walking down a tree costs a mispredicted branch at every other node. QuickScorer (Lucchese et al., "QuickScorer: a fast
algorithm to rank documents with additive ensembles of regression trees", SIGIR 2015) has no branches: number a tree's
leaves from left to right, and let every node at which a row goes right forbid the leaves under its left child. The
leftmost leaf that nobody forbids is the one the row falls into.

What the nodes of one feature forbid together depends only on between which two thresholds the value lies. So for each
feature there is a table with a row an interval and a column a tree, whose entries are bitvectors of allowed leaves. To
predict: look up each feature's row, AND them all, take the lowest bit of each tree, and add up the leaves' values.

The rules of what goes right are those of LightGBM's tree.h (NumericalDecision, CategoricalDecision).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING_NONE, MISSING_ZERO, MISSING_NAN = 0, 4, 8
MISSING_TYPE = 12
# a row costs so many lookups a tree; with more features LightGBM's walk is as fast
MOST_FEATURES = 64
# beyond this the tables no longer fit into a processor's cache, and every lookup waits for memory
MOST_BYTES = 64 << 20
# so many rows a time keep the bitvectors in the cache
ROWS_A_TIME = 512
# kZeroThreshold, a float32
ZERO = float(np.float32(1e-35))
CELLS, MOST_STEPS = 1024, 6

Bits = type[np.uint32] | type[np.uint64]


@dataclass(frozen=True)
class Node:
    """forbidden: bits of the leaves under the left child. threshold: of a category, the codes that go left."""

    tree: int
    threshold: float | frozenset[int]
    nan_goes_left: bool
    forbidden: int


class Intervals:
    """The thresholds of a feature in ascending order, and between which of them values lie.

    Equal cells from the first to the last threshold tell where to begin to look, so that only the few thresholds of a
    value's own cell are left to compare with: half the time of a binary search, unless one cell has many.
    """

    def __init__(self, edges: np.ndarray):
        self.edges = edges
        # a threshold may be the largest of all numbers, and the distance between two then none
        width = float(edges[-1] / 2 - edges[0] / 2) * 2
        self._scale = CELLS / width if 0 < width < math.inf and math.isfinite(CELLS / width) else 0.0
        inside = np.bincount(self._cells(edges), minlength=CELLS + 1)
        self._begin = np.cumsum(inside) - inside
        self._steps = int(inside.max())
        self._ends = np.append(edges, math.inf)

    def find(self, values: np.ndarray) -> np.ndarray:
        """How many thresholds are less than each value; of NaN any number."""
        if self._steps > MOST_STEPS:
            return np.searchsorted(self.edges, values)
        found = self._begin.take(self._cells(values))
        for _ in range(self._steps):
            found += self._ends.take(found) < values
        return found

    def _cells(self, values: np.ndarray) -> np.ndarray:
        """Rounding does not matter, as it never puts the greater of two values into the lower cell."""
        with np.errstate(over="ignore", invalid="ignore"):
            cells = (values - self.edges[0]) * self._scale
            return np.fmin(np.fmax(cells, 0), CELLS).astype(np.intp)


@dataclass(frozen=True)
class Table:
    """What one feature allows, shape (intervals + 1, trees); the last row is for NaN, and an unknown category.

    intervals: between a number's thresholds, each of which ends one; None for a category, whose codes are the rows.
    """

    feature: int
    intervals: Intervals | None
    allowed: np.ndarray

    def rows(self, values: np.ndarray) -> np.ndarray:
        last = len(self.allowed) - 1
        if self.intervals is None:
            # as LightGBM does: truncated to an integer; what is negative is no category
            is_known = (values > -1) & (values < last)
            return np.where(is_known, values, last).astype(np.intp)
        found = self.intervals.find(values)
        is_nan = np.isnan(values)
        if is_nan.any():
            found[is_nan] = last
        return found


class BitvectorTrees:
    """tables: of the features that the trees use. leaves: values, shape (trees, leaves), trees in the model's order."""

    def __init__(self, tables: Sequence[Table], leaves: np.ndarray, classes: int, objective: str):
        self._tables, self._classes, self._objective = tables, classes, objective
        self._leaves = leaves.ravel()
        self._bits: Bits = np.uint32 if leaves.shape[1] <= 32 else np.uint64
        self._first_leaf = np.arange(len(leaves), dtype=np.intp) * leaves.shape[1]

    def predict(self, columns: np.ndarray) -> np.ndarray:
        """What Booster.predict gives, to the last bits: shape (n,), or (n, classes).

        columns: float64, shape (features, n).
        """
        count = columns.shape[1]
        rows = [table.rows(columns[table.feature]) for table in self._tables]
        raw = np.empty((count, self._classes))
        allowed = np.empty((ROWS_A_TIME, len(self._first_leaf)), self._bits)
        others = np.empty_like(allowed)
        for start in range(0, count, ROWS_A_TIME):
            part = slice(start, min(start + ROWS_A_TIME, count))
            size = part.stop - part.start
            raw[part] = self._sums(self._allowed(rows, part, allowed[:size], others[:size]))
        return self._converted(raw)

    def _allowed(self, rows: Sequence[np.ndarray], part: slice, allowed: np.ndarray, others: np.ndarray) -> np.ndarray:
        allowed.fill(np.iinfo(self._bits).max)
        for index, (table, places) in enumerate(zip(self._tables, rows, strict=True)):
            # every place is within the table; "clip" spares NumPy a buffer that "raise" needs
            np.take(table.allowed, places[part], axis=0, out=others if index else allowed, mode="clip")
            if index:
                np.bitwise_and(allowed, others, out=allowed)
        return allowed

    def _sums(self, allowed: np.ndarray) -> np.ndarray:
        lowest = allowed & (~allowed + self._bits(1))
        # a power of two as a float has its logarithm in the exponent
        if self._bits is np.uint32:
            numbers = (lowest.astype(np.float32).view(np.int32) >> 23) - 127
        else:
            numbers = (lowest.astype(np.float64).view(np.int64) >> 52) - 1023
        values = self._leaves.take(numbers + self._first_leaf)
        return values.reshape(len(values), -1, self._classes).sum(axis=1)

    def _converted(self, raw: np.ndarray) -> np.ndarray:
        if self._objective == "binary":
            return 1.0 / (1.0 + np.exp(-raw[:, 0]))
        if self._objective == "multiclass":
            powers = np.exp(raw - raw.max(axis=1, keepdims=True))
            return powers / powers.sum(axis=1, keepdims=True)
        return raw[:, 0]


def read_model(path: Path) -> BitvectorTrees | None:
    """The trees of a model.txt; None where walking them is as fast, or the model has something that is not done here.

    That is: more than 64 leaves a tree or features in all, tables beyond 64 MB, zero as missing, linear trees, random
    forests, other objectives than train.py's.
    """
    header, *trees = path.read_text(encoding="utf-8").split("\nTree=")
    settings = fields(header)
    objective = settings.get("objective", "")
    known = {"binary sigmoid:1": "binary", "regression": "regression"}
    kind = "multiclass" if re.fullmatch(r"multiclass num_class:\d+", objective) else known.get(objective)
    if kind is None or "average_output" in header or not trees:
        return None
    nodes: dict[int, list[Node]] = {}
    leaves: list[list[float]] = []
    for number, text in enumerate(trees):
        tree = fields(text)
        if tree.get("is_linear", "0") != "0" or int(tree["num_leaves"]) > 64:
            return None
        if any(int(kind) & MISSING_TYPE == MISSING_ZERO for kind in tree.get("decision_type", "").split()):
            return None
        leaves.append(read_tree(tree, number, nodes))
    most = max(map(len, leaves))
    bits: Bits = np.uint32 if most <= 32 else np.uint64
    entries = sum(len({node.threshold for node in of_feature}) + 2 for of_feature in nodes.values()) * len(leaves)
    if len(nodes) > MOST_FEATURES or entries * np.dtype(bits).itemsize > MOST_BYTES:
        return None
    values = np.zeros((len(leaves), most))
    for number, of_tree in enumerate(leaves):
        values[number, : len(of_tree)] = of_tree
    tables = [make_table(feature, nodes[feature], len(leaves), bits) for feature in sorted(nodes)]
    return BitvectorTrees(tables, values, int(settings["num_tree_per_iteration"]), kind)


def fields(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def read_tree(tree: Mapping[str, str], number: int, nodes: dict[int, list[Node]]) -> list[float]:
    """Add a tree's nodes to those of their features; the values of its leaves from left to right."""
    values = [float(value) for value in tree["leaf_value"].split()]
    if len(values) == 1:
        return values
    left, right, features, kinds = (
        [int(item) for item in tree[name].split()]
        for name in ("left_child", "right_child", "split_feature", "decision_type")
    )
    thresholds = [beside_zero(float(item)) for item in tree["threshold"].split()]
    in_order: list[float] = []

    def visit(child: int) -> int:
        """The bits of the leaves under a child, which is a node, or of negative number a leaf."""
        if child < 0:
            in_order.append(values[~child])
            return 1 << (len(in_order) - 1)
        under_left = visit(left[child])
        under_right = visit(right[child])
        kind, threshold = kinds[child], thresholds[child]
        if kind & CATEGORICAL:
            node = Node(number, categories_that_go_left(tree, int(threshold)), False, under_left)
        else:
            is_missing = kind & MISSING_TYPE == MISSING_NAN
            goes_left = bool(kind & DEFAULT_LEFT) if is_missing else threshold >= 0
            node = Node(number, threshold, goes_left, under_left)
        nodes.setdefault(features[child], []).append(node)
        return under_left | under_right

    visit(0)
    return in_order


def beside_zero(threshold: float) -> float:
    """LightGBM takes every value from -1e-35 to 1e-35 for zero; here the thresholds among them step aside."""
    if not -ZERO <= threshold < ZERO:
        return threshold
    return ZERO if threshold >= 0 else math.nextafter(-ZERO, -math.inf)


def categories_that_go_left(tree: Mapping[str, str], index: int) -> frozenset[int]:
    """The codes in a bitset of 32-bit words."""
    start, stop = (int(item) for item in tree["cat_boundaries"].split()[index : index + 2])
    words = [int(item) for item in tree["cat_threshold"].split()[start:stop]]
    return frozenset(32 * place + bit for place, word in enumerate(words) for bit in range(32) if word >> bit & 1)


def make_table(feature: int, nodes: Sequence[Node], trees: int, bits: Bits) -> Table:
    """What the nodes forbid: from the interval after the threshold on, or for each category that does not go left."""
    everything = np.iinfo(bits).max
    numbers = sorted({node.threshold for node in nodes if isinstance(node.threshold, float)})
    listed = [code for node in nodes if isinstance(node.threshold, frozenset) for code in node.threshold]
    codes = max(listed, default=-1) + 1
    last = len(numbers) + 1 if numbers else codes
    place = {threshold: index for index, threshold in enumerate(numbers)}
    allowed = np.full((last + 1, trees), everything, bits)
    for node in nodes:
        kept = bits(everything ^ node.forbidden)
        if isinstance(node.threshold, frozenset):
            allowed[sorted(set(range(codes)) - node.threshold), node.tree] &= kept
        else:
            allowed[place[node.threshold] + 1 : last, node.tree] &= kept
        if not node.nan_goes_left:
            allowed[last, node.tree] &= kept
    return Table(feature, Intervals(np.array(numbers)) if numbers else None, allowed)
