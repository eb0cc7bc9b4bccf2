"""What the jobs of QualityCheck and ClarifyCheck steps, and of the Processing steps in their place, have in common."""

from __future__ import annotations

from typing import Any

from sagemaker.core.workflow.parameters import ParameterInteger
from sagemaker.mlops.workflow.check_job_config import CheckJobConfig

from pipelines.training.context import TrainingContext


def check_job(context: TrainingContext, instance_count: ParameterInteger | int) -> CheckJobConfig:
    settings = context.settings
    return CheckJobConfig(
        role=context.role,
        instance_count=instance_count,
        instance_type=context.parameters.processing_instance_type,
        volume_size_in_gb=settings.resources.volume_size_in_gb,
        volume_kms_key=settings.security.kms_key,
        output_kms_key=settings.security.kms_key,
        max_runtime_in_seconds=settings.resources.processing_max_runtime_in_seconds,
        network_config=context.network,
        tags=context.tags,
        sagemaker_session=context.session,
    )


def check_arguments(context: TrainingContext) -> list[object]:
    """Return the arguments of a script that does what a check step would: baseline, comparison and violations."""
    parameters = context.parameters
    return [
        "--model-package-group",
        context.settings.model_package_group,
        "--skip-check",
        parameters.skip_check.to_string(),
        "--fail-on-violation",
        parameters.fail_on_violation.to_string(),
    ]


class JsonNetwork:
    """Works around the SDK (3.27), which puts its NetworkConfig object, not serializable as JSON, into the request."""

    @property
    def arguments(self) -> dict[str, Any]:
        request: dict[str, Any] = super().arguments  # type: ignore[misc]
        if network := request.get("NetworkConfig"):
            request["NetworkConfig"] = network._to_request_dict()
        return request
