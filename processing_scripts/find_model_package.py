"""Look for a model package with the artifact of this execution, so that a cached model is not registered twice.

Step caching gives an execution the model artifact of an earlier one, but SageMaker does not cache RegisterModel steps.
A package whose baselines are missing, because its execution failed after the registration, is of no use for monitoring:
it is not counted. Neither is one without the bias and attribution baselines that the settings have asked for since.
Output, under the output folder:
    package/model_package.json   version and ARN of the package; version 0 and an empty ARN if there is none

Exit status 0, also if the registry cannot be read: the reason is printed, and the model counts as not registered,
because a second version does less harm than a model that is missing.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from job_files import write_text

# In a VPC without an endpoint for the SageMaker API, calls get no answer.
CONFIG = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "max_attempts": 3})


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    # SageMaker sets AWS_REGION in its containers, which boto3 does not read.
    region = os.environ.get("AWS_REGION")
    try:
        package = find_package(
            boto3.client("sagemaker", region_name=region, config=CONFIG),
            boto3.client("s3", region_name=region, config=CONFIG),
            options.model_package_group,
            options.model_uri,
            options.config_files,
        )
    except (BotoCoreError, ClientError) as error:
        print(f"cannot look for {options.model_uri} in model package group {options.model_package_group!r}: {error}")
        package = None
    if package:
        print(f"{options.model_uri} is registered as {package['ModelPackageArn']}")
    else:
        print(f"{options.model_uri} is not registered in model package group {options.model_package_group!r}")
    content = {
        "version": package["ModelPackageVersion"] if package else 0,
        "arn": package["ModelPackageArn"] if package else "",
    }
    write_text(json.dumps(content, indent=2) + "\n", options.output_dir / "package" / "model_package.json")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--model-package-group", required=True, help="group to look in")
    add("--model-uri", required=True, help="S3 URI of the model artifact")
    add(
        "--config-files",
        nargs="*",
        default=[],
        metavar="URI",
        help="configurations of bias and explainability analyses to which the package must refer",
    )
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    return parser.parse_args(arguments)


def find_package(
    sagemaker: Any, s3: Any, group: str, model_uri: str, config_files: Collection[str] = ()
) -> dict[str, Any] | None:
    """Return the newest package of a group that has the artifact, as ListModelPackages describes it; or None.

    Args:
        sagemaker: Boto3 client.
        s3: Boto3 client.
        group: Name of the model package group.
        model_uri: S3 URI of the artifact.
        config_files: S3 URIs to which its DriftCheckBaselines must refer.

    Raises:
        ClientError: The artifact or the group cannot be read, or the group does not exist.
    """
    bucket, key = model_uri.removeprefix("s3://").split("/", 1)
    # Older packages cannot have the artifact. Just after the training, these are all.
    trained = s3.head_object(Bucket=bucket, Key=key)["LastModified"]
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, CreationTimeAfter=trained, SortBy="CreationTime", SortOrder="Descending"
    )
    for page in pages:
        for package in page["ModelPackageSummaryList"]:
            described = sagemaker.describe_model_package(ModelPackageName=package["ModelPackageArn"])
            containers = described.get("InferenceSpecification", {}).get("Containers", [])
            has_model = any(container.get("ModelDataUrl") == model_uri for container in containers)
            is_configured = {*config_files} <= {*uris_in(described.get("DriftCheckBaselines"))}
            if has_model and is_configured and has_all_files(s3, described):
                return dict(package)
    return None


def has_all_files(s3: Any, described: Mapping[str, Any]) -> bool:
    """Return whether the metrics and baselines of a package, as DescribeModelPackage returns it, can be read."""
    for uri in uris_in([described.get("ModelMetrics"), described.get("DriftCheckBaselines")]):
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            print(f"{described['ModelPackageArn']} is incomplete: cannot read {uri}: {error}")
            return False
    return True


def uris_in(content: Any) -> Iterator[str]:
    """Yield each S3Uri in nested objects and lists."""
    if isinstance(content, list):
        for item in content:
            yield from uris_in(item)
    elif isinstance(content, dict):
        for name, value in content.items():
            if name == "S3Uri":
                yield value
            else:
                yield from uris_in(value)


if __name__ == "__main__":
    main()
