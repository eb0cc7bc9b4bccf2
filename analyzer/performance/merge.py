"""The counts of a ground truth merge, apart from the merge itself so that results load without Arrow and SQLite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Merge:
    """Counts of a merge of captured inferences with ground truth.

    Attributes:
        inferences: Inferences captured in the window.
        labels: Labels read, without duplicates.
        merged: Inferences with a label.
        unlabelled: Inferences without a label so far.
        unmatched: Labels without an inference in the window, mostly late labels.
        duplicate_inferences: Inferences with the id of another one; the last one is used.
        duplicate_labels: Labels with the id of another one; the last one is used.
    """

    inferences: int
    labels: int
    merged: int
    unlabelled: int
    unmatched: int
    duplicate_inferences: int
    duplicate_labels: int
