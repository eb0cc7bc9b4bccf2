"""QuickScorer in NumPy: predict for many rows, three to five times as fast as traversing the trees one by one.

Traversing a tree costs a branch misprediction at every other node. QuickScorer (Lucchese et al., "QuickScorer: a fast
algorithm to rank documents with additive ensembles of regression trees", SIGIR 2015) has no branches: the leaves of a
tree are numbered from left to right, and every node at which a row goes right masks the leaves of its left subtree.
The exit leaf is the leftmost leaf that is not masked.

The joint mask of all nodes of one feature depends only on the interval between two thresholds in which the value lies.
So each feature has a table with a row per interval and a column per tree; its entries are bitvectors of the leaves that
are not masked. To predict: look up the row of each feature, AND the rows, take the lowest set bit of each tree, and sum
the values of these leaves.

Which values go right follows LightGBM's tree.h (NumericalDecision, CategoricalDecision).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING_NONE, MISSING_ZERO, MISSING_NAN = 0, 4, 8
MISSING_TYPE = 12
# Each feature costs a lookup per tree and row; with more features LightGBM's traversal is as fast.
MAX_FEATURES = 64
# Larger tables do not fit into a processor's cache, and every lookup waits for memory.
MAX_TABLE_BYTES = 64 << 20
# The bitvectors of this many rows stay in the cache.
BATCH_ROWS = 512
# LightGBM's kZeroThreshold, a float32.
ZERO = float(np.float32(1e-35))
# Cells of the lookup grid of Intervals, and the most thresholds per cell with which it beats a binary search.
CELLS, MAX_STEPS = 1024, 6
LOGISTIC, SOFTMAX, EXPONENTIAL, RAW = "logistic", "softmax", "exponential", "raw"
IDENTITY_OBJECTIVES = frozenset(
    ("regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg")
)
LOG_OBJECTIVES = frozenset(("poisson", "gamma", "tweedie"))

Bits = type[np.uint32] | type[np.uint64]


@dataclass(frozen=True)
class Node:
    """An inner node.

    Attributes:
        tree: The index of its tree.
        threshold: A number, or for a categorical feature the codes that go left.
        nan_goes_left: The side of a missing value.
        left_leaves: Bits of the leaves of the left subtree, which are masked for a row that goes right.
    """

    tree: int
    threshold: float | frozenset[int]
    nan_goes_left: bool
    left_leaves: int


class Intervals:
    """The sorted thresholds of a feature, and the search for the interval of a value.

    A grid of equal cells from the first to the last threshold gives the position at which a search begins, so that a
    value is compared only with the few thresholds of its cell. This takes half the time of a binary search, unless many
    thresholds fall into one cell.
    """

    def __init__(self, edges: np.ndarray):
        self.edges = edges
        # Halved first, because the difference of two thresholds may overflow.
        width = float(edges[-1] / 2 - edges[0] / 2) * 2
        self._scale = CELLS / width if 0 < width < math.inf and math.isfinite(CELLS / width) else 0.0
        inside = np.bincount(self._cells(edges), minlength=CELLS + 1)
        self._begin = np.cumsum(inside) - inside
        self._steps = int(inside.max())
        self._ends = np.append(edges, math.inf)

    def find(self, values: np.ndarray) -> np.ndarray:
        """Count the thresholds that are less than each value; the result for NaN is undefined."""
        if self._steps > MAX_STEPS:
            return np.searchsorted(self.edges, values)
        found = self._begin.take(self._cells(values))
        for _ in range(self._steps):
            found += self._ends.take(found) < values
        return found

    def _cells(self, values: np.ndarray) -> np.ndarray:
        """Find the cell of each value. Rounding never puts the greater of two values into a lower cell."""
        with np.errstate(over="ignore", invalid="ignore"):
            cells = (values - self.edges[0]) * self._scale
            return np.fmin(np.fmax(cells, 0), CELLS).astype(np.intp)


@dataclass(frozen=True)
class Table:
    """The bitvectors of one feature.

    Attributes:
        feature: The index of the feature.
        intervals: The search for the row of a number; None for a categorical feature, whose codes are the rows.
        unmasked: Bits of the leaves that are not masked, shape (intervals + 1, trees). The last row is for NaN and for
            unknown categories.
    """

    feature: int
    intervals: Intervals | None
    unmasked: np.ndarray

    def rows(self, values: np.ndarray) -> np.ndarray:
        last = len(self.unmasked) - 1
        if self.intervals is None:
            # As in LightGBM: truncated to an integer; a negative value is not a category.
            is_known = (values > -1) & (values < last)
            return np.where(is_known, values, last).astype(np.intp)
        found = self.intervals.find(values)
        is_nan = np.isnan(values)
        if is_nan.any():
            found[is_nan] = last
        return found


class BitvectorTrees:
    """The trees of a model as tables of bitvectors.

    Args:
        tables: One for each feature that the trees use.
        leaves: The values of the leaves, shape (trees, leaves), trees in the model's order.
        classes: The number of trees per iteration.
        conversion: How sums of leaves become predictions: LOGISTIC, SOFTMAX, EXPONENTIAL or RAW.
    """

    def __init__(self, tables: Sequence[Table], leaves: np.ndarray, classes: int, conversion: str):
        self._tables, self._classes, self._conversion = tables, classes, conversion
        self._leaves = leaves.ravel()
        self._bits: Bits = np.uint32 if leaves.shape[1] <= 32 else np.uint64
        # From the exponent of a float, which has a bias, to the place among all leaves.
        bias = 127 if self._bits is np.uint32 else 1023
        self._first_leaf = np.arange(len(leaves), dtype=np.intp) * leaves.shape[1] - bias

    def predict(self, columns: np.ndarray) -> np.ndarray:
        """Predict what Booster.predict does, up to rounding.

        Args:
            columns: float64, shape (features, n).

        Returns:
            Shape (n,), or (n, classes).
        """
        count = columns.shape[1]
        rows = [table.rows(columns[table.feature]) for table in self._tables]
        raw = np.empty((count, self._classes))
        unmasked = np.empty((BATCH_ROWS, len(self._first_leaf)), self._bits)
        others = np.empty_like(unmasked)
        for start in range(0, count, BATCH_ROWS):
            part = slice(start, min(start + BATCH_ROWS, count))
            size = part.stop - part.start
            raw[part] = self._sums(self._unmasked(rows, part, unmasked[:size], others[:size]))
        return self._converted(raw)

    def _unmasked(
        self, rows: Sequence[np.ndarray], part: slice, unmasked: np.ndarray, others: np.ndarray
    ) -> np.ndarray:
        unmasked.fill(np.iinfo(self._bits).max)
        for table, places in zip(self._tables, rows, strict=True):
            # All positions are within the table; "clip" avoids a buffer that "raise" needs.
            np.take(table.unmasked, places[part], axis=0, out=others, mode="clip")
            np.bitwise_and(unmasked, others, out=unmasked)
        return unmasked

    def _sums(self, unmasked: np.ndarray) -> np.ndarray:
        lowest = unmasked & -unmasked
        # The logarithm of a power of two is the exponent of its float.
        if self._bits is np.uint32:
            exponents = lowest.astype(np.float32).view(np.int32) >> 23
        else:
            exponents = lowest.astype(np.float64).view(np.int64) >> 52
        values = self._leaves.take(exponents + self._first_leaf)
        return values.reshape(len(values), -1, self._classes).sum(axis=1)

    def _converted(self, raw: np.ndarray) -> np.ndarray:
        if self._conversion == SOFTMAX:
            powers = np.exp(raw - raw.max(axis=1, keepdims=True))
            return powers / powers.sum(axis=1, keepdims=True)
        if self._classes > 1:
            return raw
        if self._conversion == LOGISTIC:
            return 1.0 / (1.0 + np.exp(-raw[:, 0]))
        return np.exp(raw[:, 0]) if self._conversion == EXPONENTIAL else raw[:, 0]


def read_model(path: Path, raw_scores: bool = False) -> BitvectorTrees | None:
    """Read the trees of a model.txt.

    Args:
        path: The model.txt.
        raw_scores: Whether to predict raw scores, the sums of the trees, instead of probabilities and numbers.

    Returns:
        None for a model that is not supported here or gains nothing: more than 64 leaves per tree or 64 features,
        tables of more than 64 MB, zero_as_missing, linear trees, random forests, or an objective whose
        conversion is not known here.
    """
    header, *trees = path.read_text(encoding="utf-8").split("\nTree=")
    settings = fields(header)
    conversion = RAW if raw_scores else conversion_of(settings.get("objective", ""))
    if conversion is None or "average_output" in header or not trees:
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
    if len(nodes) > MAX_FEATURES or entries * np.dtype(bits).itemsize > MAX_TABLE_BYTES:
        return None
    values = np.zeros((len(leaves), most))
    for number, of_tree in enumerate(leaves):
        values[number, : len(of_tree)] = of_tree
    tables = [make_table(feature, nodes[feature], len(leaves), bits) for feature in sorted(nodes)]
    return BitvectorTrees(tables, values, int(settings["num_tree_per_iteration"]), conversion)


def conversion_of(objective: str) -> str | None:
    """Return how LightGBM converts raw scores for an objective of a model.txt; None for one that is not known here."""
    name, _, parameters = objective.partition(" ")
    if name == "binary":
        return LOGISTIC if parameters == "sigmoid:1" else None
    if name == "multiclass":
        return SOFTMAX
    # "regression sqrt" returns squares.
    if name in IDENTITY_OBJECTIVES and "sqrt" not in parameters:
        return RAW
    return EXPONENTIAL if name in LOG_OBJECTIVES and "sqrt" not in parameters else None


def fields(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def read_tree(tree: Mapping[str, str], number: int, nodes: dict[int, list[Node]]) -> list[float]:
    """Read one tree.

    Args:
        tree: Its fields in model.txt.
        number: Its index.
        nodes: The nodes by feature, to which those of this tree are added.

    Returns:
        The values of its leaves, from left to right.
    """
    values = [float(value) for value in tree["leaf_value"].split()]
    if len(values) == 1:
        return values
    left, right, features, kinds = (
        [int(item) for item in tree[name].split()]
        for name in ("left_child", "right_child", "split_feature", "decision_type")
    )
    thresholds = [outside_zero(float(item)) for item in tree["threshold"].split()]
    in_order: list[float] = []

    def visit(child: int) -> int:
        """Return the bits of the leaves below a child: a node, or a leaf if its number is negative."""
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


def outside_zero(threshold: float) -> float:
    """Move a threshold out of the range -1e-35 to 1e-35, all of which LightGBM treats as zero."""
    if not -ZERO <= threshold < ZERO:
        return threshold
    return ZERO if threshold >= 0 else math.nextafter(-ZERO, -math.inf)


def categories_that_go_left(tree: Mapping[str, str], index: int) -> frozenset[int]:
    """Read the codes of a bitset of 32-bit words."""
    start, stop = (int(item) for item in tree["cat_boundaries"].split()[index : index + 2])
    words = [int(item) for item in tree["cat_threshold"].split()[start:stop]]
    return frozenset(32 * place + bit for place, word in enumerate(words) for bit in range(32) if word >> bit & 1)


def make_table(feature: int, nodes: Sequence[Node], trees: int, bits: Bits) -> Table:
    """Build the table of a feature: a node masks leaves in the intervals, or for the categories, that go right."""
    everything = np.iinfo(bits).max
    numbers = sorted({node.threshold for node in nodes if isinstance(node.threshold, float)})
    listed = [code for node in nodes if isinstance(node.threshold, frozenset) for code in node.threshold]
    codes = max(listed, default=-1) + 1
    last = len(numbers) + 1 if numbers else codes
    place = {threshold: index for index, threshold in enumerate(numbers)}
    unmasked = np.full((last + 1, trees), everything, bits)
    for node in nodes:
        kept = bits(everything ^ node.left_leaves)
        if isinstance(node.threshold, frozenset):
            unmasked[sorted(set(range(codes)) - node.threshold), node.tree] &= kept
        else:
            unmasked[place[node.threshold] + 1 : last, node.tree] &= kept
        if not node.nan_goes_left:
            unmasked[last, node.tree] &= kept
    return Table(feature, Intervals(np.array(numbers)) if numbers else None, unmasked)
