"""Step 2 with `tuning`, Tune: trials of Train with different hyperparameters, by a tuning job of SageMaker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter, ParameterRange
from sagemaker.core.shapes import (
    Channel,
    DataSource,
    HyperbandStrategyConfig,
    HyperParameterTuningJobStrategyConfig,
    HyperParameterTuningJobWarmStartConfig,
    ParentHyperParameterTuningJob,
)
from sagemaker.core.training.configs import InputData, OutputDataConfig
from sagemaker.mlops.workflow.steps import ProcessingStep, TuningStep
from sagemaker.train.tuner import HyperparameterTuner

from pipelines.training.context import TrainingContext
from pipelines.training.train import channels, metric_definitions, model_trainer
from project.settings import NumberRange, TuningSettings
from project.settings.tuning_ranges import Category, Range, is_integer


def tune_step(context: TrainingContext, tuning: TuningSettings, preprocess: ProcessingStep) -> TuningStep:
    settings = context.settings
    trainer = model_trainer(context)
    trainer.output_data_config = OutputDataConfig(
        s3_output_path=models_uri(context), kms_key_id=settings.security.kms_key
    )
    tuner = HyperparameterTuner(
        model_trainer=trainer,
        objective_metric_name=tuning.objective_name(settings.problem_type, settings.training),
        objective_type="Minimize" if tuning.is_minimized(settings.problem_type) else "Maximize",
        hyperparameter_ranges={
            name: parameter_range(name, item) for name, item in tuning.search_space(settings.training).items()
        },
        metric_definitions=[{"Name": item.name, "Regex": item.regex} for item in metric_definitions(settings)],
        strategy=tuning.strategy,
        strategy_config=_hyperband(tuning),
        max_jobs=None if tuning.strategy == "Grid" else tuning.number_of_jobs,
        max_parallel_jobs=tuning.max_parallel_jobs,
        early_stopping_type=tuning.early_stopping,
        warm_start_config=_warm_start(tuning),
        random_seed=settings.training.seed if tuning.random_seed is None else tuning.random_seed,
    )
    inputs = [_channel(item) for item in channels(preprocess, sharded=context.on_spark)]
    return _TuningStep(
        context,
        name="Tune",
        description=f"Try hyperparameters of LightGBM ({tuning.strategy}) for the best "
        f"{tuning.objective_name(settings.problem_type, settings.training)}",
        step_args=tuner.tune(inputs=inputs, wait=False),
        cache_config=context.cache,
        retry_policies=context.job_retries,
    )


def models_uri(context: TrainingContext) -> str:
    """Return the prefix of the models of all trials.

    It is the same for all executions, as the names of training jobs are unique: the URI of the best model is joined
    from the prefix and the name, also where the step cache gives an execution the tuning job of an earlier one.
    """
    return f"{context.settings.uri(context.bucket)}/tuning"


def parameter_range(name: str, item: Range) -> ParameterRange:
    """Return the SDK's form of a range."""
    if not isinstance(item, NumberRange):
        return CategoricalParameter([_text(value) for value in item])
    kind = IntegerParameter if is_integer(name) else ContinuousParameter
    return kind(item.min, item.max, scaling_type=item.scaling)


def _text(value: Category) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hyperband(tuning: TuningSettings) -> HyperParameterTuningJobStrategyConfig | None:
    if tuning.strategy != "Hyperband":
        return None
    return HyperParameterTuningJobStrategyConfig(
        hyperband_strategy_config=HyperbandStrategyConfig(
            min_resource=tuning.hyperband.min_resource, max_resource=tuning.hyperband.max_resource
        )
    )


def _warm_start(tuning: TuningSettings) -> HyperParameterTuningJobWarmStartConfig | None:
    if not tuning.warm_start_from:
        return None
    return HyperParameterTuningJobWarmStartConfig(
        parent_hyper_parameter_tuning_jobs=[
            ParentHyperParameterTuningJob(hyper_parameter_tuning_job_name=name) for name in tuning.warm_start_from
        ],
        warm_start_type=tuning.warm_start_type,
    )


def _channel(item: InputData) -> Channel:
    # the tuner takes the URI of an InputData only, without its distribution
    return Channel(
        channel_name=item.channel_name,
        content_type=item.content_type,
        data_source=DataSource(s3_data_source=item.data_source),
    )


class _TuningStep(TuningStep):
    """Adds to the request what the SDK's tuner (3.27) leaves out: pipeline parameters, keys, isolation, a seed of 0."""

    def __init__(self, context: TrainingContext, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._context = context

    @property
    def arguments(self) -> dict[str, Any]:
        settings, parameters = self._context.settings, self._context.parameters
        request: dict[str, Any] = super().arguments
        config, definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
        limits: Mapping[str, Any] = {
            "MaxNumberOfTrainingJobs": parameters.max_tuning_jobs,
            "MaxParallelTrainingJobs": parameters.max_parallel_tuning_jobs,
        }
        config["ResourceLimits"] |= {name: limit for name, limit in limits.items() if limit is not None}
        config["RandomSeed"] = self.step_args.func_args[0].random_seed
        if settings.security.kms_key:
            definition["ResourceConfig"]["VolumeKmsKeyId"] = settings.security.kms_key
        if self._context.network is not None:
            definition["EnableNetworkIsolation"] = settings.security.network_isolation
            definition["EnableInterContainerTrafficEncryption"] = settings.security.encrypt_inter_container_traffic
        return request
