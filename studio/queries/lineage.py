"""What a model package was made from: training job, data, code, and reports that were written on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from project.errors import is_not_found
from project.s3_uris import is_s3_uri
from project.target import Target
from studio.queries import s3
from studio.queries.models import ModelPackage
from studio.target import call_each

# SageMaker writes model artifacts below the name of the training job
_ARTIFACTS = re.compile(r"/(?P<job>[A-Za-z0-9][A-Za-z0-9-]{0,62})/output/model(?:\.tar\.gz|/?)$")


@dataclass(frozen=True)
class TrainingJob:
    """The training job that has written the model artifacts of a model package.

    Attributes:
        inputs: Names and S3 URIs of its channels.
        code: S3 URI of the training code; empty if it is part of the image.
    """

    name: str
    arn: str
    status: str
    image: str
    instance: str
    seconds: float | None
    inputs: tuple[tuple[str, str], ...]
    code: str
    hyperparameters: tuple[tuple[str, str], ...]


def training_job(target: Target, package: ModelPackage) -> TrainingJob | None:
    """Return the training job of a model package; None if none of this account is known."""
    for container in package.containers:
        if found := _ARTIFACTS.search(container.model_uri):
            try:
                response = target.sagemaker.describe_training_job(TrainingJobName=found["job"])
            except ClientError as error:
                if is_not_found(error):
                    continue
                raise
            return _training_job(response)
    return None


def find_reports(target: Target, package: ModelPackage) -> list[str]:
    """Return the S3 URIs of HTML reports beside the files that a model package names, the evaluation's first."""
    folders = list(dict.fromkeys(_folders(package)))
    found = [uri for uris in call_each(lambda folder: s3.find_reports(target, folder), folders) for uri in uris]
    return list(dict.fromkeys(found))


def _training_job(response: dict[str, Any]) -> TrainingJob:
    hyperparameters = dict(response.get("HyperParameters") or {})
    # the SDK writes JSON values
    code = hyperparameters.get("sagemaker_submit_directory", "").strip('"')
    inputs = [
        (channel["ChannelName"], (channel.get("DataSource", {}).get("S3DataSource") or {}).get("S3Uri", ""))
        for channel in response.get("InputDataConfig") or ()
    ]
    resources = response.get("ResourceConfig") or {}
    return TrainingJob(
        name=response["TrainingJobName"],
        arn=response["TrainingJobArn"],
        status=response["TrainingJobStatus"],
        image=response["AlgorithmSpecification"].get("TrainingImage", ""),
        instance=f"{resources.get('InstanceCount', 1)} × {resources['InstanceType']}"  # noqa: RUF001
        if "InstanceType" in resources
        else "",
        seconds=response.get("TrainingTimeInSeconds"),
        inputs=tuple((name, uri) for name, uri in inputs if uri and name != "code"),
        code=code or next((uri for name, uri in inputs if name == "code"), ""),
        hyperparameters=tuple(
            sorted((name, value) for name, value in hyperparameters.items() if not name.startswith("sagemaker_"))
        ),
    )


def _folders(package: ModelPackage) -> Iterator[str]:
    summary = package.metadata.get("evaluation_summary_uri", "")
    if is_s3_uri(summary):
        # the job's outputs are beside each other
        yield summary.rpartition("/")[0].rpartition("/")[0]
    for files in package.files:
        for _, uri in files.metrics:
            yield uri.rpartition("/")[0]
