"""Predictions for a whole file or S3 prefix: a batch transform job with data capture, without an endpoint."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deployment import resources
from deployment.deploy import DeploymentFailed
from deployment.plan import model_request, name_stem, resource_tags
from deployment.records import Records, read_records, training_records
from project.errors import UserError
from project.logs import last_lines
from project.registry import ModelPackage
from project.s3_uris import is_s3_uri, split_s3_uri
from project.settings import Settings
from project.target import Target

JSON_LINES, CSV = "application/jsonlines", "text/csv"
# A CSV file is sent whole, because only its first line holds the header. JSON lines can be split at any line.
_SPLITTING: dict[str, dict[str, dict[str, Any]]] = {
    CSV: {"transform": {"MaxPayloadInMB": 100, "MaxConcurrentTransforms": 1}, "input": {"SplitType": "None"}},
    JSON_LINES: {"transform": {"BatchStrategy": "MultiRecord"}, "input": {"SplitType": "Line"}},
}
# the service's default of MaxPayloadInMB, the size of a request for which the container counts rows
_REQUEST_BYTES = 6 << 20
# the service's limit for OutputFilter
_MAX_FILTER = 63
_REFUSED = re.compile(r"(\[sagemaker logs\]: (?P<object>.+): )Message:")
_CONTENT_TYPES = {".csv": CSV, ".jsonl": JSON_LINES, ".jsonlines": JSON_LINES}


@dataclass(frozen=True)
class BatchInput:
    """The input of a transform job.

    Attributes:
        uri: Its S3 URI.
        content_type: CSV or JSON_LINES.
        size: The size of an uploaded file in bytes; 0 if it was in S3 already.
        ids: The columns that are not features; the output has them beside the predictions.
    """

    uri: str
    content_type: str
    size: int = 0
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchResult:
    """A completed transform job."""

    job: str
    input_uri: str
    # one S3 URI for each input file, with a JSON line for each record in the order of the input: the prediction, or
    # IDs and the prediction as SageMakerOutput
    outputs: tuple[str, ...]
    capture_uri: str


def run_batch(
    settings: Settings,
    target: Target,
    endpoint: str,
    package: ModelPackage,
    location: str,
    timeout: float,
    report: Callable[[str], None],
) -> BatchResult:
    """Run a batch transform job, wait for it and delete its model.

    Args:
        settings: The project's settings.
        target: Where the job runs.
        endpoint: The first part of the names of job and model.
        package: The model package to predict with.
        location: A local file, which is uploaded, or an S3 URI: CSV with a header, or JSON lines.
        timeout: Longest wait for the job in seconds.
        report: Called with a line for each event.

    Raises:
        UserError: The input is not usable, or the job takes longer than `timeout`.
        DeploymentFailed: The job has failed.
    """
    data = _upload_input(settings, target, package, location)
    # the container is sent the IDs, too, which only the job's output needs
    environment = {"UNKNOWN_FEATURES": "ignore"} if data.ids else {}
    model = model_request(settings, target, f"{endpoint}-batch", package, environment)
    name = f"{name_stem(endpoint)}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    request = transform_request(settings, target, name, model["ModelName"], data)
    resources.create_if_missing(target.sagemaker.create_model, model)
    target.sagemaker.create_transform_job(**request, Tags=resource_tags(settings, f"{endpoint}-batch"))
    report(f"Transform job {name}")
    job = _wait_for_job(target, name, timeout)
    resources.delete_resources(target, [resources.Resource("model", model["ModelName"])])
    if job["TransformJobStatus"] != "Completed":
        lines = last_lines(target, "/aws/sagemaker/TransformJobs", f"{name}/", 100)
        reason = job.get("FailureReason", "SageMaker gave no reason")
        if reason.startswith("ClientError") and (refusal := _find_refusal(lines)):
            place = location if data.size else f"s3://{refusal[0]}"
            is_one_request = data.content_type == CSV or 0 < data.size <= _REQUEST_BYTES
            counted = "" if is_one_request else " (rows are counted in requests of at most 6 MB)"
            raise DeploymentFailed(f"{place}: {refusal[1]}{counted}; correct it and run the same command again", ())
        raise DeploymentFailed(f"transform job {name} is {job['TransformJobStatus']}: {reason}", lines[-20:])
    output_uri = request["TransformOutput"]["S3OutputPath"]
    return BatchResult(
        name, data.uri, tuple(_list_objects(target, output_uri)), request["DataCaptureConfig"]["DestinationS3Uri"]
    )


def transform_request(settings: Settings, target: Target, name: str, model: str, data: BatchInput) -> dict[str, Any]:
    """Build the CreateTransformJob request; each job has an output prefix of its own."""
    kms_key = settings.security.kms_key
    root = f"{settings.uri(target.bucket)}/batch/{name}"
    splitting = _SPLITTING[data.content_type]
    return {
        "TransformJobName": name,
        "ModelName": model,
        **splitting["transform"],
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data.uri}},
            "ContentType": data.content_type,
            **splitting["input"],
        },
        "TransformOutput": {
            "S3OutputPath": f"{root}/output",
            "Accept": JSON_LINES,
            "AssembleWith": "Line",
            **({"KmsKeyId": kms_key} if kms_key else {}),
        },
        "TransformResources": {
            "InstanceType": settings.deployment.instance_type,
            "InstanceCount": 1,
            **({"VolumeKmsKeyId": kms_key} if kms_key else {}),
        },
        **({"DataProcessing": _joined(data.ids)} if data.ids else {}),
        "DataCaptureConfig": {
            # one prefix for all jobs, because a monitoring schedule reads one prefix
            "DestinationS3Uri": f"{settings.uri(target.bucket)}/batch-captures",
            "GenerateInferenceId": True,
            **({"KmsKeyId": kms_key} if kms_key else {}),
        },
    }


def _find_refusal(lines: Sequence[str]) -> tuple[str, str] | None:
    """Return the object, as bucket and key, and the message of the first request that the container has refused."""
    for line, message in itertools.pairwise(lines):
        if (found := _REFUSED.fullmatch(line)) and message.startswith(found[1]):
            return found["object"], message.removeprefix(found[1])
    return None


def _joined(ids: Sequence[str]) -> dict[str, str]:
    """Return the DataProcessing that puts IDs beside the predictions."""
    names = ",".join(f"'{name}'" for name in (*ids, "SageMakerOutput"))
    only_ids = f"$[{names}]"
    # a name cannot be escaped, and the filter has a limit; without it, the output has the features, too
    fits = len(only_ids) <= _MAX_FILTER and not any("'" in name or "\\" in name for name in ids)
    return {"JoinSource": "Input", **({"OutputFilter": only_ids} if fits else {})}


def _upload_input(settings: Settings, target: Target, package: ModelPackage, location: str) -> BatchInput:
    """Upload a local file, and describe the input of the job."""
    if is_s3_uri(location):
        try:
            first = next(_list_objects(target, location), "")
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise UserError(f"cannot list {location}: {code}; check the bucket's name and your permissions") from None
        if not first:
            raise UserError(f"no objects found at {location}; upload the data or give another --input")
        return BatchInput(location, _content_type(first))
    path = Path(location)
    ids: tuple[str, ...] = ()
    if _content_type(location) == CSV:
        # features by name, so that their order does not matter
        records = read_records(settings, target, location)
        ids = tuple(records.ids)
        if ids:
            _check_features(records, _trained_features(settings, target, package), location)
        columns = records.ids | {name: [row[name] for row in records.rows] for name in records.features}
        lines = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    else:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; give an existing file with --input") from None
    digest = hashlib.sha256(content).hexdigest()[:16]
    uri = f"{settings.uri(target.bucket)}/input/{digest}/{path.stem}.jsonl"
    bucket, key = split_s3_uri(uri)
    target.s3.put_object(Bucket=bucket, Key=key, Body=content, **settings.security.object_encryption)
    return BatchInput(uri, JSON_LINES, len(content), ids)


def _trained_features(settings: Settings, target: Target, package: ModelPackage) -> list[str]:
    """Return the features of a model; none if the execution that trained it is not known any more."""
    try:
        return training_records(settings, target, package).features
    except UserError:
        return []


def _check_features(records: Records, trained: Sequence[str], location: str) -> None:
    """Raise UserError for a column that is neither an ID nor a feature, which the container would ignore."""
    unknown = [name for name in records.features if trained and name not in trained]
    if unknown:
        raise UserError(
            f"{location}: column {unknown[0]!r} is not a feature of the model ({', '.join(trained)}); rename or remove "
            "it, or add it to data.drop_columns"
        )


def _content_type(name: str) -> str:
    suffix = Path(name).suffix.lower()
    if suffix not in _CONTENT_TYPES:
        raise UserError(
            f"--input is {name}; expected CSV or JSON lines with one of the suffixes {', '.join(_CONTENT_TYPES)}"
        )
    return _CONTENT_TYPES[suffix]


def _list_objects(target: Target, uri: str) -> Iterator[str]:
    bucket, prefix = split_s3_uri(uri)
    for page in target.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if not item["Key"].endswith("/"):
                yield f"s3://{bucket}/{item['Key']}"


def _wait_for_job(target: Target, name: str, timeout: float) -> dict[str, Any]:
    start = time.monotonic()
    while True:
        job: dict[str, Any] = target.sagemaker.describe_transform_job(TransformJobName=name)
        if job["TransformJobStatus"] in ("Completed", "Failed", "Stopped"):
            return job
        waited = time.monotonic() - start
        if waited > timeout:
            raise UserError(
                f"transform job {name} is still {job['TransformJobStatus']} after {timeout:.0f} s; it keeps running"
            )
        time.sleep(min(10.0, 0.2 + waited / 20))
