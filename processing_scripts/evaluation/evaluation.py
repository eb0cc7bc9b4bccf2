"""What is known of a model after its evaluation, from which summary.json and the report are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.explanations import Explanations
from evaluation.outcome import Outcome


@dataclass(frozen=True)
class Evaluation:
    """An evaluated model.

    Attributes:
        schema: The content of schema.json.
        training: The content of Train's metrics.json.
        outcome: The predictions for the test split.
        metrics: The metrics of the test split in Model Monitor's layout.
        warnings: The warnings about the data.
        explanations: Why the model predicts what it predicts.
        provenance: For which data, execution and model it is, as texts by title.
        summary: The content of summary.json.
        champion: The predictions of the latest approved model for the same rows; None if there is none.
    """

    schema: Mapping[str, Any]
    training: Mapping[str, Any]
    outcome: Outcome
    metrics: Mapping[str, Any]
    warnings: Sequence[str]
    explanations: Explanations
    provenance: Mapping[str, str]
    summary: Mapping[str, Any]
    champion: Outcome | None = None
