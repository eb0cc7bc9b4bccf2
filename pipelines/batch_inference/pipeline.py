"""The batch-inference pipeline: create model -> transform with data capture -> check data quality."""

from __future__ import annotations

from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline

from pipelines.batch_inference.check_data_quality import check_data_quality_step
from pipelines.batch_inference.parameters import Parameters
from pipelines.batch_inference.transform import create_model_step, transform_step
from pipelines.context import PipelineContext
from pipelines.sdk import offline_defaults, offline_session
from project.settings import Settings


@offline_defaults()
def get_pipeline(
    settings: Settings, role: str, bucket: str, region: str, session: PipelineSession | None = None
) -> Pipeline:
    """Build the batch-inference pipeline. Needs no credentials and no network.

    Args:
        settings: Settings of the project.
        role: ARN of the execution role of the model and the jobs.
        bucket: Bucket for code and results.
        region: AWS region.
        session: SDK session to build with; by default a session without network access.
    """
    name = f"{settings.name}-batch-inference"
    session = session or offline_session(bucket, region)
    parameters = Parameters.of(settings)
    context = PipelineContext(
        settings, role, bucket, region, session, parameters.processing_instance_type, "batch-inference"
    )
    model = create_model_step(context, parameters)
    transform = transform_step(context, parameters, model)
    check = check_data_quality_step(context, parameters, transform, name)
    return Pipeline(
        name=name,
        parameters=parameters.all(),
        steps=[model, transform, check],
        pipeline_experiment_config=None,
        sagemaker_session=session,
    )
