"""The table of counts of each group that is compared with all other records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analyzer import QualityError
from analyzer.bias.columns import MISSING, ColumnValues, Key
from analyzer.bias.counts import BiasCounts
from analyzer.bias.formulas import OTHER, SENSITIVE, Array

# More numbers than these are not categories, if Clarify takes their column as continuous.
MAX_NUMBERS = 10


@dataclass(frozen=True)
class Group:
    """A sensitive group and its counts.

    Attributes:
        facet: The values of the facet's column.
        text: Clarify's value_or_threshold.
        table: The counts, see `analyzer.bias.formulas`. Records without a label count as negative.
    """

    facet: ColumnValues
    text: str
    table: Array

    @property
    def sensitive(self) -> int:
        """The number of records of the group."""
        return int(self.table[:, SENSITIVE].sum())

    @property
    def other(self) -> int:
        """The number of all other records."""
        return int(self.table.sum()) - self.sensitive

    def positives(self, by_labels: bool) -> tuple[int, int]:
        """Return the records with a positive label, or predicted label: of the group, and all others."""
        of_both = (self.table[:, :, 1] if by_labels else self.table[..., 1]).sum(axis=(0, 2))
        return int(of_both[SENSITIVE]), int(of_both[OTHER])


def groups(counts: BiasCounts) -> Iterator[Group]:
    """Yield the groups in the order of the configuration; those of a facet without values in order of appearance.

    Raises:
        QualityError: A facet without values is continuous, or a threshold is given for texts.
    """
    positive = counts.label.selected(counts.label_is_threshold)
    predicted = counts.predicted.selected(counts.predicted_is_threshold) if counts.predicted else frozenset[Key]()
    places = {key: place for place, key in enumerate(counts.group.values if counts.group else ())}
    for facet, cells in zip(counts.facets, counts.cells, strict=True):
        by_key: dict[Key, Array] = {}
        for (key, subgroup, label, prediction), count in cells.items():
            table = by_key.setdefault(key, np.zeros((len(places) + 1, 2, 2)))
            place = places[str(subgroup)] if subgroup is not MISSING else -1
            table[place, int(label in positive), int(prediction in predicted)] += count
        total = sum(by_key.values(), start=np.zeros((len(places) + 1, 2, 2)))
        for text, keys in choices(facet):
            sensitive = sum((by_key[key] for key in keys if key in by_key), start=np.zeros_like(total))
            yield Group(facet, text, np.stack([total - sensitive, sensitive], axis=1))


def choices(facet: ColumnValues) -> Iterator[tuple[str, frozenset[Key]]]:
    """Yield the text and the keys of each sensitive group of a facet.

    Raises:
        QualityError: The facet has no values and is continuous, or a threshold is given for texts.
    """
    if facet.rule is not None:
        is_threshold = facet.is_threshold
        yield facet.selection_text(is_threshold), facet.selected(is_threshold)
        return
    if facet.is_continuous and len(facet.values) > MAX_NUMBERS:
        raise QualityError(
            f"facet {facet.column!r} is continuous ({len(facet.values)} values in {facet.present} records); give a "
            "threshold"
        )
    if not facet.values:
        yield "", frozenset()
    for value in facet.values:
        yield value, frozenset((value,))
