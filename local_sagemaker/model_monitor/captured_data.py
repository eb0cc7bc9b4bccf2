"""Where the captures of a window lie in S3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from local_sagemaker.model_monitor.monitoring_job import MODEL_QUALITY, Call, MonitoringJob
from local_sagemaker.model_monitor.schedule_times import Window
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.objects import BadName, NoSuchBucket, ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri


@dataclass(frozen=True)
class Captured:
    """One source of a dataset.

    uri: a prefix, or a manifest where `data_type` is ManifestFile. folder: where it belongs below the dataset's own.
    """

    uri: str
    folder: str
    data_type: str = "S3Prefix"


def find_captures(job: MonitoringJob, window: Window, call: Call, objects: ObjectStore) -> list[Captured]:
    """What was captured in the hours of the window. `call`: SageMaker's operations.

    Raises ServiceError where there is no such endpoint, or it captures nothing.
    """
    if job.endpoint_name is None:
        # manifests: of what the model got, or for its quality of what it answered
        side = "output" if job.type == MODEL_QUALITY else "input"
        captured = job.input["DataCapturedDestinationS3Uri"].rstrip("/")
        return list(_manifests(objects, f"{captured}/{side}", window.hours))
    endpoint = call("DescribeEndpoint", {"EndpointName": job.endpoint_name})
    name = endpoint["EndpointName"]
    destination = f"{_destination(endpoint, call)}/{name}"
    variants = [key.rstrip("/").rpartition("/")[2] for key in _keys(objects, f"{destination}/", delimiter="/")]
    folders = [f"{variant}/{hour}" for variant in variants for hour in window.hours]
    return [Captured(one.uri, f"{name}/{one.folder}") for one in filled(objects, destination, folders)]


def filled(objects: ObjectStore, root: str, folders: Sequence[str]) -> list[Captured]:
    """Those of the folders below an S3 URI in which there is an object."""
    uris = {folder: f"{root.rstrip('/')}/{folder}" for folder in folders}
    return [Captured(uri, folder) for folder, uri in uris.items() if any(_keys(objects, f"{uri}/"))]


def _destination(endpoint: Record, call: Call) -> str:
    config_name = endpoint["EndpointConfigName"]
    config = call("DescribeEndpointConfig", {"EndpointConfigName": config_name})
    capture = config.get("DataCaptureConfig")
    if capture is None or not capture.get("EnableCapture", True):
        raise ServiceError(
            "ValidationException",
            f"Endpoint {endpoint['EndpointName']} captures nothing: the DataCaptureConfig of its endpoint config "
            f"{config_name} is not enabled.",
        )
    return str(capture["DestinationS3Uri"]).rstrip("/")


def _manifests(objects: ObjectStore, root: str, hours: Sequence[str]) -> Iterator[Captured]:
    bucket = split_uri(root)[0]
    for hour in hours:
        for number, key in enumerate(_keys(objects, f"{root}/{hour}/"), start=1):
            yield Captured(f"s3://{bucket}/{key}", f"{hour}/{number}", "ManifestFile")


def _keys(objects: ObjectStore, prefix: str, delimiter: str = "") -> Iterator[str]:
    """Keys that begin with an S3 URI; up to the next delimiter, where there is one."""
    try:
        bucket, key = split_uri(prefix)
        yield from objects.entries(bucket, key, delimiter, "")
    except (NoSuchBucket, BadName):
        return
    except ClientFault as fault:
        raise ServiceError("ValidationException", str(fault)) from fault
