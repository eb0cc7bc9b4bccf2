"""The target of the commands: an AWS account or the local SageMaker, with the same API calls."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from project.errors import UserError
from project.s3_uris import is_s3_uri

# AWS throttles Describe calls of many clients in one account; adaptive mode backs off. The timeouts keep calls from
# hanging.
CLIENT_CONFIG = Config(retries={"mode": "adaptive", "max_attempts": 8}, connect_timeout=10, read_timeout=60)


@dataclass(frozen=True)
class Target:
    """The roles, the bucket and the region of a project, with clients of the services.

    Attributes:
        role_arn: Execution role of the pipelines.
        job_role_arn: Execution role of the jobs; by default `role_arn`.
        endpoint_role_arn: Execution role of the endpoints; by default `role_arn`.
        s3_folder: Folder of this machine that has the buckets as folders, if the target is local.
        studio: Address that leads to Studio, if the target is local.
        client_config: Timeouts and retries of the clients.
    """

    role_arn: str
    bucket: str
    region: str
    job_role_arn: str | None = None
    endpoint_role_arn: str | None = None
    s3_folder: Path | None = None
    studio: str | None = None
    client_config: Config = CLIENT_CONFIG

    def location(self, uri: str) -> str:
        """Return where people find the content of an S3 URI.

        Returns:
            The path if the content is on this machine, relative to the working folder if it is below; else the URI.
        """
        path = self.local_path(uri)
        return uri if path is None else readable_path(path)

    def local_path(self, uri: str) -> Path | None:
        """Return the path of the object or prefix of an S3 URI if it is on this machine, or None."""
        if self.s3_folder is None or not is_s3_uri(uri):
            return None
        path = self.s3_folder / uri.removeprefix("s3://")
        return path if path.exists() else None

    @cached_property
    def sagemaker(self) -> Any:
        return self._client("sagemaker")

    @cached_property
    def s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def logs(self) -> Any:
        return self._client("logs")

    @cached_property
    def cloudwatch(self) -> Any:
        return self._client("cloudwatch")

    @cached_property
    def autoscaling(self) -> Any:
        return self._client("application-autoscaling")

    @cached_property
    def scheduler(self) -> Any:
        return self._client("scheduler")

    @cached_property
    def events(self) -> Any:
        return self._client("events")

    @cached_property
    def sns(self) -> Any:
        return self._client("sns")

    @cached_property
    def feature_store(self) -> Any:
        return self._client("sagemaker-featurestore-runtime")

    def _client(self, service: str) -> Any:
        return boto3.client(service, region_name=self.region, config=self.client_config)


def readable_path(path: Path) -> str:
    """Return a path as text, relative to the working folder if it is below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def local_target() -> Target:
    """Return the local SageMaker as the target; its server is started if it is not running.

    Raises:
        UserError: The server cannot be started.
    """
    import local_sagemaker
    from local_sagemaker import account
    from local_sagemaker.data_dir import DataDir, default_data_dir

    try:
        os.environ.update(local_sagemaker.connect())
    except local_sagemaker.LocalSageMakerError as error:
        raise UserError(str(error)) from error
    return Target(
        account.ROLE_ARN,
        account.DEFAULT_BUCKET,
        account.REGION,
        s3_folder=DataDir(default_data_dir()).objects,
        studio=f"{os.environ['AWS_ENDPOINT_URL']}/",
    )


def remembered_settings() -> Path:
    """Return the path, in the local SageMaker's data directory, of the name of the last settings file used with it."""
    from local_sagemaker.data_dir import DataDir, default_data_dir

    return DataDir(default_data_dir()).last_settings


def configured_region(region: str | None) -> str:
    """Return the region, by default that of the AWS configuration.

    Raises:
        UserError: No region is configured.
    """
    region = region or boto3.Session().region_name
    if not region:
        raise UserError("no AWS region is configured; give --region or set AWS_REGION, or use --local")
    return region


def account_target(region: str | None) -> Target:
    """Return the account of the AWS credentials as a target to look at: without roles and bucket for new pipelines.

    Args:
        region: By default the region of the AWS configuration.

    Raises:
        UserError: The region is missing.
    """
    return Target(role_arn="", bucket="", region=configured_region(region))


def aws_target(
    role_arn: str | None,
    bucket: str | None,
    region: str | None,
    job_role_arn: str | None = None,
    endpoint_role_arn: str | None = None,
) -> Target:
    """Return the account of the AWS credentials as the target.

    Args:
        role_arn: Execution role of the pipelines.
        bucket: By default SageMaker's default bucket, `sagemaker-REGION-ACCOUNT`.
        region: By default the region of the AWS configuration.
        job_role_arn: Execution role of the jobs; by default `role_arn`.
        endpoint_role_arn: Execution role of the endpoints; by default `role_arn`.

    Raises:
        UserError: The role or the region is missing.
    """
    region = configured_region(region)
    if not role_arn:
        raise UserError(
            "no execution role is configured; give --role-arn or set SAGEMAKER_PIPELINE_ROLE_ARN, or use --local"
        )
    if not bucket:
        account_id = boto3.client("sts", region_name=region, config=CLIENT_CONFIG).get_caller_identity()["Account"]
        bucket = f"sagemaker-{region}-{account_id}"
    return Target(role_arn, bucket, region, job_role_arn, endpoint_role_arn)
