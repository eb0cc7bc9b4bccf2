"""The sections `registration` and `baselines`: the model registry and the baselines of its models."""

from __future__ import annotations

from pydantic import Field

from project.settings.section import ApprovalStatus, InstanceType, Section


class RegistrationSettings(Section):
    """How models are registered in the model registry."""

    model_package_group: str | None = Field(
        default=None, description="Model package group of the models; by default the project's name."
    )
    approval_status: ApprovalStatus = Field(
        default="PendingManualApproval", description="Approval status of newly registered models."
    )
    inference_instances: tuple[InstanceType, ...] = Field(
        default=("ml.t2.medium", "ml.m5.large", "ml.m5.xlarge"),
        min_length=1,
        description="Instance types that a model package recommends for real-time inference.",
    )
    transform_instances: tuple[InstanceType, ...] = Field(
        default=("ml.m5.large", "ml.m5.xlarge"),
        min_length=1,
        description="Instance types that a model package recommends for batch transform; batch inference uses the "
        "first.",
    )


class BaselineSettings(Section):
    """Defaults of the baseline steps' switches, as QualityCheck steps define them."""

    skip_check: bool = Field(
        default=True, description="Skip the comparison with the baseline of the latest approved model package."
    )
    fail_on_violation: bool = Field(default=False, description="Fail the step when the comparison finds violations.")
    register_new_baseline: bool = Field(
        default=True, description="Use the newly calculated baseline as the baseline for drift checks."
    )
