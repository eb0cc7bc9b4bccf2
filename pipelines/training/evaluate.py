"""Step 3, Evaluate: metrics, predictions and a report on the test split."""

from __future__ import annotations

from sagemaker.core.workflow.functions import JsonGet
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.steps import ProcessingStep

from pipelines.bundles import evaluate_bundle
from pipelines.context import output_of, processing_input, processing_output
from pipelines.training.context import TrainingContext
from pipelines.training.trained_model import TrainingOrTuningStep, model_uri
from project.settings import ProblemType

OUTPUTS = ("evaluation", "predictions", "report")

# the section of evaluation.json with the metrics of a problem type, as Model Monitor names it
SECTIONS: dict[ProblemType, str] = {
    "BinaryClassification": "binary_classification_metrics",
    "MulticlassClassification": "multiclass_classification_metrics",
    "Regression": "regression_metrics",
    "Ranking": "ranking_metrics",
}


def evaluate_step(context: TrainingContext, preprocess: ProcessingStep, train: TrainingOrTuningStep) -> ProcessingStep:
    processor = context.processor(["/bin/bash", "/opt/ml/processing/input/code/run.sh", "evaluate.py"])
    # without network access, metrics cannot be sent to CloudWatch
    published = [] if context.settings.security.network_isolation else ["--model-name", context.settings.name]
    return ProcessingStep(
        name="Evaluate",
        description="Evaluate the model on the test split",
        step_args=processor.run(
            inputs=[
                processing_input("model", model_uri(context, train)),
                processing_input("test", output_of(preprocess, "test")),
                processing_input("validation", output_of(preprocess, "report")),
                processing_input("code", evaluate_bundle().uri(context.code_uri)),
            ],
            outputs=[processing_output(name, context.output_uri("evaluate", name)) for name in OUTPUTS],
            arguments=["--data-uri", context.parameters.input_data_uri, *published],
        ),
        property_files=[
            PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json"),
            PropertyFile(name="EvaluationSummary", output_name="evaluation", path="summary.json"),
        ],
        cache_config=context.cache,
        retry_policies=context.job_retries,
    )


def metric_value(evaluate: ProcessingStep, problem_type: ProblemType, metric: str) -> JsonGet:
    """Return the value of a test metric, which the execution reads from evaluation.json."""
    return JsonGet(
        step_name=evaluate.name,
        property_file="EvaluationReport",
        json_path=f"{SECTIONS[problem_type]}.{metric}.value",
    )
