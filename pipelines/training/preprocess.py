"""Step 1, Preprocess: validate, split and encode the data."""

from __future__ import annotations

from sagemaker.mlops.workflow.steps import ProcessingStep

from pipelines.bundles import preprocess_bundle, preprocess_spark_bundle
from pipelines.context import processing_input, processing_output
from pipelines.inputs import input_data_type
from pipelines.preprocess_arguments import preprocess_arguments
from pipelines.training.context import TrainingContext

OUTPUTS = ("train", "validation", "test", "baseline", "schema", "report", "records")
# an output with the section fairness
FACETS = "facets"


def preprocess_step(context: TrainingContext) -> ProcessingStep:
    settings, parameters = context.settings, context.parameters
    arguments = preprocess_arguments(settings)
    outputs = (*OUTPUTS, *([] if settings.fairness is None else [FACETS]))
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
            outputs=[processing_output(name, context.output_uri("preprocess", name)) for name in outputs],
            arguments=arguments,
        ),
        cache_config=context.cache,
        retry_policies=context.job_retries,
    )
