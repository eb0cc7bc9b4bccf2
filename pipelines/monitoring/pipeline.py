"""The monitoring pipeline: compares a window of an endpoint's captured data with the baselines, on a schedule.

It replaces Model Monitor's schedules, which allow at most one run an hour, and writes the same files and metrics.
"""

from __future__ import annotations

from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline

from pipelines.context import PipelineContext
from pipelines.monitoring.monitor import monitor_step
from pipelines.monitoring.parameters import Parameters
from pipelines.sdk import offline_defaults, offline_session
from project.settings import Settings


@offline_defaults()
def get_pipeline(
    settings: Settings, role: str, bucket: str, region: str, session: PipelineSession | None = None
) -> Pipeline:
    """Build the monitoring pipeline. Needs no credentials and no network.

    Args:
        settings: Settings of the project.
        role: ARN of the execution role of the job.
        bucket: Bucket for code and results.
        region: AWS region.
        session: SDK session to build with; by default a session without network access.
    """
    name = f"{settings.name}-monitoring"
    # the job calls S3 and CloudWatch, which network isolation would prevent; it stays in the VPC
    security = settings.security.model_copy(update={"network_isolation": False})
    settings = settings.model_copy(update={"security": security})
    session = session or offline_session(bucket, region)
    parameters = Parameters.of(settings)
    context = PipelineContext(
        settings, role, bucket, region, session, parameters.processing_instance_type, "monitoring"
    )
    return Pipeline(
        name=name,
        parameters=parameters.used_by(settings.monitoring.analyses),
        steps=[monitor_step(context, parameters, name)],
        pipeline_experiment_config=None,
        sagemaker_session=session,
    )
