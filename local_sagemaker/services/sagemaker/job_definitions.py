"""Definitions of data-quality and model-quality jobs, for monitoring schedules to run.

A record (name in lower case, as in the ARN) is the answer of its Describe operation.
"""

import time
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from local_sagemaker.model_monitor.monitoring_job import DEFINITIONS, check_job, job_of_definition
from local_sagemaker.model_monitor.scheduler import SCHEDULE
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.common import Record, listed
from local_sagemaker.services.sagemaker.tags import put_tags

if TYPE_CHECKING:
    from local_sagemaker.services.sagemaker.service import SageMakerService

# they need SageMaker Clarify
NOT_HERE = ("ModelBias", "ModelExplainability")


def create_definition(type_: str, sagemaker: "SageMakerService", request: Record) -> Record:
    name, kind = request["JobDefinitionName"], DEFINITIONS[type_]
    check_job(job_of_definition(type_, request, sagemaker.call), sagemaker.jobs.images)
    arn = sagemaker.arn(kind, name)
    record = {
        **{member: value for member, value in request.items() if member != "Tags"},
        "JobDefinitionArn": arn,
        "CreationTime": time.time(),
    }
    if not sagemaker.store.create(kind, name.lower(), record):
        raise ServiceError("ResourceInUse", f"Job Definition {arn} already exists")
    put_tags(sagemaker, arn, request.get("Tags", []))
    return {"JobDefinitionArn": arn}


def describe_definition(type_: str, sagemaker: "SageMakerService", request: Record) -> Record:
    name, kind = request["JobDefinitionName"], DEFINITIONS[type_]
    record = sagemaker.store.get(kind, name.lower())
    if record is None:
        raise ServiceError("ResourceNotFound", f"Job Definition {sagemaker.arn(kind, name)} not found")
    return record


def delete_definition(type_: str, sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        record = describe_definition(type_, sagemaker, request)
        for schedule in sagemaker.store.all(SCHEDULE):
            name = schedule["MonitoringScheduleConfig"].get("MonitoringJobDefinitionName", "")
            if schedule["MonitoringType"] == type_ and name.lower() == record["JobDefinitionName"].lower():
                raise ServiceError(
                    "ResourceInUse",
                    f"Job Definition {record['JobDefinitionArn']} is used by Monitoring Schedule "
                    f"{schedule['MonitoringScheduleArn']}; delete that first",
                )
        sagemaker.store.delete("tags", record["JobDefinitionArn"])
        sagemaker.store.delete(DEFINITIONS[type_], record["JobDefinitionName"].lower())
    return {}


def list_definitions(type_: str, sagemaker: "SageMakerService", request: Record) -> Record:
    summaries = [
        {
            "MonitoringJobDefinitionName": record["JobDefinitionName"],
            "MonitoringJobDefinitionArn": record["JobDefinitionArn"],
            "CreationTime": record["CreationTime"],
            # required in the answer, also where a batch transform is monitored
            "EndpointName": record[f"{type_}JobInput"].get("EndpointInput", {}).get("EndpointName", ""),
        }
        for record in sagemaker.store.all(DEFINITIONS[type_])
    ]
    chosen, following = listed(
        [one for one in summaries if request.get("EndpointName") in (None, one["EndpointName"])],
        request,
        "MonitoringJobDefinition",
    )
    return {"JobDefinitionSummaries": chosen, **following}


def _refuse(type_: str, sagemaker: "SageMakerService", request: Record) -> NoReturn:
    raise ServiceError(
        "ValidationException",
        f"{type_} monitoring is not supported by the local SageMaker; it runs {' and '.join(DEFINITIONS)}",
    )


OPERATIONS = {
    f"{verb}{type_}JobDefinition{plural}": partial(operation, type_)
    for type_ in DEFINITIONS
    for verb, operation, plural in (
        ("Create", create_definition, ""),
        ("Describe", describe_definition, ""),
        ("Delete", delete_definition, ""),
        ("List", list_definitions, "s"),
    )
} | {f"Create{type_}JobDefinition": partial(_refuse, type_) for type_ in NOT_HERE}
