"""Look for the champion: the latest approved version of a model package group, which a new model must not fall behind.

Output, under the output folder:
    champion/champion.json   version and ARN of the version, and the S3 URI of its model archive; version 0 and empty
                             texts if there is none

Exit status 0, or 1 with the reason as the last line on stderr: an unreadable registry must not let a model pass.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from job_files import fail, write_text
from model_registry import latest_approved

# In a VPC without an endpoint for the SageMaker API, calls get no answer.
CONFIG = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "max_attempts": 5})


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    group = options.model_package_group
    try:
        # SageMaker sets AWS_REGION in its containers, which boto3 does not read.
        client = boto3.client("sagemaker", region_name=os.environ.get("AWS_REGION"), config=CONFIG)
        champion = find_champion(client, group)
    except (BotoCoreError, ClientError) as error:
        fail(
            f"cannot look for the champion in model package group {group!r}: {error}; the job's role needs "
            "sagemaker:ListModelPackages and sagemaker:DescribeModelPackage"
        )
    print(f"the champion is {champion['arn']}" if champion["version"] else f"{group!r} has no approved version yet")
    write_text(json.dumps(champion, indent=2) + "\n", options.output_dir / "champion" / "champion.json")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--model-package-group", required=True, help="group to look in")
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    return parser.parse_args(arguments)


def find_champion(sagemaker: Any, group: str) -> dict[str, Any]:
    """Return version, ARN and model archive of the latest approved version of a group, which need not exist.

    Raises:
        ClientError: The group cannot be read.
    """
    try:
        found = latest_approved(sagemaker, group)
    except ClientError as error:
        if not is_missing_group(error):
            raise
        found = None
    if found is None:
        return {"version": 0, "arn": "", "model_uri": ""}
    arn = found["ModelPackageArn"]
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    containers = described.get("InferenceSpecification", {}).get("Containers", [])
    uris = [container["ModelDataUrl"] for container in containers if container.get("ModelDataUrl")]
    # Evaluate refuses a version without an archive, with a message.
    return {"version": found["ModelPackageVersion"], "arn": arn, "model_uri": uris[0] if uris else ""}


def is_missing_group(error: ClientError) -> bool:
    """Return whether the group does not exist, which only the message of a validation error tells."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "").lower()
    return code == "ResourceNotFound" or (
        code == "ValidationException" and ("does not exist" in message or "could not find" in message)
    )


if __name__ == "__main__":
    main()
