"""The training pipeline.

Preprocess -> Train, or Tune -> Evaluate -> CheckQuality: all that is required? Otherwise fail, with the numbers
FindChampion, if asked for ----/
Train -> FindModelPackage --> CheckModelIsNew: as good, and not registered? -> RegisterModel -> the baseline steps

The baseline steps are DataQualityBaseline and ModelQualityBaseline, with fairness also DataBias and ModelBias, and with
attribution Explainability.

With tracking, Track logs the execution to MLflow beside the checks, and TrackModelPackage the registered version.

The jobs of an isolated network cannot call the registry: there, CheckQuality registers the model itself.
"""

from __future__ import annotations

from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import Step

from pipelines.inputs import input_uri
from pipelines.sdk import offline_defaults, offline_session
from pipelines.training.baselines import baseline_steps
from pipelines.training.check_model_is_new import check_model_is_new_step
from pipelines.training.check_quality import check_quality_step
from pipelines.training.clarify import clarify_steps
from pipelines.training.context import TrainingContext
from pipelines.training.evaluate import evaluate_step
from pipelines.training.find_champion import find_champion_step
from pipelines.training.find_model_package import find_model_package_step
from pipelines.training.parameters import Parameters
from pipelines.training.preprocess import preprocess_step
from pipelines.training.register_model import register_model_step
from pipelines.training.track import mlflow_config, track_model_package_step, track_step
from pipelines.training.train import train_step
from pipelines.training.trained_model import TrainingOrTuningStep
from pipelines.training.tune import tune_step
from project.settings import Settings


@offline_defaults()
def get_pipeline(
    settings: Settings, role: str, bucket: str, region: str, session: PipelineSession | None = None
) -> Pipeline:
    """Build the training pipeline. Needs no credentials and no network.

    The definition refers to code bundles that must be in the bucket before an execution starts;
    `python -m pipelines upsert` uploads them.

    Args:
        settings: Settings of the project.
        role: ARN of the execution role of the jobs.
        bucket: Bucket for code, data and results.
        region: AWS region.
        session: SDK session to build with; by default a session without network access.

    Raises:
        UserError: `settings.data.input` is a local path that does not exist.
    """
    session = session or offline_session(bucket, region)
    location = settings.data.input
    default_uri = input_uri(location, f"{settings.uri(bucket)}/input") if location else None
    parameters = Parameters.of(settings, default_uri)
    context = TrainingContext(
        settings, role, bucket, region, session, parameters.processing_instance_type, parameters=parameters
    )

    preprocess = preprocess_step(context)
    train: TrainingOrTuningStep = (
        tune_step(context, settings.tuning, preprocess) if settings.tuning else train_step(context, preprocess)
    )
    find_champion = find_champion_step(context) if settings.quality.champion else None
    evaluate = evaluate_step(context, preprocess, train, find_champion)
    register_model = register_model_step(context, train, evaluate)
    baselines = [
        *baseline_steps(context, preprocess, evaluate, after=register_model),
        *clarify_steps(context, preprocess, train, after=register_model),
    ]
    if_new: list[Step] = [register_model, *baselines]
    tracked: list[Step] = []
    if settings.tracking:
        track = track_step(context, settings.tracking, preprocess, train, evaluate)
        tracked.append(track)
        if_new.append(track_model_package_step(context, settings.tracking, track, register_model))
    if settings.security.network_isolation:
        checks = [check_quality_step(context, evaluate, if_good=if_new)]
    else:
        find_model_package = find_model_package_step(context, train)
        checks = [
            find_model_package,
            check_quality_step(context, evaluate, fail_after=tracked),
            check_model_is_new_step(context, evaluate, find_model_package, if_new=if_new),
        ]
    return Pipeline(
        name=settings.name,
        parameters=parameters.all(),
        steps=[preprocess, train, *([find_champion] if find_champion else []), evaluate, *tracked, *checks],
        pipeline_experiment_config=None,
        mlflow_config=mlflow_config(settings),
        sagemaker_session=session,
    )
