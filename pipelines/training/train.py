"""Step 2, Train: LightGBM in the script mode of SageMaker's scikit-learn image."""

from __future__ import annotations

from typing import Any

from sagemaker.core.shapes import MetricDefinition, S3DataSource
from sagemaker.core.training.configs import (
    CheckpointConfig,
    Compute,
    InputData,
    Networking,
    OutputDataConfig,
    StoppingCondition,
    Tag,
)
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.train.model_trainer import ModelTrainer

from pipelines.bundles import train_bundle
from pipelines.context import output_of
from pipelines.training.context import TrainingContext
from project.settings import TRAINING_METRICS, Settings

CHANNELS = ("train", "validation", "schema")


def train_step(context: TrainingContext, preprocess: ProcessingStep) -> TrainingStep:
    resources = context.settings.resources
    trainer = model_trainer(context, keep_alive_seconds=resources.keep_alive_seconds or None)
    trainer.with_metric_definitions(metric_definitions(context.settings))
    return TrainingStep(
        name="Train",
        description="Train LightGBM with early stopping on the validation split",
        step_args=trainer.train(input_data_config=channels(preprocess, sharded=context.on_spark)),
        cache_config=context.cache,
        retry_policies=context.job_retries,
    )


def model_trainer(context: TrainingContext, keep_alive_seconds: int | None = None) -> ModelTrainer:
    """Return the trainer of Train, and of each training job of Tune."""
    settings, parameters = context.settings, context.parameters
    resources = settings.resources
    # Script mode is configured by its hyperparameters. The uploads of ModelTrainer's source_code have a timestamp, with
    # which every upsert would change the definition and no step would ever be cached.
    return ModelTrainer(
        training_image=context.image("training"),
        hyperparameters=_hyperparameters(context),
        compute=Compute(
            instance_type=parameters.training_instance_type,
            instance_count=parameters.training_instance_count,
            volume_size_in_gb=resources.volume_size_in_gb,
            volume_kms_key_id=settings.security.kms_key,
            keep_alive_period_in_seconds=keep_alive_seconds,
            enable_managed_spot_training=resources.use_spot or None,
        ),
        networking=_networking(context),
        stopping_condition=StoppingCondition(
            max_runtime_in_seconds=resources.training_max_runtime_in_seconds,
            max_wait_time_in_seconds=resources.longest_wait_in_seconds,
        ),
        checkpoint_config=_checkpoints(context),
        output_data_config=OutputDataConfig(
            s3_output_path=context.output_uri("train"), kms_key_id=settings.security.kms_key
        ),
        role=context.role,
        tags=[Tag(key=key, value=value) for key, value in sorted(settings.tags.items())] or None,
        base_job_name=settings.name,
        sagemaker_session=context.session,
    )


def metric_definitions(settings: Settings) -> list[MetricDefinition]:
    """Return the definitions of the metrics that train.py prints."""
    number = "=([-+0-9.eE]+)"
    printed = {"train": "train_{}", "validation": "validation_{}"}
    if settings.training.folds:
        printed["folds"] = "folds_{}_mean"
    return [
        MetricDefinition(name=f"{name}:{metric}", regex=pattern.format(metric) + number)
        for name, pattern in printed.items()
        for metric in TRAINING_METRICS[settings.problem_type]
    ]


def channels(preprocess: ProcessingStep, sharded: bool) -> list[InputData]:
    """Return the channels of the job.

    Args:
        preprocess: The step that writes them.
        sharded: Whether each instance gets its share of the files of both splits (ShardedByS3Key). A split must then
            have as many files as there are instances.
    """
    return [
        InputData(
            channel_name=name,
            data_source=S3DataSource(
                s3_data_type="S3Prefix",
                s3_uri=output_of(preprocess, name),
                s3_data_distribution_type="ShardedByS3Key" if sharded and name != "schema" else "FullyReplicated",
            ),
            content_type="application/json" if name == "schema" else "application/x-parquet",
        )
        for name in CHANNELS
    ]


def _hyperparameters(context: TrainingContext) -> dict[str, Any]:
    training, parameters = context.settings.training, context.parameters
    # a parameter that is tuned is no parameter of the pipeline
    from_parameters = {
        name: parameter.to_string()
        for name in ("num_leaves", "learning_rate", "num_boost_round", "early_stopping_rounds")
        if (parameter := getattr(parameters, name)) is not None
    }
    script_mode = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": train_bundle(context.settings).uri(context.code_uri),
        "sagemaker_container_log_level": "20",
        "sagemaker_region": context.region,
    }
    quality = context.settings.quality.hyperparameters(context.settings.problem_type)
    return training.hyperparameters() | quality | from_parameters | script_mode


def _checkpoints(context: TrainingContext) -> CheckpointConfig | None:
    if not context.settings.resources.use_spot:
        return None
    # The location is the same for all executions, because the step cache compares it. train.py names a checkpoint by
    # what it belongs to.
    return CheckpointConfig(s3_uri=f"{context.settings.uri(context.bucket)}/checkpoints")


def _networking(context: TrainingContext) -> Networking | None:
    security = context.settings.security
    if context.network is None:
        return None
    return Networking(
        subnets=list(security.subnets) or None,
        security_group_ids=list(security.security_group_ids) or None,
        enable_network_isolation=security.network_isolation,
        enable_inter_container_traffic_encryption=security.encrypt_inter_container_traffic,
    )
