"""Endpoint configurations: which models an endpoint hosts, and how.

A record (name in lower case) is DescribeEndpointConfig's response.
"""

import time
from collections import Counter

from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.inference_pipeline import containers_of
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.models import serving_container
from local_sagemaker.services.sagemaker.resource import Resource, list_page, without_tags
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri

ENDPOINT_CONFIGS = Resource(
    record_kinds.ENDPOINT_CONFIG,
    missing=("ValidationException", 'Could not find endpoint configuration "{arn}".'),
    exists=("ValidationException", 'Cannot create already existing endpoint configuration "{arn}".'),
)

# of serverless variants
MEMORY_SIZES = range(1024, 6145, 1024)
BASELINE_TYPES = ("text/csv", "application/jsonlines")


def create_endpoint_config(context: Context, request: Record) -> Record:
    _check_variants(request)
    for number, variant in enumerate(request["ProductionVariants"], start=1):
        _check_variant(context, number, variant)
    if "DataCaptureConfig" in request:
        _check_capture(request)
    if "ExplainerConfig" in request:
        _check_explainer(request["ExplainerConfig"])
    record = {
        **without_tags(request),
        "ProductionVariants": [{"InitialVariantWeight": 1.0, **variant} for variant in request["ProductionVariants"]],
        "EndpointConfigArn": ENDPOINT_CONFIGS.arn(request["EndpointConfigName"]),
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
        "CreationTime": time.time(),
    }
    return ENDPOINT_CONFIGS.create(context, record, request.get("Tags", []))


def describe_endpoint_config(context: Context, request: Record) -> Record:
    return ENDPOINT_CONFIGS.find(context, request["EndpointConfigName"])


def list_endpoint_configs(context: Context, request: Record) -> Record:
    summaries, next_token = list_page(context, ENDPOINT_CONFIGS.kind, request)
    return {"EndpointConfigs": summaries, **next_token}


def delete_endpoint_config(context: Context, request: Record) -> Record:
    """Delete a configuration; as on AWS, endpoints that use it keep running."""
    with context.store.transaction():
        ENDPOINT_CONFIGS.delete(context, ENDPOINT_CONFIGS.find(context, request["EndpointConfigName"]))
    return {}


def _check_variants(request: Record) -> None:
    """Raise ServiceError for variants that cannot be combined."""
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


def _check_variant(context: Context, number: int, variant: Record) -> None:
    """Raise ServiceError for a variant that cannot be hosted. number: Its number in the configuration, from 1."""
    name = variant["VariantName"]
    if "ModelName" not in variant:
        raise _invalid(f"Variant {name} has no ModelName; the local SageMaker does not support inference components.")
    on_instances = {"InstanceType", "InitialInstanceCount"} & variant.keys()
    if ("ServerlessConfig" in variant) == bool(on_instances) or len(on_instances) == 1:
        raise _invalid(
            f"Variant {name} needs either InstanceType and InitialInstanceCount, or ServerlessConfig, and not both."
        )
    _check_serverless(number, variant.get("ServerlessConfig"))
    containers = containers_of(serving_container(context, variant["ModelName"]))
    if len(containers) > 1 and "ServerlessConfig" in variant:
        raise _invalid(f"Variant {name}: inference pipelines are not supported for serverless endpoints.")
    try:
        for container in containers:
            context.jobs.images.find(container["Image"], "model")
    except UnsupportedImage as error:
        raise _invalid(f"Variant {name}: {error}") from error


def _check_serverless(number: int, config: Record | None) -> None:
    if config is None:
        return
    memory, most = config["MemorySizeInMB"], config["MaxConcurrency"]
    if memory not in MEMORY_SIZES:
        # the model of the service has only the bounds
        raise _invalid(
            f"1 validation error detected: Value '{memory}' at 'productionVariants.{number}.member.serverlessConfig."
            f"memorySizeInMB' failed to satisfy constraint: Member must satisfy enum value set: {list(MEMORY_SIZES)}"
        )
    if (provisioned := config.get("ProvisionedConcurrency", 0)) > most:
        raise _invalid(f"ProvisionedConcurrency {provisioned} must be less than or equal to MaxConcurrency {most}.")


def _check_capture(request: Record) -> None:
    uri = request["DataCaptureConfig"]["DestinationS3Uri"]
    try:
        bucket, _ = split_uri(uri)
    except ClientFault as fault:
        raise _invalid(f"DataCaptureConfig: {fault}") from fault
    if not bucket:
        raise _invalid(f"DataCaptureConfig: DestinationS3Uri {uri!r} has no bucket")


def _check_explainer(config: Record) -> None:
    """Raise ServiceError for an explainer without a SHAP baseline; its expressions are checked by the endpoint."""
    if "ClarifyExplainerConfig" not in config:
        raise _invalid("ExplainerConfig needs a ClarifyExplainerConfig.")
    baseline = config["ClarifyExplainerConfig"]["ShapConfig"]["ShapBaselineConfig"]
    if ("ShapBaseline" in baseline) == ("ShapBaselineUri" in baseline):
        raise _invalid("ShapBaselineConfig needs either ShapBaseline or ShapBaselineUri, and not both.")
    if (kind := baseline.get("MimeType", BASELINE_TYPES[0])) not in BASELINE_TYPES:
        raise _invalid(f"ShapBaselineConfig has the MimeType {kind!r}; use {' or '.join(BASELINE_TYPES)}.")


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


OPERATIONS = {
    "CreateEndpointConfig": create_endpoint_config,
    "DescribeEndpointConfig": describe_endpoint_config,
    "ListEndpointConfigs": list_endpoint_configs,
    "DeleteEndpointConfig": delete_endpoint_config,
}
