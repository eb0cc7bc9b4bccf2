"""Steps 8 and 9, DataQualityBaseline and ModelQualityBaseline: the baselines that monitoring compares with.

The steps run after registration and write to the URIs that the model package refers to. They are never cached: a cached
step writes nothing, and the new model package would refer to files that do not exist.
"""

from __future__ import annotations

import json

from sagemaker.core.workflow.functions import Join
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.quality_check_step import (
    DataQualityCheckConfig,
    ModelQualityCheckConfig,
    QualityCheckConfig,
    QualityCheckStep,
)
from sagemaker.mlops.workflow.steps import ProcessingStep, Step

from pipelines.bundles import quality_check_bundle, quality_check_spark_bundle
from pipelines.context import S3Uri, output_of, processing_input, processing_output
from pipelines.preprocess_arguments import reads_parquet
from pipelines.training.check_jobs import JsonNetwork, check_arguments, check_job
from pipelines.training.context import TrainingContext
from project.settings import MonitoringSettings

DATA_QUALITY = "data-quality-baseline"
MODEL_QUALITY = "model-quality-baseline"
# the names that QualityCheck steps use
DATASET, OUTPUT = "baseline_dataset_input", "quality_check_output"
SCHEMA = "/opt/ml/processing/input/schema"
CSV_WITH_HEADER = {"csv": {"header": True, "output_columns_position": "START"}}
PARQUET: dict[str, dict[str, object]] = {"parquet": {}}


def baseline_uri(context: TrainingContext, kind: str, *path: str) -> Join:
    return context.output_uri(kind, *path)


def baseline_steps(
    context: TrainingContext, preprocess: ProcessingStep, evaluate: ProcessingStep, after: ModelStep
) -> list[Step]:
    """Return the baseline steps: QualityCheck steps, or Processing steps with the same outputs.

    A ranking has no ModelQualityBaseline.
    """
    settings = context.settings
    binary = settings.problem_type == "BinaryClassification"
    model_quality_step = _processing_step if settings.quality_checks == "processing" else _quality_check_step
    data_quality_step = _processing_step if reads_parquet(settings) else _quality_check_step
    steps: list[Step] = [
        data_quality_step(
            context,
            "DataQualityBaseline",
            "Profile the training features and suggest constraints",
            DataQualityCheckConfig(
                baseline_dataset=output_of(preprocess, "baseline"),
                dataset_format=PARQUET if reads_parquet(settings) else CSV_WITH_HEADER,
                output_s3_uri=baseline_uri(context, DATA_QUALITY),
            ),
            output_of(preprocess, "schema"),
            after,
        ),
    ]
    if settings.has_model_quality:
        steps.append(
            model_quality_step(
                context,
                "ModelQualityBaseline",
                "Profile the test predictions and suggest constraints",
                ModelQualityCheckConfig(
                    baseline_dataset=output_of(evaluate, "predictions"),
                    dataset_format=CSV_WITH_HEADER,
                    output_s3_uri=baseline_uri(context, MODEL_QUALITY),
                    problem_type=settings.problem_type,
                    # not derived from the probability, because the decision threshold is chosen in training
                    inference_attribute="prediction",
                    probability_attribute="probability" if binary else None,
                    ground_truth_attribute="label",
                ),
                # labels and predictions of Evaluate are codes of the classes
                None,
                after,
            )
        )
    return steps


def _quality_check_step(
    context: TrainingContext,
    name: str,
    description: str,
    config: QualityCheckConfig,
    schema: S3Uri | None,
    after: ModelStep,
) -> QualityCheckStep:
    settings, parameters = context.settings, context.parameters
    return _QualityCheckStep(
        name=name,
        description=description,
        quality_check_config=config,
        check_job_config=check_job(context, parameters.processing_instance_count),
        skip_check=parameters.skip_check,
        fail_on_violation=parameters.fail_on_violation,
        register_new_baseline=parameters.register_new_baseline,
        model_package_group_name=settings.model_package_group,
        depends_on=[after],
    )


def _processing_step(
    context: TrainingContext,
    name: str,
    description: str,
    config: QualityCheckConfig,
    schema: S3Uri | None,
    after: ModelStep,
) -> ProcessingStep:
    settings, parameters = context.settings, context.parameters
    environment = _analyzer_environment(config, settings.monitoring)
    if schema is not None:
        environment["model_schema"] = SCHEMA
    if context.on_spark and isinstance(config, DataQualityCheckConfig):
        bundle = quality_check_spark_bundle()
        processor = context.spark_processor("quality_check_spark.py", environment)
    else:
        bundle = quality_check_bundle()
        processor = context.processor(
            ["/bin/bash", "/opt/ml/processing/input/code/run.sh", "quality_check.py"],
            instance_count=parameters.processing_instance_count,
            env=environment,
        )
    output = processing_output(OUTPUT, config.output_s3_uri)
    output.s3_output.local_path = "/opt/ml/processing/output"
    return ProcessingStep(
        name=name,
        description=description,
        step_args=processor.run(
            inputs=[
                processing_input(DATASET, config.baseline_dataset),
                *([processing_input("schema", schema)] if schema is not None else []),
                processing_input("code", bundle.uri(context.code_uri)),
            ],
            outputs=[output],
            arguments=check_arguments(context),
        ),
        depends_on=[after],
        retry_policies=context.job_retries,
    )


def _analyzer_environment(config: QualityCheckConfig, monitoring: MonitoringSettings) -> dict[str, str]:
    """Return the environment of the analyzer, as QualityCheck steps derive it from their configuration."""
    environment: dict[str, str | None] = {
        "dataset_source": f"/opt/ml/processing/input/{DATASET}",
        "dataset_format": json.dumps(config.dataset_format),
        "output_path": "/opt/ml/processing/output",
        "publish_cloudwatch_metrics": "Disabled",
    }
    if isinstance(config, ModelQualityCheckConfig):
        environment |= {
            "analysis_type": "MODEL_QUALITY",
            "problem_type": config.problem_type,
            "inference_attribute": config.inference_attribute,
            "probability_attribute": config.probability_attribute,
            "ground_truth_attribute": config.ground_truth_attribute,
            "metric_tolerance": f"{monitoring.metric_tolerance:g}",
            "labels_per_window": f"{monitoring.labels_per_window}",
        }
    else:
        environment["record_tolerance"] = f"{monitoring.record_tolerance:g}"
    return {name: value for name, value in environment.items() if value is not None}


class _QualityCheckStep(JsonNetwork, QualityCheckStep):
    pass
