"""Finds and deletes the resources of an endpoint: first its schedules and alarms, last its models.

A resource belongs to an endpoint if it has the project's tags, or if its name starts with the endpoint's name and it
refers to the endpoint.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment import alarms, autoscaling
from deployment.endpoints import Endpoint, belongs_to_project, find_endpoint, poll_endpoint
from deployment.plan import name_stem
from project.errors import UserError, is_not_found
from project.settings import Settings
from project.target import Target

_DELETION_TIMEOUT = 1800
_JOB_DEFINITIONS = {
    "DataQuality": "data_quality",
    "ModelQuality": "model_quality",
    "ModelBias": "model_bias",
    "ModelExplainability": "model_explainability",
}


@dataclass(frozen=True)
class Resource:
    """A resource of an endpoint.

    Attributes:
        kind: The kind in words, such as "endpoint config".
        name: The name; of scaling "endpoint/variant", of an EventBridge schedule "group/name".
    """

    kind: str
    name: str


def endpoint_resources(settings: Settings, target: Target, endpoint: str) -> list[Resource]:
    """Find the project's resources of an endpoint, in the order in which they can be deleted.

    Raises:
        UserError: The endpoint belongs to another project.
    """
    found = find_endpoint(target, endpoint)
    if found is not None and not belongs_to_project(settings, target, found.arn, endpoint):
        raise UserError(f"endpoint {endpoint!r} does not belong to project {settings.name!r} and was not deleted")
    resources = [*_schedules(target, endpoint), *_monitoring_schedules(target, endpoint)]
    resources += [Resource("scaling", f"{endpoint}/{name}") for name in autoscaling.scaled_variants(target, endpoint)]
    resources += [Resource("alarm", alarm["AlarmName"]) for alarm in alarms.endpoint_alarms(target, endpoint)]
    if found is not None:
        resources.append(Resource("endpoint", endpoint))
    return [*resources, *_configs_and_models(settings, target, endpoint)]


def unused_resources(settings: Settings, target: Target, endpoint: Endpoint) -> list[Resource]:
    """Find the endpoint's configurations, models and alarms that its current configuration does not use."""
    config = target.sagemaker.describe_endpoint_config(EndpointConfigName=endpoint.config)
    served = {endpoint.config, *(variant["ModelName"] for variant in config["ProductionVariants"])}
    variants = {variant["VariantName"] for variant in config["ProductionVariants"]}
    return [
        *(
            Resource("alarm", alarm["AlarmName"])
            for alarm in alarms.endpoint_alarms(target, endpoint.name)
            if not alarms.alarm_variants(alarm) <= variants
        ),
        *(resource for resource in _configs_and_models(settings, target, endpoint.name) if resource.name not in served),
    ]


def create_if_missing(create: Callable[..., Any], request: dict[str, Any]) -> bool:
    """Create a resource that is named by its content.

    Returns:
        False if it already exists, in which case it is identical.
    """
    try:
        create(**request)
    except ClientError as error:
        if "already exist" in error.response["Error"]["Message"]:
            return False
        raise
    return True


def delete_resources(
    target: Target, resources: Iterable[Resource], report: Callable[[Resource], None] | None = None
) -> None:
    """Delete resources in the given order; a resource that is already gone is not an error.

    Args:
        target: Where the resources are.
        resources: What to delete.
        report: Called with each resource after its deletion.
    """
    for resource in resources:
        try:
            _delete(target, resource)
        except ClientError as error:
            if not is_not_found(error):
                raise
        if report:
            report(resource)


def _delete(target: Target, resource: Resource) -> None:
    name = resource.name
    if resource.kind == "schedule":
        group, _, name = name.partition("/")
        target.scheduler.delete_schedule(GroupName=group, Name=name, ClientToken=str(uuid.uuid4()))
    elif resource.kind == "monitoring schedule":
        target.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
        _wait_for_schedule_deletion(target, name)
    elif resource.kind.endswith(" job definition"):
        kind = _JOB_DEFINITIONS[resource.kind.removesuffix(" job definition")]
        getattr(target.sagemaker, f"delete_{kind}_job_definition")(JobDefinitionName=name)
    elif resource.kind == "scaling":
        autoscaling.stop_scaling(target, *name.split("/"))
    elif resource.kind == "alarm":
        alarms.delete_alarms(target, [name])
    elif resource.kind == "endpoint":
        target.sagemaker.delete_endpoint(EndpointName=name)
        *_, remaining = poll_endpoint(target, name, _DELETION_TIMEOUT)
        if remaining is not None:
            raise UserError(f"endpoint {name!r} could not be deleted; it is {remaining.status}: {remaining.reason}")
    elif resource.kind == "endpoint config":
        target.sagemaker.delete_endpoint_config(EndpointConfigName=name)
    elif resource.kind == "model":
        target.sagemaker.delete_model(ModelName=name)
    else:
        raise ValueError(resource.kind)


def _wait_for_schedule_deletion(target: Target, name: str) -> None:
    """Wait until a monitoring schedule is gone: only then can its job definition and its endpoint be deleted.

    Raises:
        ClientError: The schedule is gone (a "not found" error).
    """
    deadline = time.monotonic() + _DELETION_TIMEOUT
    while time.monotonic() < deadline:
        target.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
        time.sleep(1)
    raise UserError(f"monitoring schedule {name!r} still exists after {_DELETION_TIMEOUT} s; try again later")


def _configs_and_models(settings: Settings, target: Target, endpoint: str) -> Iterator[Resource]:
    stem = name_stem(endpoint)
    kinds = (
        ("endpoint config", "list_endpoint_configs", "EndpointConfigs", "EndpointConfig"),
        ("model", "list_models", "Models", "Model"),
    )
    for kind, operation, member, prefix in kinds:
        for page in target.sagemaker.get_paginator(operation).paginate(NameContains=stem):
            for item in page[member]:
                if belongs_to_project(settings, target, item[f"{prefix}Arn"], endpoint):
                    yield Resource(kind, item[f"{prefix}Name"])


def _schedules(target: Target, endpoint: str) -> Iterator[Resource]:
    """Find EventBridge schedules whose names start with the endpoint's name and whose target mentions the endpoint."""
    for page in target.scheduler.get_paginator("list_schedules").paginate(NamePrefix=f"{endpoint}-"[:64]):
        for item in page["Schedules"]:
            schedule = target.scheduler.get_schedule(Name=item["Name"], GroupName=item["GroupName"])
            if endpoint in _strings(schedule["Target"]):
                yield Resource("schedule", f"{item['GroupName']}/{item['Name']}")


def _monitoring_schedules(target: Target, endpoint: str) -> Iterator[Resource]:
    """Find Model Monitor's schedules of the endpoint, then their job definitions, which schedules may share."""
    pages = target.sagemaker.get_paginator("list_monitoring_schedules").paginate(EndpointName=endpoint)
    schedules = [item for page in pages for item in page["MonitoringScheduleSummaries"]]
    for item in schedules:
        yield Resource("monitoring schedule", item["MonitoringScheduleName"])
    definitions = {
        (item["MonitoringType"], item["MonitoringJobDefinitionName"]): None
        for item in schedules
        if item.get("MonitoringJobDefinitionName")
    }
    for kind, name in definitions:
        yield Resource(f"{kind} job definition", name)


def _strings(value: Any) -> Iterator[str]:
    """Yield all strings in a structure, and in the JSON documents among its strings."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value
        if value[:1] in ("{", "["):
            try:
                yield from _strings(json.loads(value))
            except ValueError:
                return
