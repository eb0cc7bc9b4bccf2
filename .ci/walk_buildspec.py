"""Run the commands of buildspec.yml as CodeBuild does, in a clean environment, against the local SageMaker.

The build phase runs twice: for a pull request, which must not upsert the pipeline, and for a push, whose execution must
succeed.
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

# package indexes and certificates depend on the machine, not on the project
INHERITED = ("PIP_", "UV_", "SSL_", "REQUESTS_CA_BUNDLE")
ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"


def main() -> None:
    buildspec = yaml.safe_load((REPOSITORY / "buildspec.yml").read_text(encoding="utf-8"))
    clean = {name: value for name, value in os.environ.items() if name.startswith(INHERITED)}
    clean |= {"HOME": os.environ["HOME"], "PATH": "/usr/local/bin:/usr/bin:/bin", **buildspec["env"]["variables"]}
    for phase in ("install", "pre_build"):
        run_phase(buildspec, phase, clean)
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "local-sagemaker"
        aws = connect(data_dir)
        try:
            environment = clean | aws | {"SAGEMAKER_PIPELINE_ROLE_ARN": ROLE}
            run_phase(buildspec, "build", environment | {"CODEBUILD_WEBHOOK_EVENT": "PULL_REQUEST_UPDATED"})
            if pipelines(aws):
                sys.exit("the build of a pull request upserted a pipeline")
            run_phase(buildspec, "build", environment)
            status = json.loads((REPOSITORY / "execution.json").read_text())["PipelineExecutionStatus"]
            if status != "Succeeded" or not pipelines(aws):
                sys.exit(f"the execution of the build ended with status {status}")
        finally:
            stop_server(data_dir)
            (REPOSITORY / "execution.json").unlink(missing_ok=True)


def run_phase(buildspec: Mapping[str, Mapping], phase: str, environment: Mapping[str, str]) -> None:
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
