"""The flip test: whether similar records of the other group get other predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from analyzer.bias.config import BiasConfig


@dataclass(frozen=True)
class FlipTest:
    """The flip test of a group: its value, or why there is none."""

    value: float | None
    error: str | None = None


def flip_tests(batches: Iterable[pa.RecordBatch], config: BiasConfig) -> Mapping[tuple[str, str], FlipTest]:
    """Run the flip test of every group, by facet column and Clarify's value_or_threshold.

    Every column of the batches that is not the facet, the label or the predicted label is a feature, as in Clarify; all
    of them must be numeric.
    """
    raise NotImplementedError
