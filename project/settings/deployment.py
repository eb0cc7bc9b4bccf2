"""The section `deployment`: endpoints of approved model packages."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from project.settings.section import InstanceType, Section


class UpdateSettings(Section):
    """Blue/green updates of an endpoint: traffic shifting, and the alarms that roll an update back."""

    traffic: Literal["canary", "linear", "all-at-once"] = Field(
        default="canary",
        description="How traffic shifts to the new fleet; a single instance allows only `all-at-once`.",
    )
    # SageMaker accepts steps of 10 to 50 % of the new fleet
    step_percentage: int = Field(
        default=10, ge=10, le=50, description="Size of the canary, or of each linear step, in %."
    )
    # with ten linear steps of it, a deployment stays below SageMaker's limit of eight hours
    wait_seconds: int = Field(
        default=300, ge=0, le=1800, description="Baking period after each step, during which alarms are evaluated."
    )
    max_5xx_errors_per_minute: int = Field(
        default=0, ge=0, description="Number of 5xx errors per minute above which an update is rolled back."
    )
    max_latency_in_milliseconds: int = Field(
        default=1000, ge=1, description="Average model latency above which an update is rolled back."
    )


class ServerlessSettings(Section):
    """Size of a serverless endpoint."""

    memory_in_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = Field(
        default=2048, description="Memory of the endpoint."
    )
    max_concurrency: int = Field(default=5, ge=1, le=200, description="Maximum number of concurrent invocations.")


class DeploymentSettings(Section):
    """Endpoints of approved model packages.

    An endpoint scales between the two instance counts; where they are equal, autoscaling is off.
    """

    instance_type: InstanceType = Field(
        default="ml.m5.large", description="Instance type of real-time endpoints and batch transform jobs."
    )
    instance_count: int = Field(default=1, ge=1, description="Initial and minimum number of instances.")
    max_instance_count: int = Field(default=2, ge=1, description="Maximum number of instances for autoscaling.")
    invocations_per_instance: int = Field(
        default=1000, ge=1, description="Invocations per instance and minute that autoscaling aims at."
    )
    capture_percentage: int = Field(
        default=100, ge=0, le=100, description="Percentage of requests that are captured; 0 disables data capture."
    )
    unknown_features: Literal["refuse", "ignore"] = Field(
        default="refuse",
        description="How requests and batches with unknown features are handled: `refuse` answers 400, `ignore` drops "
        "them.",
    )
    update: UpdateSettings = Field(default=UpdateSettings(), description="Blue/green updates.")
    serverless: ServerlessSettings = Field(default=ServerlessSettings(), description="Serverless endpoints.")

    @model_validator(mode="after")
    def _consistent(self) -> DeploymentSettings:
        if self.max_instance_count < self.instance_count:
            raise ValueError(
                f"max_instance_count is {self.max_instance_count}; it must be at least instance_count "
                f"({self.instance_count})"
            )
        if self.autoscaling and re.match(r"ml\.t\d", self.instance_type):
            raise ValueError(
                f"SageMaker does not scale the burstable {self.instance_type}; "
                "set max_instance_count to instance_count, or choose another instance_type"
            )
        return self

    @property
    def autoscaling(self) -> bool:
        return self.max_instance_count > self.instance_count
