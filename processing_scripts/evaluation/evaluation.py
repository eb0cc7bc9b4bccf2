"""What is known of a model after its evaluation, from which summary.json and the report are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.outcome import Outcome


@dataclass(frozen=True)
class Evaluation:
    """An evaluated model.

    Attributes:
        schema: The content of schema.json.
        training: The content of Train's metrics.json.
        outcome: The predictions for the test split.
        metrics: The metrics of the test split in Model Monitor's layout.
        gains: The total gain of each of the model's columns, by name.
        warnings: The warnings about the data.
    """

    schema: Mapping[str, Any]
    training: Mapping[str, Any]
    outcome: Outcome
    metrics: Mapping[str, Any]
    gains: Mapping[str, float]
    warnings: Sequence[str]
