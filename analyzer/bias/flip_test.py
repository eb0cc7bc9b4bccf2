"""The flip test: whether similar records of the other group get other predictions.

Clarify predicts each record of the sensitive group from its five nearest neighbours in the other group, and counts the
predictions that differ from the model's. Like Clarify's, the test compares the columns as they are, without scaling.

All pairs of a million records would take an hour, and an index of neighbours helps only where there are few columns
with many values. Elsewhere, a random sample represents a large group, as the result's note says; the interval allows
for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.bias.columns import Codes, ColumnValues, Key
from analyzer.bias.counts import BiasCounts, select
from analyzer.bias.formulas import Array
from analyzer.bias.intervals import REPLICATES
from analyzer.bias.tables import choices

NEIGHBOURS, FEW_NEIGHBOURS, FEW_RECORDS = 5, 1, 9
# So many distances take about ten seconds on two cores.
MAX_PAIRS = 2_000_000_000
# Up to so many, scikit-learn chooses the algorithm, and so between neighbours at the same distance, as in Clarify.
CLARIFY_PAIRS = MAX_PAIRS // 10
FEW_COLUMNS = 5
# An index examines all records at the distance of the fifth neighbour, of which there must not be many.
MAX_REPEATED = 10
SEED = 1

BOOLEANS = {"true": 1.0, "false": 0.0}

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FlipTest:
    """The flip test of a group.

    Attributes:
        better: Records whose prediction is positive, though that of their neighbours is negative.
        worse: Records whose prediction is negative, though that of their neighbours is positive.
        compared: Records that were compared with their neighbours.
        group: Records of the group.
        error: Why nothing was compared.
    """

    better: int = 0
    worse: int = 0
    compared: int = 0
    group: int = 0
    error: str | None = None

    @property
    def value(self) -> float | None:
        """The share of records with a better prediction less that of those with a worse one."""
        return (self.better - self.worse) / self.compared if self.compared else None

    @property
    def note(self) -> str | None:
        """What a reader must know of the value."""
        if self.compared == self.group:
            return None
        return f"estimated from a random sample of {self.compared} of {self.group} records"

    def replicates(self, seed: int) -> Array:
        """Draw the value of other records of the group, shape (REPLICATES,)."""
        same = self.compared - self.better - self.worse
        shares = np.array([self.better, self.worse, same]) / self.compared
        drawn = np.random.default_rng(seed).multinomial(self.compared, shares, size=REPLICATES)
        return np.asarray((drawn[:, 0] - drawn[:, 1]) / self.compared)


def flip_tests(
    batches: Iterable[pa.RecordBatch], counts: BiasCounts, features: Collection[str] | None = None
) -> Mapping[tuple[str, str], FlipTest]:
    """Run the flip test of every group.

    Args:
        batches: The records again; their features are kept in memory.
        counts: Their counts, which say what is sensitive and positive.
        features: The columns to compare, which must be numbers or booleans without missing values; None for all but
            the facet, the label and the predicted label, as in Clarify.

    Returns:
        The tests by facet column and Clarify's value_or_threshold.
    """
    rows = _Rows(counts, features)
    for batch in batches:
        rows.add(batch)
    return {
        (facet.column, text): rows.test(index, choice)
        for index, facet in enumerate(counts.facets)
        for choice, (text, _) in enumerate(choices(facet))
    }


class _Rows:
    """The features, predictions and groups of all records."""

    def __init__(self, counts: BiasCounts, features: Collection[str] | None):
        config = counts.config
        if counts.predicted is None:
            raise ValueError("the flip test needs a predicted label")
        self._chosen = features
        self._not_features = {config.label, config.predicted_label}
        self._predicted = counts.predicted
        self._positive = counts.predicted.selected(counts.predicted_is_threshold)
        self._facets = counts.facets
        self._choice_of_key = [
            {key: number for number, (_, keys) in enumerate(choices(facet)) for key in keys} for facet in counts.facets
        ]
        self._features: dict[str, list[Array]] = {}
        self._unusable: dict[str, str] = {}
        self._predictions: list[Flags] = []
        self._groups: list[list[Codes]] = [[] for _ in counts.facets]
        self._rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep the records of a batch."""
        for name in dict.fromkeys((*self._features, *batch.schema.names)):
            if name not in self._not_features and (self._chosen is None or name in self._chosen):
                self._add_feature(name, batch)
        read = select(batch, {column.column for column in (self._predicted, *self._facets)})
        codes, keys = _read_again(self._predicted, read)
        self._predictions.append(np.array([key in self._positive for key in keys])[codes])
        for facet, of_key, found in zip(self._facets, self._choice_of_key, self._groups, strict=True):
            codes, keys = _read_again(facet, read)
            found.append(np.array([of_key.get(key, -1) for key in keys])[codes])
        self._rows += batch.num_rows

    def test(self, facet: int, choice: int) -> FlipTest:
        """Compare the records of a group with their neighbours."""
        names = [name for name in self._features | self._unusable if name != self._facets[facet].column]
        reason = next((self._unusable[name] for name in names if name in self._unusable), None)
        if reason is None and not names:
            reason = "there are no features to compare"
        if reason is not None:
            return FlipTest(error=reason)
        features = np.column_stack([np.concatenate(self._features[name]) for name in names])
        if not np.isfinite(features).all():
            first = names[int(np.flatnonzero(~np.isfinite(features).all(axis=0))[0])]
            return FlipTest(error=f"column {first!r} has missing values; the flip test needs all of them")
        sensitive = np.concatenate(self._groups[facet]) == choice
        return compare(features, np.concatenate(self._predictions), sensitive)

    def _add_feature(self, name: str, batch: pa.RecordBatch) -> None:
        pieces = self._features.setdefault(name, [np.full(self._rows, np.nan)] if self._rows else [])
        values = _column(batch, name)
        if name in self._unusable:
            return
        try:
            pieces.append(_numbers(values, batch.num_rows))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError):
            self._unusable[name] = f"column {name!r} is not numeric; the flip test compares numbers only"
            pieces.clear()


def compare(features: Array, predicted: Flags, sensitive: Flags) -> FlipTest:
    """Compare the predictions of a group with those of their neighbours in the other group.

    Args:
        features: The features, shape (rows, columns).
        predicted: Whether the predicted label is positive, shape (rows,).
        sensitive: Whether the record is of the group, shape (rows,).
    """
    # It takes half a second to import, which only this metric pays for.
    from sklearn.neighbors import NearestNeighbors

    others, group = np.flatnonzero(~sensitive), np.flatnonzero(sensitive)
    if not len(others) or not len(group):
        return FlipTest(error="one of the groups is empty")
    algorithm, chosen = "auto", group
    if len(group) * len(others) > CLARIFY_PAIRS:
        algorithm = "kd_tree" if _suits_an_index(features[others]) else "brute"
    if algorithm == "brute" and len(group) * len(others) > MAX_PAIRS:
        chosen = np.sort(np.random.default_rng(SEED).choice(group, max(1, MAX_PAIRS // len(others)), replace=False))
    count = NEIGHBOURS if len(others) > FEW_RECORDS else FEW_NEIGHBOURS
    index = NearestNeighbors(n_neighbors=count, algorithm=algorithm, n_jobs=-1).fit(features[others])
    nearest = index.kneighbors(features[chosen], return_distance=False)
    by_neighbours = predicted[others][nearest].mean(axis=1) > 0.5
    by_model = predicted[chosen]
    return FlipTest(
        better=int(np.count_nonzero(by_model & ~by_neighbours)),
        worse=int(np.count_nonzero(~by_model & by_neighbours)),
        compared=len(chosen),
        group=len(group),
    )


def _suits_an_index(features: Array) -> bool:
    rows, columns = features.shape
    return columns <= FEW_COLUMNS and len(np.unique(features, axis=0)) * MAX_REPEATED > rows


def _read_again(column: ColumnValues, batch: pa.RecordBatch) -> tuple[Codes, tuple[Key, ...]]:
    return ColumnValues(column.column, column.rule).read(_column(batch, column.column), batch.num_rows)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    return batch.column(name) if name in batch.schema.names else None


def _numbers(values: pa.Array | None, rows: int) -> Array:
    if values is None or pa.types.is_null(values.type):
        return np.full(rows, np.nan)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        texts = values.dictionary_encode()
        numbers = [BOOLEANS[text.strip().lower()] for text in texts.dictionary.to_pylist()]
        values = pa.array(numbers, pa.float64()).take(texts.indices)
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    return np.asarray(pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False))
