"""What all sections of the settings have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ProblemType = Literal["BinaryClassification", "MulticlassClassification", "Regression", "Ranking"]
ApprovalStatus = Literal["PendingManualApproval", "Approved", "Rejected"]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Seconds = Annotated[int, Field(ge=1, le=5 * 24 * 3600)]


class Section(BaseModel):
    """A section: unknown keys are refused, and numbers that are not finite, which no comparison would notice."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
