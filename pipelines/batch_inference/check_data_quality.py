"""The step CheckDataQuality: compares the input of the transform job with the baseline of the model."""

from __future__ import annotations

import json

from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.steps import ProcessingStep, TransformStep

from pipelines.batch_inference.parameters import Parameters
from pipelines.bundles import monitor_bundle
from pipelines.context import PipelineContext, processing_input, processing_output

INPUT, OUTPUT = "/opt/ml/processing/input", "/opt/ml/processing/output/data-quality"


def check_data_quality_step(
    context: PipelineContext, parameters: Parameters, transform: TransformStep, pipeline_name: str
) -> ProcessingStep:
    environment = {
        "dataset_source": f"{INPUT}/data",
        "dataset_format": json.dumps({"json": {"lines": True}}),
        "output_path": OUTPUT,
        "baseline_statistics": f"{INPUT}/statistics/statistics.json",
        "baseline_constraints": f"{INPUT}/constraints/constraints.json",
        "model_schema": f"{INPUT}/model",
        "record_tolerance": f"{context.settings.monitoring.record_tolerance:g}",
        "publish_cloudwatch_metrics": "Enabled",
        "sagemaker_monitoring_schedule_name": pipeline_name,
    }
    processor = context.processor(
        ["/bin/bash", "/opt/ml/processing/input/code/run.sh", "-m", "analyzer"], env=environment
    )
    return ProcessingStep(
        name="CheckDataQuality",
        description="Compare the input data with the baseline of the model",
        step_args=processor.run(
            inputs=[
                # the captured data is a manifest of the input, which is read where it is
                processing_input("data", transform.properties.TransformInput.DataSource.S3DataSource.S3Uri),
                processing_input("statistics", parameters.data_quality_statistics),
                processing_input("constraints", parameters.data_quality_constraints),
                processing_input("model", parameters.model_uri),
                processing_input("code", monitor_bundle(context.settings).uri(context.code_uri)),
            ],
            outputs=[processing_output("data-quality", context.output_uri("data-quality"))],
        ),
        property_files=[
            PropertyFile(name="Violations", output_name="data-quality", path="constraint_violations.json"),
        ],
        retry_policies=context.job_retries,
    )
