"""Endpoints. What hosts them, and writes what becomes of their records, is `local_sagemaker.endpoints`."""

import time
from typing import TYPE_CHECKING

from local_sagemaker.endpoints.manager import IN_PROGRESS, KIND
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.common import Record, page, within
from local_sagemaker.services.sagemaker.endpoint_configs import endpoint_config
from local_sagemaker.services.sagemaker.models import serving_container
from local_sagemaker.services.sagemaker.tags import put_tags

if TYPE_CHECKING:
    from local_sagemaker.services.sagemaker.service import SageMakerService

# members of a variant, and of a configuration, that an update can keep
RETAINED = {"DesiredWeight": "InitialVariantWeight", "DesiredInstanceCount": "InitialInstanceCount"}
CAPTURE = "DataCaptureConfig"


def create_endpoint(sagemaker: "SageMakerService", request: Record) -> Record:
    name, now = request["EndpointName"], time.time()
    arn = sagemaker.arn(KIND, name)
    plan = _plan(sagemaker, endpoint_config(sagemaker, request["EndpointConfigName"]))
    record = {
        "EndpointName": name,
        "EndpointArn": arn,
        "EndpointConfigName": plan["Config"]["EndpointConfigName"],
        "EndpointStatus": "Creating",
        "LastDeploymentConfig": request.get("DeploymentConfig"),
        "CreationTime": now,
        "LastModifiedTime": now,
        "Pending": plan,
    }
    if not sagemaker.store.create(KIND, name.lower(), record):
        raise _invalid(f'Cannot create already existing endpoint "{arn}".')
    put_tags(sagemaker, arn, request.get("Tags", []))
    sagemaker.endpoint_manager.create(name)
    return {"EndpointArn": arn}


def describe_endpoint(sagemaker: "SageMakerService", request: Record) -> Record:
    return _endpoint(sagemaker, request["EndpointName"])


def list_endpoints(sagemaker: "SageMakerService", request: Record) -> Record:
    status = request.get("StatusEquals")
    endpoints = [
        endpoint
        for endpoint in sagemaker.store.all(KIND)
        if request.get("NameContains", "").lower() in endpoint["EndpointName"].lower()
        and status in (None, endpoint["EndpointStatus"])
        and within(endpoint["CreationTime"], request.get("CreationTimeAfter"), request.get("CreationTimeBefore"))
        and within(
            endpoint["LastModifiedTime"], request.get("LastModifiedTimeAfter"), request.get("LastModifiedTimeBefore")
        )
    ]
    member = {"Name": "EndpointName", "Status": "EndpointStatus"}.get(request.get("SortBy", ""), "CreationTime")
    summaries, following = page(
        endpoints, request, key=lambda endpoint: endpoint[member], name=lambda endpoint: endpoint["EndpointName"]
    )
    return {"Endpoints": summaries, **following}


def update_endpoint(sagemaker: "SageMakerService", request: Record) -> Record:
    config = endpoint_config(sagemaker, request["EndpointConfigName"])
    with sagemaker.lock:
        endpoint = _in_service(sagemaker, request["EndpointName"])
        if request.get("RetainAllVariantProperties"):
            excluded = {one["VariantPropertyType"] for one in request.get("ExcludeRetainedVariantProperties", [])}
            config = _retaining(endpoint["Deployed"]["Config"], config, excluded)
        plan = _plan(sagemaker, config)
        deployment = request.get("DeploymentConfig")
        if request.get("RetainDeploymentConfig"):
            deployment = endpoint.get("LastDeploymentConfig")
        _update(
            sagemaker,
            endpoint,
            Pending=plan,
            LastDeploymentConfig=deployment,
            FailureReason=None,
            PendingDeploymentSummary=_summary(config),
        )
    sagemaker.endpoint_manager.update(endpoint["EndpointName"])
    return {"EndpointArn": endpoint["EndpointArn"]}


def update_weights_and_capacities(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        endpoint = _in_service(sagemaker, request["EndpointName"])
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
        _update(sagemaker, endpoint, Deployed=plan, FailureReason=None)
    sagemaker.endpoint_manager.update_weights(endpoint["EndpointName"])
    return {"EndpointArn": endpoint["EndpointArn"]}


def delete_endpoint(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        endpoint = _endpoint(sagemaker, request["EndpointName"])
        _check_settled(endpoint)
        _update(sagemaker, endpoint, EndpointStatus="Deleting")
    sagemaker.endpoint_manager.delete(endpoint["EndpointName"])
    return {}


def _endpoint(sagemaker: "SageMakerService", name: str) -> Record:
    record = sagemaker.store.get(KIND, name.lower())
    if record is None:
        raise _invalid(f'Could not find endpoint "{sagemaker.arn(KIND, name)}".')
    return record


def _in_service(sagemaker: "SageMakerService", name: str) -> Record:
    endpoint = _endpoint(sagemaker, name)
    _check_settled(endpoint)
    if endpoint["EndpointStatus"] != "InService":
        raise _invalid(
            f'Cannot update endpoint "{endpoint["EndpointArn"]}" in status {endpoint["EndpointStatus"]}; '
            "delete it and create it again."
        )
    return endpoint


def _check_settled(endpoint: Record) -> None:
    if endpoint["EndpointStatus"] in IN_PROGRESS:
        raise _invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')


def _update(sagemaker: "SageMakerService", endpoint: Record, **changes: object) -> None:
    changes = {"EndpointStatus": "Updating", "LastModifiedTime": time.time(), **changes}
    sagemaker.store.update(KIND, endpoint["EndpointName"].lower(), **changes)


def _plan(sagemaker: "SageMakerService", config: Record) -> Record:
    """What an endpoint of this configuration runs. Raises ServiceError where a model of it is gone."""
    containers = {
        variant["VariantName"]: serving_container(sagemaker, variant["ModelName"])
        for variant in config["ProductionVariants"]
    }
    return {"Config": config, "Containers": containers}


def _retaining(old: Record, new: Record, excluded: set[str]) -> Record:
    """The new configuration with what the old one's variants of the same names have, and its data capture."""
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
