"""AddTags, ListTags, DeleteTags: kept by the ARN of what they are on."""

from typing import TYPE_CHECKING

from local_sagemaker.jobs.job import NOUNS
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.common import Record

if TYPE_CHECKING:
    from local_sagemaker.services.sagemaker.service import SageMakerService

MOST_TAGS = 50

# where the ARN of a kind's records stands
ARN_MEMBERS = {
    "pipeline": "PipelineArn",
    "pipeline-execution": "PipelineExecutionArn",
    **{kind: f"{noun}Arn" for kind, noun in NOUNS.items()},
    "model": "ModelArn",
    "monitoring-schedule": "MonitoringScheduleArn",
    "data-quality-job-definition": "JobDefinitionArn",
    "model-quality-job-definition": "JobDefinitionArn",
    "endpoint-config": "EndpointConfigArn",
    "endpoint": "EndpointArn",
    "model-package-group": "ModelPackageGroupArn",
    "model-package": "ModelPackageArn",
}


def put_tags(sagemaker: "SageMakerService", arn: str, tags: list[Record]) -> list[Record]:
    """Add tags to what was just created, or replace those of the same keys; returns all of them."""
    with sagemaker.lock:
        merged = {tag["Key"]: tag for tag in [*get_tags(sagemaker, arn), *tags]}
        if len(merged) > MOST_TAGS:
            raise ServiceError(
                "ResourceLimitExceeded", f"{arn} can have {MOST_TAGS} tags; there would be {len(merged)}"
            )
        if tags:
            sagemaker.store.put("tags", arn, {"Tags": list(merged.values())})
        return list(merged.values())


def get_tags(sagemaker: "SageMakerService", arn: str) -> list[Record]:
    """The tags on an ARN, none where there never were any."""
    return (sagemaker.store.get("tags", arn) or {"Tags": []})["Tags"]


def add_tags(sagemaker: "SageMakerService", request: Record) -> Record:
    return {"Tags": put_tags(sagemaker, _existing(sagemaker, request["ResourceArn"]), request["Tags"])}


def list_tags(sagemaker: "SageMakerService", request: Record) -> Record:
    # at most 50 tags are on anything, and a page holds at least 50
    return {"Tags": get_tags(sagemaker, _existing(sagemaker, request["ResourceArn"]))}


def delete_tags(sagemaker: "SageMakerService", request: Record) -> Record:
    arn = _existing(sagemaker, request["ResourceArn"])
    with sagemaker.lock:
        kept = [tag for tag in get_tags(sagemaker, arn) if tag["Key"] not in request["TagKeys"]]
        sagemaker.store.put("tags", arn, {"Tags": kept})
    return {}


def _existing(sagemaker: "SageMakerService", arn: str) -> str:
    for kind, member in ARN_MEMBERS.items():
        if f":{kind.removesuffix('-execution')}/" in arn:
            for record in sagemaker.store.all(kind):
                if record[member].lower() == arn.lower():
                    return record[member]
    raise ServiceError("ResourceNotFound", f"Resource '{arn}' does not exist.")


OPERATIONS = {"AddTags": add_tags, "ListTags": list_tags, "DeleteTags": delete_tags}
