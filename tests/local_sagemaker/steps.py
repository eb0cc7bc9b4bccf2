"""Builders of steps for small pipelines, and helpers to run them."""

from __future__ import annotations

import time
from typing import Any

from local_sagemaker.executions import definition
from local_sagemaker.executions.steps import STEP_TYPES
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, TIMEOUT, Machine, Record


def parse(text: str) -> definition.Definition:
    return definition.parse(text, STEP_TYPES)


def processing(machine: Machine, name: str, script: str = "", **more: Any) -> Record:
    """A Processing step; in `more`, names with a capital letter are members of the step, others are for the job."""
    step = {key: more.pop(key) for key in list(more) if key[0].isupper()}
    return {"Name": name, "Type": "Processing", "Arguments": machine.processing_arguments(name, script, **more), **step}


def shell(name: str, script_uri: str, output_uri: str, **more: Any) -> Record:
    """A Processing step that runs a shell script, so that its job starts no Python.

    Args:
        name: Name of the step.
        script_uri: URI of `main.sh`.
        output_uri: Where the files of /opt/ml/processing/output are uploaded.
        **more: Further members of the step.
    """
    code = {"S3Uri": script_uri, "LocalPath": "/opt/ml/processing/input/code"}
    output = {"S3Uri": output_uri, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    arguments = {
        "AppSpecification": {
            "ImageUri": SCIKIT_LEARN,
            "ContainerEntrypoint": ["sh", "/opt/ml/processing/input/code/main.sh"],
        },
        "ProcessingInputs": [
            {"InputName": "code", "S3Input": {**code, "S3DataType": "S3Prefix", "S3InputMode": "File"}}
        ],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": output}]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "RoleArn": ROLE,
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


def condition(name: str, holds: Any, if_steps: list[Record], else_steps: list[Record], **more: Any) -> Record:
    test = holds if isinstance(holds, dict) else {"Type": "Equals", "LeftValue": holds, "RightValue": True}
    arguments = {"Conditions": [test], "IfSteps": if_steps, "ElseSteps": else_steps}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **more}


def fail(name: str, message: Any = None, **more: Any) -> Record:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message} if message else {}, **more}


def output_of(step: str) -> Record:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"}


def write(name: str, content: str) -> str:
    return f"open('/opt/ml/processing/output/out/{name}', 'w').write({content!r})"


def statuses(steps: dict[str, Record]) -> dict[str, str]:
    return {name: step["StepStatus"] for name, step in steps.items()}


def run(machine: Machine, steps: list[Record], given: Any = None, **more: Any) -> tuple[Record, dict[str, Record]]:
    execution = machine.run_pipeline(steps, given, **more)
    return execution, machine.steps(execution["PipelineExecutionArn"])


def until(condition: Any) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
