"""The batch-inference pipeline: create model -> transform, with capture -> data quality against the baseline."""

from __future__ import annotations

from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline

from pipelines.batch_inference.check_data_quality import check_data_quality_step
from pipelines.batch_inference.parameters import Parameters
from pipelines.batch_inference.transform import create_model_step, transform_step
from pipelines.context import Context
from pipelines.sdk import offline_defaults, offline_session
from project.settings import Settings


@offline_defaults()
def get_pipeline(
    settings: Settings, role: str, bucket: str, region: str, session: PipelineSession | None = None
) -> Pipeline:
    """Build the batch-inference pipeline; needs no credentials and no network.

    role: ARN of the execution role of the pipeline, its model and its jobs. bucket: where code and results go. session:
    an SDK session to build with; by default one that can't reach anything.
    """
    name = f"{settings.name}-batch-inference"
    session = session or offline_session(bucket, region)
    parameters = Parameters.of(settings)
    context = Context(settings, role, bucket, region, session, parameters.processing_instance_type, "batch-inference")
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
