"""Steps 6 and 7, DataQualityBaseline and ModelQualityBaseline: what later traffic and labels are compared with.

They run after registration and write to the very URIs that the model package names. They are never cached: a cached
step writes nothing, and the new package would name files that do not exist.
"""

from __future__ import annotations

from typing import Any

from sagemaker.core.workflow.functions import Join
from sagemaker.mlops.workflow.check_job_config import CheckJobConfig
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.quality_check_step import (
    DataQualityCheckConfig,
    ModelQualityCheckConfig,
    QualityCheckConfig,
    QualityCheckStep,
)
from sagemaker.mlops.workflow.steps import ProcessingStep

from pipelines.training.context import Context, output_of

DATA_QUALITY = "data-quality-baseline"
MODEL_QUALITY = "model-quality-baseline"
CSV_WITH_HEADER = {"csv": {"header": True, "output_columns_position": "START"}}


def baseline_uri(context: Context, kind: str, *path: str) -> Join:
    return context.output_uri(kind, *path)


def data_quality_baseline_step(context: Context, preprocess: ProcessingStep, after: ModelStep) -> QualityCheckStep:
    config = DataQualityCheckConfig(
        baseline_dataset=output_of(preprocess, "baseline"),
        dataset_format=CSV_WITH_HEADER,
        output_s3_uri=baseline_uri(context, DATA_QUALITY),
    )
    return _quality_check_step(
        context, "DataQualityBaseline", "Profile the training features and suggest constraints", config, after
    )


def model_quality_baseline_step(context: Context, evaluate: ProcessingStep, after: ModelStep) -> QualityCheckStep:
    binary = context.settings.problem_type == "BinaryClassification"
    config = ModelQualityCheckConfig(
        baseline_dataset=output_of(evaluate, "predictions"),
        dataset_format=CSV_WITH_HEADER,
        output_s3_uri=baseline_uri(context, MODEL_QUALITY),
        problem_type=context.settings.problem_type,
        inference_attribute="prediction",
        probability_attribute="probability" if binary else None,
        ground_truth_attribute="label",
        probability_threshold_attribute="0.5" if binary else None,
    )
    return _quality_check_step(
        context, "ModelQualityBaseline", "Profile the test predictions and suggest constraints", config, after
    )


def _quality_check_step(
    context: Context, name: str, description: str, config: QualityCheckConfig, after: ModelStep
) -> QualityCheckStep:
    settings, parameters = context.settings, context.parameters
    job = CheckJobConfig(
        role=context.role,
        instance_count=parameters.processing_instance_count,
        instance_type=parameters.processing_instance_type,
        volume_size_in_gb=settings.resources.volume_size_in_gb,
        volume_kms_key=settings.security.kms_key,
        output_kms_key=settings.security.kms_key,
        max_runtime_in_seconds=settings.resources.processing_max_runtime_in_seconds,
        network_config=context.network,
        tags=context.tags,
        sagemaker_session=context.session,
    )
    return _QualityCheckStep(
        name=name,
        description=description,
        quality_check_config=config,
        check_job_config=job,
        skip_check=parameters.skip_check,
        fail_on_violation=parameters.fail_on_violation,
        register_new_baseline=parameters.register_new_baseline,
        model_package_group_name=settings.model_package_group,
        depends_on=[after],
    )


class _QualityCheckStep(QualityCheckStep):
    """The SDK (3.27) puts its NetworkConfig object into the request, which then can't be written as JSON."""

    @property
    def arguments(self) -> dict[str, Any]:
        request: dict[str, Any] = super().arguments
        if network := request.get("NetworkConfig"):
            request["NetworkConfig"] = network._to_request_dict()
        return request
