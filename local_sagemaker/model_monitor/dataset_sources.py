"""Finds the captured data of a time window in S3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from local_sagemaker.model_monitor.monitoring_job import MonitoringJob
from local_sagemaker.model_monitor.schedule_times import Window
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.storage.objects import BadName, NoSuchBucket, ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri


@dataclass(frozen=True)
class DatasetSource:
    """A part of the dataset of a processing job.

    Attributes:
        uri: An S3 prefix, or a manifest if `data_type` is ManifestFile.
        folder: Where the container finds it, relative to the dataset's folder.
        data_type: The S3DataType.
    """

    uri: str
    folder: str
    data_type: str = "S3Prefix"


def find_captures(job: MonitoringJob, window: Window, call: Call, objects: ObjectStore) -> list[DatasetSource]:
    """Return the captured data of the hours that a window overlaps.

    Args:
        job: The monitoring job.
        window: The window.
        call: Calls an operation of SageMaker.
        objects: The buckets.

    Raises:
        ServiceError: The endpoint does not exist or has data capture disabled.
    """
    if job.endpoint_name is None:
        # batch transforms capture manifests of their inputs and outputs
        destination = job.input["DataCapturedDestinationS3Uri"].rstrip("/")
        return list(_manifests(objects, f"{destination}/{job.type.batch_capture}", window.hours))
    endpoint = call("DescribeEndpoint", {"EndpointName": job.endpoint_name})
    name = endpoint["EndpointName"]
    destination = f"{_destination(endpoint, call)}/{name}"
    variants = [key.rstrip("/").rpartition("/")[2] for key in _keys(objects, f"{destination}/", delimiter="/")]
    folders = [f"{variant}/{hour}" for variant in variants for hour in window.hours]
    sources = non_empty_sources(objects, destination, folders)
    return [DatasetSource(source.uri, f"{name}/{source.folder}") for source in sources]


def non_empty_sources(objects: ObjectStore, root: str, folders: Sequence[str]) -> list[DatasetSource]:
    """Return the folders below an S3 URI that contain at least one object."""
    uris = {folder: f"{root.rstrip('/')}/{folder}" for folder in folders}
    return [DatasetSource(uri, folder) for folder, uri in uris.items() if any(_keys(objects, f"{uri}/"))]


def _destination(endpoint: Record, call: Call) -> str:
    config_name = endpoint["EndpointConfigName"]
    config = call("DescribeEndpointConfig", {"EndpointConfigName": config_name})
    capture = config.get("DataCaptureConfig")
    if capture is None or not capture.get("EnableCapture", True):
        raise ServiceError(
            "ValidationException",
            f"Data capture is disabled for endpoint {endpoint['EndpointName']}; enable it in the DataCaptureConfig of "
            f"its endpoint config {config_name}.",
        )
    return str(capture["DestinationS3Uri"]).rstrip("/")


def _manifests(objects: ObjectStore, root: str, hours: Sequence[str]) -> Iterator[DatasetSource]:
    bucket = split_uri(root)[0]
    for hour in hours:
        for number, key in enumerate(_keys(objects, f"{root}/{hour}/"), start=1):
            yield DatasetSource(f"s3://{bucket}/{key}", f"{hour}/{number}", "ManifestFile")


def _keys(objects: ObjectStore, prefix: str, delimiter: str = "") -> Iterator[str]:
    """Yield the keys that begin with an S3 URI, cut after the next delimiter if one is given."""
    try:
        bucket, key = split_uri(prefix)
        yield from objects.entries(bucket, key, delimiter, "")
    except (NoSuchBucket, BadName):
        return
    except ClientFault as fault:
        raise ServiceError("ValidationException", str(fault)) from fault
