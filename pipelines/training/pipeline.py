"""The training pipeline:

preprocess -> train -> evaluate -> good enough? -> register -> data-quality and model-quality baselines
                                        \\-> no: fail, with the numbers
"""

from __future__ import annotations

from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline

from pipelines.inputs import input_uri
from pipelines.sdk import offline_defaults, offline_session
from pipelines.training.baselines import baseline_steps
from pipelines.training.check_quality import check_quality_step
from pipelines.training.context import TrainingContext
from pipelines.training.evaluate import evaluate_step
from pipelines.training.parameters import Parameters
from pipelines.training.preprocess import preprocess_step
from pipelines.training.register_model import register_model_step
from pipelines.training.train import train_step
from project.settings import Settings


@offline_defaults()
def get_pipeline(
    settings: Settings, role: str, bucket: str, region: str, session: PipelineSession | None = None
) -> Pipeline:
    """Build the training pipeline; needs no credentials and no network.

    role: ARN of the execution role of the pipeline and its jobs. bucket: where code, data and results go, below the
    project's name. session: an SDK session to build with; by default one that can't reach anything.

    The code bundles that the definition refers to have to be in the bucket before an execution starts;
    `python -m pipelines upsert` sends both.

    Raises:
        InputError: `settings.data.input` is a local path that does not exist.
    """
    session = session or offline_session(bucket, region)
    location = settings.data.input
    default_uri = input_uri(location, f"{settings.uri(bucket)}/input") if location else None
    parameters = Parameters.of(settings, default_uri)
    machine = parameters.processing_instance_type
    machine = parameters.processing_instance_type
    context = TrainingContext(settings, role, bucket, region, session, machine, parameters=parameters)

    preprocess = preprocess_step(context)
    train = train_step(context, preprocess)
    evaluate = evaluate_step(context, preprocess, train)
    register_model = register_model_step(context, train, evaluate)
    baselines = baseline_steps(context, preprocess, evaluate, after=register_model)
    check_quality = check_quality_step(context, evaluate, if_good=[register_model, *baselines])
    return Pipeline(
        name=settings.name,
        parameters=parameters.all(),
        steps=[preprocess, train, evaluate, check_quality],
        pipeline_experiment_config=None,
        sagemaker_session=session,
    )
