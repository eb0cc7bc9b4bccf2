"""The lineage of a model package: training job, data, code and reports."""

from __future__ import annotations

import re
from collections.abc import Iterator

from botocore.exceptions import ClientError

from project.errors import is_not_found
from project.s3_uris import is_s3_uri
from project.target import Target
from studio.queries import s3
from studio.queries.jobs import Job, describe_job
from studio.queries.models import ModelPackage
from studio.target import call_each

# SageMaker writes model artifacts below the name of the training job
_ARTIFACTS = re.compile(r"/(?P<job>[A-Za-z0-9][A-Za-z0-9-]{0,62})/output/model(?:\.tar\.gz|/?)$")


def training_job(target: Target, package: ModelPackage) -> Job | None:
    """Return the training job of a model package; None if none of this account is known."""
    for _, container in package.containers:
        if found := _ARTIFACTS.search(container.model_uri):
            try:
                return describe_job(target, "training-job", found["job"])
            except ClientError as error:
                if is_not_found(error):
                    continue
                raise
    return None


def training_code(job: Job) -> str:
    """Return the S3 URI of the code of a training job; empty if it is part of the image."""
    channel = next((item.value for item in job.inputs if item.name == "code"), "")
    # the SDK writes JSON values
    return job.hyperparameters.get("sagemaker_submit_directory", "").strip('"') or channel


def find_reports(target: Target, package: ModelPackage) -> list[str]:
    """Return the S3 URIs of HTML reports beside the files that a model package names, the evaluation's first."""
    folders = list(dict.fromkeys(_folders(package)))
    found = [uri for uris in call_each(lambda folder: s3.find_reports(target, folder), folders) for uri in uris]
    return list(dict.fromkeys(found))


def _folders(package: ModelPackage) -> Iterator[str]:
    summary = package.metadata.get("evaluation_summary_uri", "")
    if is_s3_uri(summary):
        # the job's outputs are beside each other
        yield summary.rpartition("/")[0].rpartition("/")[0]
    for files in package.files:
        for _, uri in files.metrics:
            yield uri.rpartition("/")[0]
