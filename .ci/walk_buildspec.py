"""Run buildspec.yml's commands as CodeBuild would, in an environment with nothing in it, against the local SageMaker.

The build phase is walked twice: as a pull request, which must upsert nothing, and as a push, which must end with an
execution that has succeeded.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import boto3
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from local_sagemaker import connect  # noqa: E402
from local_sagemaker.http.background import stop_server  # noqa: E402

# how this machine gets at packages and trusts hosts is no part of the project
MACHINE = ("PIP_", "UV_", "SSL_", "REQUESTS_CA_BUNDLE")
ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"


def main() -> None:
    buildspec = yaml.safe_load((REPOSITORY / "buildspec.yml").read_text(encoding="utf-8"))
    empty = {name: value for name, value in os.environ.items() if name.startswith(MACHINE)}
    empty |= {"HOME": os.environ["HOME"], "PATH": "/usr/local/bin:/usr/bin:/bin", **buildspec["env"]["variables"]}
    for phase in ("install", "pre_build"):
        walk(buildspec, phase, empty)
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "local-sagemaker"
        aws = connect(data_dir)
        try:
            environment = empty | aws | {"SAGEMAKER_PIPELINE_ROLE_ARN": ROLE}
            walk(buildspec, "build", environment | {"CODEBUILD_WEBHOOK_EVENT": "PULL_REQUEST_UPDATED"})
            if pipelines(aws):
                sys.exit("a pull request's build has upserted a pipeline")
            walk(buildspec, "build", environment)
            status = json.loads((REPOSITORY / "execution.json").read_text())["PipelineExecutionStatus"]
            if status != "Succeeded" or not pipelines(aws):
                sys.exit(f"the build's execution has ended as {status}")
        finally:
            stop_server(data_dir)
            (REPOSITORY / "execution.json").unlink(missing_ok=True)


def walk(buildspec: Mapping[str, Mapping], phase: str, environment: Mapping[str, str]) -> None:
    for command in buildspec["phases"][phase]["commands"]:
        print(f"\n[{phase}] {command}", flush=True)
        done = subprocess.run(["/bin/bash", "-c", command], cwd=REPOSITORY, env=environment, check=False)
        if done.returncode != 0:
            sys.exit(f"[{phase}] exit code {done.returncode}")


def pipelines(aws: Mapping[str, str]) -> list[dict]:
    session = boto3.Session("local", "local", region_name=aws["AWS_REGION"])
    client = session.client("sagemaker", endpoint_url=aws["AWS_ENDPOINT_URL"])
    return client.list_pipelines()["PipelineSummaries"]


if __name__ == "__main__":
    main()
