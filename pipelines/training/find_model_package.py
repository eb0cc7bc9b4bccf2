"""Step 4, FindModelPackage: the version under which the model is registered already, if Train was cached.

The step is not cached itself: what it reads changes. It needs no result but the model, so that it runs beside Evaluate.
"""

from __future__ import annotations

from sagemaker.core.workflow.functions import JsonGet
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.steps import ProcessingStep

from pipelines.bundles import find_model_package_bundle
from pipelines.context import processing_input, processing_output
from pipelines.training.context import TrainingContext
from pipelines.training.register_model import clarify_config_files
from pipelines.training.trained_model import TrainingOrTuningStep, model_uri


def find_model_package_step(context: TrainingContext, train: TrainingOrTuningStep) -> ProcessingStep:
    processor = context.processor(["python3", "/opt/ml/processing/input/code/find_model_package.py"])
    config_files = [file.s3_uri for file in clarify_config_files(context).values()]
    return ProcessingStep(
        name="FindModelPackage",
        description="Look for a model package with the same model artifact",
        step_args=processor.run(
            inputs=[processing_input("code", find_model_package_bundle().uri(context.code_uri))],
            outputs=[processing_output("package", context.output_uri("find-model-package"))],
            arguments=[
                "--model-package-group",
                context.settings.model_package_group,
                "--model-uri",
                model_uri(context, train),
                *(["--config-files", *config_files] if config_files else []),
            ],
        ),
        property_files=[PropertyFile(name="ModelPackage", output_name="package", path="model_package.json")],
        retry_policies=context.job_retries,
    )


def registered_version(find_model_package: ProcessingStep) -> JsonGet:
    """Return the version of the package with the same model artifact; 0 if there is none."""
    return JsonGet(step_name=find_model_package.name, property_file="ModelPackage", json_path="version")
