"""The monitoring pipeline: a window of an endpoint's captures against the baselines, started by a schedule.

It is the stand-in for Model Monitor's own schedules, with the same files and metrics, at any rate.
"""

from __future__ import annotations

from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline

from pipelines.context import Context
from pipelines.monitoring.monitor import monitor_step
from pipelines.monitoring.parameters import Parameters
from pipelines.sdk import offline_defaults, offline_session
from project.settings import Settings


@offline_defaults()
def get_pipeline(
    settings: Settings, role: str, bucket: str, region: str, session: PipelineSession | None = None
) -> Pipeline:
    """Build the monitoring pipeline; needs no credentials and no network.

    role: ARN of the execution role of the pipeline and its job. bucket: where code and results go. session: an SDK
    session to build with; by default one that can't reach anything.
    """
    name = f"{settings.name}-monitoring"
    # the job reads captures and puts metrics by itself, which network isolation would not let it; it stays in the VPC
    security = settings.security.model_copy(update={"network_isolation": False})
    settings = settings.model_copy(update={"security": security})
    session = session or offline_session(bucket, region)
    parameters = Parameters.of(settings)
    context = Context(settings, role, bucket, region, session, parameters.processing_instance_type, "monitoring")
    return Pipeline(
        name=name,
        parameters=parameters.used_by(settings.monitoring.analyses),
        steps=[monitor_step(context, parameters, name)],
        pipeline_experiment_config=None,
        sagemaker_session=session,
    )
