"""Models: what endpoints and transform jobs run.

A record (name in lower case, as in the ARN) is DescribeModel's answer.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.common import Record, listed
from local_sagemaker.services.sagemaker.tags import put_tags
from local_sagemaker.storage.objects import BadName, NoSuchBucket
from local_sagemaker.storage.transfers import ClientFault, split_uri

if TYPE_CHECKING:
    from local_sagemaker.services.sagemaker.service import SageMakerService


def create_model(sagemaker: "SageMakerService", request: Record) -> Record:
    if ("PrimaryContainer" in request) == ("Containers" in request):
        raise ServiceError("ValidationException", "Give either PrimaryContainer or Containers, and not both.")
    for container in request.get("Containers", [request.get("PrimaryContainer")]):
        _check_container(sagemaker, container)
    arn = sagemaker.arn("model", request["ModelName"])
    record = {
        **{member: value for member, value in request.items() if member != "Tags"},
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
        "ModelArn": arn,
        "CreationTime": time.time(),
    }
    if not sagemaker.store.create("model", request["ModelName"].lower(), record):
        raise ServiceError("ValidationException", f'Cannot create already existing model "{arn}".')
    put_tags(sagemaker, arn, request.get("Tags", []))
    return {"ModelArn": arn}


def describe_model(sagemaker: "SageMakerService", request: Record) -> Record:
    return _model(sagemaker, request["ModelName"])


def list_models(sagemaker: "SageMakerService", request: Record) -> Record:
    summaries, following = listed(sagemaker.store.all("model"), request, "Model")
    return {"Models": summaries, **following}


def delete_model(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        model = _model(sagemaker, request["ModelName"])
        sagemaker.store.delete("tags", model["ModelArn"])
        sagemaker.store.delete("model", model["ModelName"].lower())
    return {}


def serving_container(sagemaker: "SageMakerService", name: str) -> Record:
    """What runs the model of that name: Image, ModelDataUrl or ModelDataSource, and Environment.

    Of a model package, these are its own, with the model's Environment over them. Raises ServiceError where there is no
    such model or package, or it is made of several containers.
    """
    model = _model(sagemaker, name)
    containers = model.get("Containers") or [model["PrimaryContainer"]]
    container = containers[0]
    if package := container.get("ModelPackageName"):
        described = sagemaker.call("DescribeModelPackage", {"ModelPackageName": package})
        containers = described.get("InferenceSpecification", {}).get("Containers", [])
        variables = container.get("Environment", {})
        container = {**containers[0], "Environment": {**containers[0].get("Environment", {}), **variables}}
    if len(containers) != 1 or container.get("Mode") == "MultiModel":
        raise ServiceError(
            "ValidationException",
            f'Model "{model["ModelArn"]}" is an inference pipeline or a multi-model container; this machine runs '
            "models of one container and one model.",
        )
    return container


def _model(sagemaker: "SageMakerService", name: str) -> Record:
    record = sagemaker.store.get("model", name.lower())
    if record is None:
        raise ServiceError("ValidationException", f'Could not find model "{sagemaker.arn("model", name)}".')
    return record


def _check_container(sagemaker: "SageMakerService", container: Record) -> None:
    """Raise ServiceError for a container without an image, or whose model data is not there."""
    if "ModelPackageName" in container:
        sagemaker.call("DescribeModelPackage", {"ModelPackageName": container["ModelPackageName"]})
    elif "Image" not in container:
        raise ServiceError("ValidationException", "A container of a model needs an Image or a ModelPackageName.")
    for uri, is_prefix in _model_data(container):
        if not _exists(sagemaker, uri, is_prefix):
            raise ServiceError("ValidationException", f"Could not find model data at {uri}.")


def _model_data(container: Record) -> Iterator[tuple[str, bool]]:
    """The S3 URIs of a container's model, and whether each is a prefix rather than an object."""
    if url := container.get("ModelDataUrl"):
        yield url, container.get("Mode") == "MultiModel"
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is not None:
        yield source["S3Uri"], source["S3DataType"] == "S3Prefix"


def _exists(sagemaker: "SageMakerService", uri: str, is_prefix: bool) -> bool:
    try:
        bucket, key = split_uri(uri)
        if is_prefix:
            return next(sagemaker.objects.list(bucket, key), None) is not None
        sagemaker.objects.path(bucket, key)
        return True
    except ClientFault as fault:
        raise ServiceError("ValidationException", str(fault)) from fault
    except (KeyError, NoSuchBucket, BadName):
        return False


OPERATIONS = {
    "CreateModel": create_model,
    "DescribeModel": describe_model,
    "ListModels": list_models,
    "DeleteModel": delete_model,
}
