"""The step FindChampion, only with `quality.champion`: the latest approved version, which Evaluate compares with.

The step is not cached: what it reads changes. Evaluate gets the version as an argument, so that its cache key holds it.
"""

from __future__ import annotations

from sagemaker.core.workflow.functions import JsonGet
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.steps import ProcessingStep

from pipelines.bundles import find_champion_bundle
from pipelines.context import processing_input, processing_output
from pipelines.training.context import TrainingContext


def find_champion_step(context: TrainingContext) -> ProcessingStep:
    processor = context.processor(["python3", "/opt/ml/processing/input/code/find_champion.py"])
    return ProcessingStep(
        name="FindChampion",
        description="Look for the latest approved version",
        step_args=processor.run(
            inputs=[processing_input("code", find_champion_bundle().uri(context.code_uri))],
            outputs=[processing_output("champion", context.output_uri("find-champion"))],
            arguments=["--model-package-group", context.settings.model_package_group],
        ),
        property_files=[PropertyFile(name="Champion", output_name="champion", path="champion.json")],
        retry_policies=context.job_retries,
    )


def champion_arguments(find_champion: ProcessingStep) -> list[str | JsonGet]:
    """Return the arguments that tell evaluate.py the champion."""
    arguments: list[str | JsonGet] = []
    for option, path in (("version", "version"), ("arn", "arn"), ("uri", "model_uri")):
        value = JsonGet(step_name=find_champion.name, property_file="Champion", json_path=path)
        arguments += [f"--champion-{option}", value.to_string()]
    return arguments
