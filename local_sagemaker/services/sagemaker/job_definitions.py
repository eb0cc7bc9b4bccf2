"""Definitions of data-quality, model-quality, model-bias and model-explainability jobs, which monitoring schedules run.

A record (name in lower case, as in the ARN) is the response of its Describe operation.
"""

import time
from functools import partial

from local_sagemaker.model_monitor.monitoring_job import check_job, job_of_definition
from local_sagemaker.model_monitor.monitoring_type import MONITORING_TYPES
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.resource import Resource, list_page, without_tags
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record

DEFINITIONS = {
    kind.monitoring_type: Resource(
        kind,
        missing=("ResourceNotFound", "Job Definition {arn} not found"),
        exists=("ResourceInUse", "Job Definition {arn} already exists"),
    )
    for kind in record_kinds.RESOURCES
    if kind.monitoring_type is not None
}


def create_definition(type_: str, context: Context, request: Record) -> Record:
    check_job(job_of_definition(MONITORING_TYPES[type_], request, context.call), context.jobs.images)
    record = {
        **without_tags(request),
        "JobDefinitionArn": DEFINITIONS[type_].arn(request["JobDefinitionName"]),
        "CreationTime": time.time(),
    }
    return DEFINITIONS[type_].create(context, record, request.get("Tags", []))


def describe_definition(type_: str, context: Context, request: Record) -> Record:
    return DEFINITIONS[type_].find(context, request["JobDefinitionName"])


def delete_definition(type_: str, context: Context, request: Record) -> Record:
    with context.lock:
        record = describe_definition(type_, context, request)
        users = {"monitoring_type": type_, "job_definition": record["JobDefinitionName"]}
        if schedule := context.store.first(Query(record_kinds.MONITORING_SCHEDULE.kind, equal=users)):
            raise ServiceError(
                "ResourceInUse",
                f"Job Definition {record['JobDefinitionArn']} is used by Monitoring Schedule "
                f"{schedule['MonitoringScheduleArn']}; delete that first",
            )
        DEFINITIONS[type_].delete(context, record)
    return {}


def list_definitions(type_: str, context: Context, request: Record) -> Record:
    definitions, next_token = list_page(
        context, DEFINITIONS[type_].kind, request, {"endpoint": request.get("EndpointName")}
    )
    summaries = [
        {
            "MonitoringJobDefinitionName": record["JobDefinitionName"],
            "MonitoringJobDefinitionArn": record["JobDefinitionArn"],
            "CreationTime": record["CreationTime"],
            # required in the response, even if it is a batch transform that is monitored
            "EndpointName": record[f"{type_}JobInput"].get("EndpointInput", {}).get("EndpointName", ""),
        }
        for record in definitions
    ]
    return {"JobDefinitionSummaries": summaries, **next_token}


OPERATIONS = {
    f"{verb}{type_}JobDefinition{plural}": partial(operation, type_)
    for type_ in DEFINITIONS
    for verb, operation, plural in (
        ("Create", create_definition, ""),
        ("Describe", describe_definition, ""),
        ("Delete", delete_definition, ""),
        ("List", list_definitions, "s"),
    )
}
