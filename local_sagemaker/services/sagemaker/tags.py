"""AddTags, ListTags and DeleteTags. The record of a resource's tags is named by its ARN."""

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.storage.record_kinds import PIPELINE_EXECUTION, RESOURCES, TAGS
from local_sagemaker.storage.records import Record

MAX_TAGS = 50


def put_tags(context: Context, arn: str, tags: list[Record]) -> list[Record]:
    """Add tags to a resource, or replace those of the same keys; returns all of them."""
    if not tags:
        return get_tags(context, arn)
    with context.store.transaction():
        merged = {tag["Key"]: tag for tag in [*get_tags(context, arn), *tags]}
        if len(merged) > MAX_TAGS:
            raise ServiceError("ResourceLimitExceeded", f"{arn} can have {MAX_TAGS} tags; there would be {len(merged)}")
        context.store.put(TAGS, arn, {"Tags": list(merged.values())})
        return list(merged.values())


def get_tags(context: Context, arn: str) -> list[Record]:
    """Return the tags of a resource."""
    return (context.store.get(TAGS, arn) or {"Tags": []})["Tags"]


def add_tags(context: Context, request: Record) -> Record:
    return {"Tags": put_tags(context, _existing(context, request["ResourceArn"]), request["Tags"])}


def list_tags(context: Context, request: Record) -> Record:
    # a resource has at most 50 tags, and a page holds at least 50
    return {"Tags": get_tags(context, _existing(context, request["ResourceArn"]))}


def delete_tags(context: Context, request: Record) -> Record:
    arn = _existing(context, request["ResourceArn"])
    with context.store.transaction():
        kept = [tag for tag in get_tags(context, arn) if tag["Key"] not in request["TagKeys"]]
        context.store.put(TAGS, arn, {"Tags": kept})
    return {}


def _existing(context: Context, arn: str) -> str:
    """Return the ARN as the resource's record has it. Raises ServiceError if there is no such resource."""
    for kind in RESOURCES:
        if kind.is_tagged and f":{kind.arn_type}/" in arn:
            name = arn.rpartition("/")[2] if kind is PIPELINE_EXECUTION else arn.partition(f":{kind.arn_type}/")[2]
            record = context.jobs.find(kind.kind, name) if kind.is_job else context.store.get(kind.kind, name.lower())
            if record is not None and record[kind.arn_member].lower() == arn.lower():
                return record[kind.arn_member]
    raise ServiceError("ResourceNotFound", f"Resource '{arn}' does not exist.")


OPERATIONS = {"AddTags": add_tags, "ListTags": list_tags, "DeleteTags": delete_tags}
