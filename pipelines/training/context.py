"""What the steps of the training pipeline are built from."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.context import Context
from pipelines.training.parameters import Parameters


@dataclass(frozen=True)
class TrainingContext(Context):
    """The context with the pipeline's parameters."""

    parameters: Parameters = field(kw_only=True)
