"""Step 7, RegisterModel: a model package version with its metrics, baselines and lineage."""

from __future__ import annotations

import logging
from typing import Any

from sagemaker.core.drift_check_baselines import DriftCheckBaselines
from sagemaker.core.model_metrics import FileSource, MetricsSource, ModelMetrics
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.properties import Properties
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.steps import ProcessingStep, TuningStep
from sagemaker.serve.model_builder import ModelBuilder

from pipelines.bundles import clarify_configs_bundle
from pipelines.clarify_configs import (
    BIAS_MONITORING,
    CONFIG,
    DATA_BIAS,
    EXPLAINABILITY,
    EXPLAINABILITY_MONITORING,
    MODEL_BIAS,
    clarify_configs,
)
from pipelines.commit import current_commit
from pipelines.context import output_of
from pipelines.training.baselines import DATA_QUALITY, MODEL_QUALITY, baseline_uri
from pipelines.training.context import TrainingContext
from pipelines.training.evaluate import metric_value, summary_value
from pipelines.training.trained_model import TrainingOrTuningStep, model_uri
from project.errors import UserError
from project.settings import METRICS

# entries of CustomerMetadataProperties
MAX_METADATA = 50
CONTENT_TYPES = ["text/csv", "application/json", "application/jsonlines"]
RESPONSE_TYPES = ["application/json", "text/csv"]


def register_model_step(context: TrainingContext, train: TrainingOrTuningStep, evaluate: ProcessingStep) -> ModelStep:
    settings, parameters = context.settings, context.parameters
    model = model_builder(context, train)
    data_statistics, data_constraints = _baseline_files(context, DATA_QUALITY)
    baselines = {"model_data_statistics": data_statistics, "model_data_constraints": data_constraints}
    if settings.has_model_quality:
        model_statistics, model_constraints = _baseline_files(context, MODEL_QUALITY)
        baselines |= {"model_statistics": model_statistics, "model_constraints": model_constraints}
    metadata: dict[str, Any] = {
        "commit": current_commit(),
        "input_data_uri": parameters.input_data_uri,
        "pipeline_execution_arn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
        "problem_type": settings.problem_type,
        "quality_metric": settings.quality.metric,
        "quality_threshold": parameters.metric_threshold.to_string(),
        "quality_lower": metric_value(evaluate, settings.quality.metric, "lower").to_string(),
        "quality_upper": metric_value(evaluate, settings.quality.metric, "upper").to_string(),
        "evaluation_summary_uri": Join(on="/", values=[output_of(evaluate, "evaluation"), "summary.json"]),
    }
    if settings.quality.champion is not None:
        metadata |= {
            "champion_version": summary_value(evaluate, "champion.version").to_string(),
            "champion_gain": summary_value(evaluate, "champion.gain_text"),
        }
    if settings.fairness is not None and settings.fairness.limits:
        metadata["bias"] = summary_value(evaluate, "fairness.limited_text")
    metadata |= {metric: metric_value(evaluate, metric).to_string() for metric in METRICS[settings.problem_type]}
    metadata |= _tuned(context, train, room=MAX_METADATA - len(metadata))
    step_args = model.register(
        model_package_group_name=settings.model_package_group,
        content_types=CONTENT_TYPES,
        response_types=RESPONSE_TYPES,
        inference_instances=list(settings.registration.inference_instances),
        transform_instances=list(settings.registration.transform_instances),
        approval_status=parameters.model_approval_status,
        model_metrics=ModelMetrics(**baselines, **_clarify_reports(context)),
        drift_check_baselines=DriftCheckBaselines(**baselines, **_clarify_baselines(context)),
        customer_metadata_properties=metadata,
    )
    return ModelStep(
        name="RegisterModel",
        description="Register the model in its model package group",
        step_args=step_args,
        retry_policies=context.step_retries,
    )


def _tuned(context: TrainingContext, train: TrainingOrTuningStep, room: int) -> dict[str, Properties | Join]:
    """Return the tuning job and the winning hyperparameters; empty for a model that was not tuned.

    Raises:
        UserError: There are more than `room` entries.
    """
    if not isinstance(train, TuningStep) or context.settings.tuning is None:
        return {}
    best = train.properties.TrainingJobSummaries[0]
    space = context.settings.tuning.search_space(context.settings.training)
    job = {
        "tuning_job": train.properties.HyperParameterTuningJobName,
        "training_job": best.TrainingJobName,
        "tuning_objective": best.FinalHyperParameterTuningJobObjectiveMetric.MetricName,
        "tuning_objective_value": best.FinalHyperParameterTuningJobObjectiveMetric.Value.to_string(),
    }
    if len(job) + len(space) > room:
        raise UserError(
            f"tuning.ranges has {len(space)} ranges, but the metadata of a model package, which names the best value "
            f"of each, has room for {room - len(job)}; remove the ranges that matter least"
        )
    return job | {f"tuned_{name}": best.TunedHyperParameters[name] for name in space}


def _baseline_files(context: TrainingContext, kind: str) -> tuple[MetricsSource, MetricsSource]:
    """Return statistics.json and constraints.json of a baseline, at the URIs that its step writes to."""
    statistics, constraints = (
        MetricsSource(content_type="application/json", s3_uri=baseline_uri(context, kind, f"{name}.json"))
        for name in ("statistics", "constraints")
    )
    return statistics, constraints


def model_builder(context: TrainingContext, train: TrainingOrTuningStep) -> ModelBuilder:
    return ModelBuilder(
        image_uri=context.image("inference"),
        # The archive already contains code/inference.py and code/requirements.txt. Given as source_code, they would
        # make the SDK add a training job that only repacks the archive.
        s3_model_data_url=model_uri(context, train),
        env_vars={
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            "SAGEMAKER_REGION": context.region,
        },
        role_arn=context.role,
        instance_type=context.settings.registration.inference_instances[0],
        log_level=logging.ERROR,
        sagemaker_session=context.session,
    )


def _clarify_reports(context: TrainingContext) -> dict[str, MetricsSource]:
    """Return analysis.json of DataBias, ModelBias and Explainability, as ModelMetrics names them."""
    names = {DATA_BIAS: "bias_pre_training", MODEL_BIAS: "bias_post_training", EXPLAINABILITY: "explainability"}
    kinds = clarify_configs(context.settings)
    return {name: _analysis_file(context, kind) for kind, name in names.items() if kind in kinds}


def _clarify_baselines(context: TrainingContext) -> dict[str, MetricsSource | FileSource]:
    """Return the same files with the configurations by which monitoring compares, as DriftCheckBaselines names them."""
    constraints = {f"{name}_constraints": file for name, file in _clarify_reports(context).items()}
    return constraints | clarify_config_files(context)


def clarify_config_files(context: TrainingContext) -> dict[str, FileSource]:
    """Return the configurations by which monitoring compares, as DriftCheckBaselines names them."""
    names = {BIAS_MONITORING: "bias_config_file", EXPLAINABILITY_MONITORING: "explainability_config_file"}
    return {
        name: FileSource(s3_uri=clarify_config_uri(context, kind), content_type="application/json")
        for kind, name in names.items()
        if kind in clarify_configs(context.settings)
    }


def _analysis_file(context: TrainingContext, kind: str) -> MetricsSource:
    return MetricsSource(content_type="application/json", s3_uri=baseline_uri(context, kind, "analysis.json"))


def clarify_config_uri(context: TrainingContext, kind: str) -> str:
    """Return the S3 URI of an analysis configuration."""
    return f"{clarify_configs_bundle(context.settings).uri(context.code_uri)}/{kind}/{CONFIG}"
