"""The steps Track and TrackModelPackage, only with `tracking`: the execution as an MLflow run.

Track runs beside the checks, and the Fail step waits for it, so that a model that is not good enough is a run, too.
RegisterModel is later: TrackModelPackage runs beside the baseline steps. Neither is cached, as each execution has a run
of its own, and no step needs their results.
"""

from __future__ import annotations

from typing import Any

from sagemaker.core.shapes import MlflowConfig, ProcessingInput
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.steps import ProcessingStep, Step, TuningStep

from pipelines.bundles import evaluate_bundle, preprocess_bundle, preprocess_spark_bundle, track_bundle, train_bundle
from pipelines.commit import current_commit
from pipelines.context import output_of, processing_input, processing_output
from pipelines.training.context import TrainingContext
from pipelines.training.trained_model import TrainingOrTuningStep, model_uri
from pipelines.training.tune import models_uri
from project.settings import Settings, TrackingSettings

SPLITS = ("train", "validation", "test")


def mlflow_config(settings: Settings) -> MlflowConfig | None:
    """Return the configuration that links the pipeline to MLflow in Studio; only ARNs are possible there."""
    tracking = settings.tracking
    if tracking is None or tracking.arn is None:
        return None
    return MlflowConfig(mlflow_resource_arn=tracking.arn, mlflow_experiment_name=tracking.experiment or settings.name)


def track_step(
    context: TrainingContext,
    tracking: TrackingSettings,
    preprocess: ProcessingStep,
    train: TrainingOrTuningStep,
    evaluate: ProcessingStep,
) -> ProcessingStep:
    settings = context.settings
    if isinstance(train, TuningStep):
        job = train.properties.HyperParameterTuningJobName
        trials = ["--trials-uri", models_uri(context)]
    else:
        job, trials = train.properties.TrainingJobName, []
    tags = {
        "sagemaker.pipeline_name": settings.name,
        "sagemaker.job": job,
        "sagemaker.image": context.image("training"),
        "sagemaker.code": _code(settings),
        "sagemaker.input_data_uri": context.parameters.input_data_uri,
        "mlflow.source.type": "JOB",
        "mlflow.source.name": settings.name,
        "mlflow.source.git.commit": current_commit(),
    }
    return _step(
        context,
        tracking,
        "Track",
        "track",
        "Log the execution as an MLflow run",
        inputs=[
            processing_input("evaluation", output_of(evaluate, "evaluation")),
            processing_input("report", output_of(evaluate, "report")),
        ],
        arguments=[
            "--model-uri",
            model_uri(context, train),
            *trials,
            *(part for name in SPLITS for part in ("--split", name, output_of(preprocess, name))),
            *(part for name, value in tags.items() for part in ("--tag", name, value)),
        ],
    )


def track_model_package_step(
    context: TrainingContext, tracking: TrackingSettings, track: ProcessingStep, register_model: ModelStep
) -> ProcessingStep:
    return _step(
        context,
        tracking,
        "TrackModelPackage",
        "track-model-package",
        "Add the registered version to the MLflow run",
        inputs=[],
        arguments=["--model-package", register_model.properties.ModelPackageArn],
        # to register a model does not wait for MLflow
        after=[track],
    )


def _code(settings: Settings) -> str:
    """Return the code bundles that the model depends on, named by their content."""
    on_spark = settings.resources.engine == "spark"
    preprocess = preprocess_spark_bundle(settings) if on_spark else preprocess_bundle(settings)
    bundles = (preprocess, train_bundle(settings), evaluate_bundle(settings))
    return " ".join(f"{bundle.name}-{bundle.digest}" for bundle in bundles)


def _step(
    context: TrainingContext,
    tracking: TrackingSettings,
    name: str,
    folder: str,
    description: str,
    inputs: list[ProcessingInput],
    arguments: list[Any],
    after: list[Step] | None = None,
) -> ProcessingStep:
    processor = context.processor(["/bin/bash", "/opt/ml/processing/input/code/run_optional.sh", "track.py"])
    return ProcessingStep(
        name=name,
        description=description,
        step_args=processor.run(
            inputs=[*inputs, processing_input("code", track_bundle().uri(context.code_uri))],
            outputs=[processing_output("run", context.output_uri(folder))],
            arguments=[
                "--mlflow",
                tracking.mlflow,
                "--experiment",
                tracking.experiment or context.settings.name,
                "--execution-arn",
                ExecutionVariables.PIPELINE_EXECUTION_ARN,
                *arguments,
            ],
        ),
        retry_policies=context.job_retries,
        depends_on=after,
    )
