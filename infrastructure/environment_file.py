"""`.env`: where the other commands find what a stage's stacks have made."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

# variables of the other commands, and the outputs of storage-and-roles.yaml that they get
VARIABLES = {
    "SAGEMAKER_PIPELINE_ROLE_ARN": "PipelineRoleArn",
    "SAGEMAKER_JOB_ROLE_ARN": "JobRoleArn",
    "SAGEMAKER_ENDPOINT_ROLE_ARN": "EndpointRoleArn",
    "SAGEMAKER_SCHEDULER_ROLE_ARN": "SchedulerRoleArn",
    "SAGEMAKER_PIPELINE_BUCKET": "BucketName",
}


def write_environment(path: Path, region: str, outputs: Mapping[str, str]) -> None:
    """Set our variables in a file of `export NAME=value` lines, and leave its other lines as they are."""
    values = {"AWS_REGION": region, **{name: outputs[output] for name, output in VARIABLES.items()}}
    kept = [
        line
        for line in (path.read_text(encoding="utf-8").splitlines() if path.exists() else [])
        if line.removeprefix("export ").split("=", 1)[0].strip() not in values
    ]
    lines = [*kept, *(f"export {name}={shlex.quote(value)}" for name, value in values.items())]
    aside = path.with_name(f"{path.name}.new")
    aside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    aside.replace(path)
