"""Models: what endpoints and transform jobs run.

A record (name in lower case, as in the ARN) is DescribeModel's response.
"""

import time
from collections.abc import Iterator

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.resource import Resource, list_page, without_tags
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.objects import BadName, NoSuchBucket
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri

MODELS = Resource(
    record_kinds.MODEL,
    missing=("ValidationException", 'Could not find model "{arn}".'),
    exists=("ValidationException", 'Cannot create already existing model "{arn}".'),
)


def create_model(context: Context, request: Record) -> Record:
    if ("PrimaryContainer" in request) == ("Containers" in request):
        raise ServiceError("ValidationException", "Give either PrimaryContainer or Containers, and not both.")
    for container in request.get("Containers", [request.get("PrimaryContainer")]):
        _check_container(context, container)
    _check_hostnames(request.get("Containers", []))
    record = {
        **without_tags(request),
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
        "ModelArn": MODELS.arn(request["ModelName"]),
        "CreationTime": time.time(),
    }
    return MODELS.create(context, record, request.get("Tags", []))


def describe_model(context: Context, request: Record) -> Record:
    return MODELS.find(context, request["ModelName"])


def list_models(context: Context, request: Record) -> Record:
    summaries, next_token = list_page(context, MODELS.kind, request)
    return {"Models": summaries, **next_token}


def delete_model(context: Context, request: Record) -> Record:
    with context.store.transaction():
        MODELS.delete(context, MODELS.find(context, request["ModelName"]))
    return {}


def serving_container(context: Context, name: str) -> Record:
    """Return what runs a model: Image, ModelDataUrl or ModelDataSource, and Environment.

    Of an inference pipeline, its member `Containers` has these of each container, in the order of invocation.

    Raises:
        ServiceError: The model or its package does not exist, the package has no containers, or one hosts many models.
    """
    model = MODELS.find(context, name)
    containers = [
        container
        for member in model.get("Containers") or [model["PrimaryContainer"]]
        for container in _containers(context, member)
    ]
    if not containers:
        raise ServiceError("ValidationException", f'The package of model "{model["ModelArn"]}" has no containers.')
    _check_hostnames(containers)
    if any(container.get("Mode") == "MultiModel" for container in containers):
        raise ServiceError(
            "ValidationException",
            f'Model "{model["ModelArn"]}" is a multi-model container, which the local SageMaker does not run.',
        )
    return containers[0] if len(containers) == 1 else {"Containers": containers}


def _containers(context: Context, container: Record) -> list[Record]:
    """Return a container of a model; if it names a package, those of the package, with its Environment over theirs."""
    if "ModelPackageName" not in container:
        return [container]
    package = context.call("DescribeModelPackage", {"ModelPackageName": container["ModelPackageName"]})
    variables = container.get("Environment", {})
    return [
        {**packaged, "Environment": {**packaged.get("Environment", {}), **variables}}
        for packaged in package.get("InferenceSpecification", {}).get("Containers", [])
    ]


def _check_container(context: Context, container: Record) -> None:
    """Raise ServiceError for a container without an image, or whose model data does not exist."""
    if "ModelPackageName" in container:
        context.call("DescribeModelPackage", {"ModelPackageName": container["ModelPackageName"]})
    elif "Image" not in container:
        raise ServiceError("ValidationException", "A container of a model needs an Image or a ModelPackageName.")
    for uri, is_prefix in _model_data(container):
        if not _exists(context, uri, is_prefix):
            raise ServiceError("ValidationException", f"Could not find model data at {uri}.")


def _check_hostnames(containers: list[Record]) -> None:
    """Raise ServiceError unless all containers of an inference pipeline have names of their own, or none has one."""
    names = [container["ContainerHostname"] for container in containers if "ContainerHostname" in container]
    if names and len(set(names)) != len(containers):
        raise ServiceError(
            "ValidationException",
            f"The containers of an inference pipeline need different values of ContainerHostname, or none; got "
            f"{', '.join(names)} for {len(containers)} containers.",
        )


def _model_data(container: Record) -> Iterator[tuple[str, bool]]:
    """Yield the S3 URIs of a container's model, and whether each is a prefix rather than an object."""
    if url := container.get("ModelDataUrl"):
        yield url, container.get("Mode") == "MultiModel"
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is not None:
        yield source["S3Uri"], source["S3DataType"] == "S3Prefix"


def _exists(context: Context, uri: str, is_prefix: bool) -> bool:
    try:
        bucket, key = split_uri(uri)
        if is_prefix:
            return next(context.objects.list(bucket, key), None) is not None
        context.objects.path(bucket, key)
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
