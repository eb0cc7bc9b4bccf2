"""Pipelines of a step or two, which take no time."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from typing import Any

from project.target import Target

Item = dict[str, Any]


def started(target: Target, name: str, steps: Sequence[Item], parameters: Sequence[Item] = (), **request: Any) -> str:
    """Create a pipeline, start it, and return the ARN of the execution."""
    definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [*parameters], "Steps": [*steps]}
    target.sagemaker.create_pipeline(
        PipelineName=name,
        PipelineDefinition=json.dumps(definition),
        RoleArn=target.role_arn,
        ClientRequestToken=str(uuid.uuid4()),
    )
    response = target.sagemaker.start_pipeline_execution(
        PipelineName=name, ClientRequestToken=str(uuid.uuid4()), **request
    )
    return str(response["PipelineExecutionArn"])


def ended(target: Target, arn: str) -> Item:
    """Wait until an execution has ended, and return its description."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        description: Item = target.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if description["PipelineExecutionStatus"] not in ("Executing", "Stopping"):
            return description
        time.sleep(0.05)
    raise AssertionError(f"{arn} has not ended in 30 s")
