"""Validation of a CreateTransformJob request, and the options that it leaves to the service's defaults."""

from __future__ import annotations

from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.inference_pipeline import containers_of
from local_sagemaker.jobs.job import job_record
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.record_kinds import TRANSFORM_JOB
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri

TRANSFORM = TRANSFORM_JOB.kind

# limit of MaxPayloadInMB * MaxConcurrentTransforms
MAX_TOTAL_MEGABYTES = 100
# the service's default of MaxPayloadInMB
DEFAULT_PAYLOAD = 6


def new_transform_record(request: Record, images: Images, now: float) -> Record:
    """Return the record of a new transform job.

    Args:
        request: The Create request, with the model's `Container` added.
        images: The images that can run here.
        now: The CreationTime.

    Raises:
        ServiceError: The request is invalid or not supported on this machine.
    """
    if reason := _unsupported(request):
        raise ServiceError("ValidationException", reason)
    source = request["TransformInput"]["DataSource"]["S3DataSource"]
    try:
        for container in containers_of(request["Container"]):
            images.find(container.get("Image", ""), "model")
        for uri in (source["S3Uri"], request["TransformOutput"]["S3OutputPath"]):
            split_uri(uri)
    except (UnsupportedImage, ClientFault) as error:
        raise ServiceError("ValidationException", str(error)) from error
    return job_record(TRANSFORM, request, now)


def max_payload(request: Record) -> int:
    """Return MaxPayloadInMB."""
    return request.get("MaxPayloadInMB", DEFAULT_PAYLOAD)


def max_concurrent(request: Record) -> int:
    """Return MaxConcurrentTransforms; 0 lets the service choose, which here is 1."""
    return request.get("MaxConcurrentTransforms") or 1


def _unsupported(request: Record) -> str | None:
    payload, concurrent = max_payload(request), max_concurrent(request)
    if payload == 0:
        return "MaxPayloadInMB 0 (unlimited payloads) is not supported on this machine; use 1 to 100"
    if payload * concurrent > MAX_TOTAL_MEGABYTES:
        return (
            f"MaxPayloadInMB ({payload}) * MaxConcurrentTransforms ({concurrent}) must not exceed "
            f"{MAX_TOTAL_MEGABYTES} MB"
        )
    return None
