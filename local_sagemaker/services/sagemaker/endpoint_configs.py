"""Endpoint configurations: which models an endpoint hosts, and how.

A record (name in lower case) is DescribeEndpointConfig's answer.
"""

import time
from collections import Counter
from typing import TYPE_CHECKING

from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.common import Record, page, within
from local_sagemaker.services.sagemaker.models import serving_container
from local_sagemaker.services.sagemaker.tags import put_tags
from local_sagemaker.storage.transfers import ClientFault, split_uri

if TYPE_CHECKING:
    from local_sagemaker.services.sagemaker.service import SageMakerService

KIND = "endpoint-config"

NOT_HERE = ("AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants")


def create_endpoint_config(sagemaker: "SageMakerService", request: Record) -> Record:
    for member in NOT_HERE:
        if member in request:
            raise _invalid(f"{member} is not supported on this machine")
    _check_variants(request)
    for variant in request["ProductionVariants"]:
        _check_variant(sagemaker, variant)
    if "DataCaptureConfig" in request:
        _check_capture(request)
    arn = sagemaker.arn(KIND, request["EndpointConfigName"])
    record = {
        **{member: value for member, value in request.items() if member != "Tags"},
        "ProductionVariants": [{"InitialVariantWeight": 1.0, **variant} for variant in request["ProductionVariants"]],
        "EndpointConfigArn": arn,
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
        "CreationTime": time.time(),
    }
    if not sagemaker.store.create(KIND, request["EndpointConfigName"].lower(), record):
        raise _invalid(f'Cannot create already existing endpoint configuration "{arn}".')
    put_tags(sagemaker, arn, request.get("Tags", []))
    return {"EndpointConfigArn": arn}


def describe_endpoint_config(sagemaker: "SageMakerService", request: Record) -> Record:
    return endpoint_config(sagemaker, request["EndpointConfigName"])


def list_endpoint_configs(sagemaker: "SageMakerService", request: Record) -> Record:
    configs = [
        config
        for config in sagemaker.store.all(KIND)
        if request.get("NameContains", "").lower() in config["EndpointConfigName"].lower()
        and within(config["CreationTime"], request.get("CreationTimeAfter"), request.get("CreationTimeBefore"))
    ]
    member = "EndpointConfigName" if request.get("SortBy") == "Name" else "CreationTime"
    summaries, following = page(
        configs, request, key=lambda config: config[member], name=lambda config: config["EndpointConfigName"]
    )
    return {"EndpointConfigs": summaries, **following}


def delete_endpoint_config(sagemaker: "SageMakerService", request: Record) -> Record:
    """Endpoints that use it keep what they have been given of it, as they do in the service."""
    with sagemaker.lock:
        config = endpoint_config(sagemaker, request["EndpointConfigName"])
        sagemaker.store.delete("tags", config["EndpointConfigArn"])
        sagemaker.store.delete(KIND, config["EndpointConfigName"].lower())
    return {}


def endpoint_config(sagemaker: "SageMakerService", name: str) -> Record:
    """The record of that name. Raises ServiceError where there is none."""
    record = sagemaker.store.get(KIND, name.lower())
    if record is None:
        raise _invalid(f'Could not find endpoint configuration "{sagemaker.arn(KIND, name)}".')
    return record


def _check_variants(request: Record) -> None:
    """Raise ServiceError for variants that can't be together."""
    variants = request["ProductionVariants"]
    name, count = Counter(variant["VariantName"] for variant in variants).most_common(1)[0]
    if count > 1:
        raise _invalid(f"Production variant names must be unique, but {count} variants are called {name}.")
    if not any("ServerlessConfig" in variant for variant in variants):
        return
    if len(variants) > 1:
        raise _invalid("An endpoint configuration with a ServerlessConfig can have one production variant only.")
    if "DataCaptureConfig" in request:
        raise _invalid("Data capture is not supported for serverless endpoints; leave out DataCaptureConfig.")


def _check_variant(sagemaker: "SageMakerService", variant: Record) -> None:
    """Raise ServiceError for a variant that can't be hosted."""
    name = variant["VariantName"]
    if "ModelName" not in variant:
        raise _invalid(f"Variant {name} has no ModelName; inference components are not supported on this machine.")
    on_instances = {"InstanceType", "InitialInstanceCount"} & variant.keys()
    if ("ServerlessConfig" in variant) == bool(on_instances) or len(on_instances) == 1:
        raise _invalid(
            f"Variant {name} needs either InstanceType and InitialInstanceCount, or ServerlessConfig, and not both."
        )
    container = serving_container(sagemaker, variant["ModelName"])
    try:
        sagemaker.jobs.images.find(container["Image"], "model")
    except UnsupportedImage as error:
        raise _invalid(f"Variant {name}: {error}") from error


def _check_capture(request: Record) -> None:
    uri = request["DataCaptureConfig"]["DestinationS3Uri"]
    try:
        bucket, _ = split_uri(uri)
    except ClientFault as fault:
        raise _invalid(f"DataCaptureConfig: {fault}") from fault
    if not bucket:
        raise _invalid(f"DataCaptureConfig: DestinationS3Uri {uri!r} names no bucket")


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


OPERATIONS = {
    "CreateEndpointConfig": create_endpoint_config,
    "DescribeEndpointConfig": describe_endpoint_config,
    "ListEndpointConfigs": list_endpoint_configs,
    "DeleteEndpointConfig": delete_endpoint_config,
}
