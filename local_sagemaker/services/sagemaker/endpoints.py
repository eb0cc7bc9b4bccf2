"""Endpoints. `local_sagemaker.endpoints.manager` hosts them, and updates their records."""

import time

from local_sagemaker.endpoints.manager import IN_PROGRESS
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.endpoint_configs import ENDPOINT_CONFIGS
from local_sagemaker.services.sagemaker.models import serving_container
from local_sagemaker.services.sagemaker.resource import Resource, list_page
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.records import Record

ENDPOINTS = Resource(
    record_kinds.ENDPOINT,
    missing=("ValidationException", 'Could not find endpoint "{arn}".'),
    exists=("ValidationException", 'Cannot create already existing endpoint "{arn}".'),
)
# members of a variant that an update can retain: by VariantPropertyType, the member of a configuration
RETAINED = {"DesiredWeight": "InitialVariantWeight", "DesiredInstanceCount": "InitialInstanceCount"}
CAPTURE = "DataCaptureConfig"


def create_endpoint(context: Context, request: Record) -> Record:
    name, now = request["EndpointName"], time.time()
    plan = _plan(context, ENDPOINT_CONFIGS.find(context, request["EndpointConfigName"]))
    record = {
        "EndpointName": name,
        "EndpointArn": ENDPOINTS.arn(name),
        "EndpointConfigName": plan["Config"]["EndpointConfigName"],
        "EndpointStatus": "Creating",
        "LastDeploymentConfig": request.get("DeploymentConfig"),
        "CreationTime": now,
        "LastModifiedTime": now,
        "Pending": plan,
    }
    response = ENDPOINTS.create(context, record, request.get("Tags", []))
    context.endpoint_manager.create(name)
    return response


def describe_endpoint(context: Context, request: Record) -> Record:
    return ENDPOINTS.find(context, request["EndpointName"])


def list_endpoints(context: Context, request: Record) -> Record:
    summaries, next_token = list_page(context, ENDPOINTS.kind, request)
    return {"Endpoints": summaries, **next_token}


def update_endpoint(context: Context, request: Record) -> Record:
    config = ENDPOINT_CONFIGS.find(context, request["EndpointConfigName"])
    with context.lock:
        endpoint = _in_service(context, request["EndpointName"])
        if request.get("RetainAllVariantProperties"):
            properties = request.get("ExcludeRetainedVariantProperties", [])
            excluded = {item["VariantPropertyType"] for item in properties}
            config = _retaining(endpoint["Deployed"]["Config"], config, excluded)
        plan = _plan(context, config)
        deployment = request.get("DeploymentConfig")
        if request.get("RetainDeploymentConfig"):
            deployment = endpoint.get("LastDeploymentConfig")
        _update(
            context,
            endpoint,
            Pending=plan,
            LastDeploymentConfig=deployment,
            FailureReason=None,
            PendingDeploymentSummary=_summary(config),
        )
    context.endpoint_manager.update(endpoint["EndpointName"])
    return {"EndpointArn": endpoint["EndpointArn"]}


def update_weights_and_capacities(context: Context, request: Record) -> Record:
    with context.lock:
        endpoint = _in_service(context, request["EndpointName"])
        plan = endpoint["Deployed"]
        variants = {variant["VariantName"]: variant for variant in plan["Config"]["ProductionVariants"]}
        for desired in request["DesiredWeightsAndCapacities"]:
            variant = variants.get(desired["VariantName"])
            if variant is None:
                raise _invalid(
                    f'The variant name "{desired["VariantName"]}" was not found; the endpoint\'s variants: '
                    f"{', '.join(variants)}."
                )
            variant |= {member: desired[name] for name, member in RETAINED.items() if name in desired}
            if "ServerlessUpdateConfig" in desired:
                if "ServerlessConfig" not in variant:
                    raise _invalid(f"Variant {desired['VariantName']} is not serverless.")
                variant["ServerlessConfig"] |= desired["ServerlessUpdateConfig"]
        _update(context, endpoint, Deployed=plan, FailureReason=None)
    context.endpoint_manager.update_weights(endpoint["EndpointName"])
    return {"EndpointArn": endpoint["EndpointArn"]}


def delete_endpoint(context: Context, request: Record) -> Record:
    with context.lock:
        endpoint = ENDPOINTS.find(context, request["EndpointName"])
        _check_not_in_progress(endpoint)
        _update(context, endpoint, EndpointStatus="Deleting")
    context.endpoint_manager.delete(endpoint["EndpointName"])
    return {}


def _in_service(context: Context, name: str) -> Record:
    endpoint = ENDPOINTS.find(context, name)
    _check_not_in_progress(endpoint)
    if endpoint["EndpointStatus"] != "InService":
        raise _invalid(
            f'Cannot update endpoint "{endpoint["EndpointArn"]}" in status {endpoint["EndpointStatus"]}; '
            "delete it and create it again."
        )
    return endpoint


def _check_not_in_progress(endpoint: Record) -> None:
    if endpoint["EndpointStatus"] in IN_PROGRESS:
        raise _invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')


def _update(context: Context, endpoint: Record, **changes: object) -> None:
    changes = {"EndpointStatus": "Updating", "LastModifiedTime": time.time(), **changes}
    ENDPOINTS.update(context, endpoint, **changes)


def _plan(context: Context, config: Record) -> Record:
    """Return what an endpoint of this configuration runs. Raises ServiceError if one of its models does not exist."""
    containers = {
        variant["VariantName"]: serving_container(context, variant["ModelName"])
        for variant in config["ProductionVariants"]
    }
    return {"Config": config, "Containers": containers}


def _retaining(old: Record, new: Record, excluded: set[str]) -> Record:
    """Return the new configuration with the properties of the old one's variants and its data capture.

    excluded: the VariantPropertyTypes not to retain.
    """
    known = {variant["VariantName"]: variant for variant in old["ProductionVariants"]}
    members = [member for name, member in RETAINED.items() if name not in excluded]
    variants = []
    for variant in new["ProductionVariants"]:
        kept = known.get(variant["VariantName"], {})
        variants.append({**variant, **{member: kept[member] for member in members if member in kept}})
    capture = {CAPTURE: old[CAPTURE]} if CAPTURE in old and CAPTURE not in excluded else {}
    return {**new, "ProductionVariants": variants, **capture}


def _summary(config: Record) -> Record:
    return {
        "EndpointConfigName": config["EndpointConfigName"],
        "StartTime": time.time(),
        "ProductionVariants": [
            {
                "VariantName": variant["VariantName"],
                "DesiredWeight": variant.get("InitialVariantWeight"),
                "DesiredInstanceCount": variant.get("InitialInstanceCount"),
                "InstanceType": variant.get("InstanceType"),
                "DesiredServerlessConfig": variant.get("ServerlessConfig"),
                "VariantStatus": [{"Status": "Creating", "StartTime": time.time()}],
            }
            for variant in config["ProductionVariants"]
        ],
    }


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


OPERATIONS = {
    "CreateEndpoint": create_endpoint,
    "DescribeEndpoint": describe_endpoint,
    "ListEndpoints": list_endpoints,
    "UpdateEndpoint": update_endpoint,
    "UpdateEndpointWeightsAndCapacities": update_weights_and_capacities,
    "DeleteEndpoint": delete_endpoint,
}
