"""The context of the training pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.context import PipelineContext
from pipelines.training.parameters import Parameters


@dataclass(frozen=True)
class TrainingContext(PipelineContext):
    """A pipeline context with the parameters of the training pipeline."""

    parameters: Parameters = field(kw_only=True)
