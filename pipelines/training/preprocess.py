"""Step 1, Preprocess: validate, split and encode the data."""

from __future__ import annotations

from sagemaker.mlops.workflow.steps import ProcessingStep

from pipelines.bundles import preprocess_bundle, preprocess_spark_bundle
from pipelines.context import processing_input, processing_output
from pipelines.inputs import input_data_type
from pipelines.training.baselines import reads_parquet
from pipelines.training.context import TrainingContext
from project.errors import UserError
from project.settings import Settings

MAX_ARGUMENTS = 100
OUTPUTS = ("train", "validation", "test", "baseline", "schema", "report")


def preprocess_step(context: TrainingContext) -> ProcessingStep:
    settings, parameters = context.settings, context.parameters
    arguments = _arguments(settings)
    if context.on_spark:
        bundle, processor = preprocess_spark_bundle(settings), context.spark_processor("preprocess_spark.py")
    else:
        bundle = preprocess_bundle(settings)
        processor = context.processor(["/bin/bash", "/opt/ml/processing/input/code/run.sh", "preprocess.py"])
    return ProcessingStep(
        name="Preprocess",
        description="Validate the data, split it and encode it",
        step_args=processor.run(
            inputs=[
                processing_input("data", parameters.input_data_uri, input_data_type(settings.data.input)),
                processing_input("code", bundle.uri(context.code_uri)),
            ],
            outputs=[processing_output(name, context.output_uri("preprocess", name)) for name in OUTPUTS],
            arguments=arguments,
        ),
        cache_config=context.cache,
        retry_policies=context.job_retries,
    )


def _arguments(settings: Settings) -> list[str]:
    data, split, validation = settings.data, settings.data.split, settings.data.validation
    options: dict[str, object] = {
        "problem-type": settings.problem_type,
        "target-column": data.target_column,
        "positive-class": data.positive_class,
        "drop-columns": data.drop_columns,
        "categorical-columns": data.categorical_columns,
        **{f"csv-{name}": value for name, value in data.csv.model_dump(exclude_defaults=True).items()},
        "duplicates": data.duplicates,
        "split-strategy": split.strategy,
        "time-column": split.time_column,
        "group-column": split.group_column,
        "train-share": split.train,
        "validation-share": split.validation,
        "test-share": split.test,
        "seed": settings.training.seed,
        "min-rows": validation.min_rows,
        "max-missing-share": validation.max_missing_share,
        "outlier-z-score": validation.outlier_z_score,
        "baseline-format": "parquet" if reads_parquet(settings) else None,
    }
    arguments: list[str] = []
    for name, value in options.items():
        values = value if isinstance(value, tuple) else (value,)
        if value is not None and values:
            arguments += [f"--{name}", *(str(item) for item in values)]
    if len(arguments) > MAX_ARGUMENTS:
        raise UserError(
            f"data.drop_columns and data.categorical_columns need {len(arguments)} container arguments, SageMaker "
            f"accepts {MAX_ARGUMENTS}; remove columns from the data instead of listing them in drop_columns"
        )
    return arguments
