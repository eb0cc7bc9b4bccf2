"""Step 3, Evaluate: metrics, predictions and a report on the test split."""

from __future__ import annotations

from sagemaker.core.workflow.functions import JsonGet
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.steps import ProcessingStep, TuningStep

from pipelines.bundles import evaluate_bundle
from pipelines.context import output_of, processing_input, processing_output
from pipelines.training.context import TrainingContext
from pipelines.training.find_champion import champion_arguments
from pipelines.training.preprocess import FACETS
from pipelines.training.trained_model import TrainingOrTuningStep, model_uri

OUTPUTS = ("evaluation", "predictions", "report")


def evaluate_step(
    context: TrainingContext,
    preprocess: ProcessingStep,
    train: TrainingOrTuningStep,
    find_champion: ProcessingStep | None,
) -> ProcessingStep:
    processor = context.processor(["/bin/bash", "/opt/ml/processing/input/code/run.sh", "evaluate.py"])
    fairness = context.settings.fairness
    # without network access, metrics cannot be sent to CloudWatch, nor trials be read
    published = [] if context.settings.security.network_isolation else ["--model-name", context.settings.name]
    if published and isinstance(train, TuningStep):
        published += ["--tuning-job", train.properties.HyperParameterTuningJobName]
    return ProcessingStep(
        name="Evaluate",
        description="Evaluate the model on the test split",
        step_args=processor.run(
            inputs=[
                processing_input("model", model_uri(context, train)),
                processing_input("test", output_of(preprocess, "test")),
                processing_input("validation", output_of(preprocess, "report")),
                processing_input("records", output_of(preprocess, "records")),
                *([] if fairness is None else [processing_input(FACETS, output_of(preprocess, FACETS))]),
                processing_input("code", evaluate_bundle(context.settings).uri(context.code_uri)),
            ],
            outputs=[processing_output(name, context.output_uri("evaluate", name)) for name in OUTPUTS],
            arguments=[
                "--metric-threshold",
                context.parameters.metric_threshold.to_string(),
                "--data-uri",
                context.parameters.input_data_uri,
                *(champion_arguments(find_champion) if find_champion else []),
                *published,
            ],
        ),
        property_files=[
            PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json"),
            PropertyFile(name="EvaluationSummary", output_name="evaluation", path="summary.json"),
        ],
        cache_config=context.cache,
        retry_policies=context.job_retries,
    )


def metric_value(evaluate: ProcessingStep, metric: str, part: str = "value") -> JsonGet:
    """Return a test metric, or the `lower` or `upper` end of its interval, which the execution reads."""
    return summary_value(evaluate, f"metrics.test.{metric}.{part}")


def summary_value(evaluate: ProcessingStep, path: str) -> JsonGet:
    """Return a value of summary.json, which the execution reads."""
    return JsonGet(step_name=evaluate.name, property_file="EvaluationSummary", json_path=path)
