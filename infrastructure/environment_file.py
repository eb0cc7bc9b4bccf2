"""The file `.env`: environment variables of the other commands, with the roles and the bucket of a stage."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

# outputs of storage-and-roles.yaml by environment variable
VARIABLES = {
    "SAGEMAKER_PIPELINE_ROLE_ARN": "PipelineRoleArn",
    "SAGEMAKER_JOB_ROLE_ARN": "JobRoleArn",
    "SAGEMAKER_ENDPOINT_ROLE_ARN": "EndpointRoleArn",
    "SAGEMAKER_SCHEDULER_ROLE_ARN": "SchedulerRoleArn",
    "SAGEMAKER_PIPELINE_BUCKET": "BucketName",
}


def write_environment(path: Path, region: str, outputs: Mapping[str, str]) -> None:
    """Set the variables in a file of `export NAME=value` lines; other lines are kept."""
    values = {"AWS_REGION": region, **{name: outputs[output] for name, output in VARIABLES.items()}}
    kept = [
        line
        for line in (path.read_text(encoding="utf-8").splitlines() if path.exists() else [])
        if line.removeprefix("export ").split("=", 1)[0].strip() not in values
    ]
    lines = [*kept, *(f"export {name}={shlex.quote(value)}" for name, value in values.items())]
    temporary_path = path.with_name(f"{path.name}.new")
    temporary_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary_path.replace(path)
