"""The state-change events that SageMaker sends to EventBridge when a record changes.

Their format is documented in "Events that Amazon SageMaker AI sends to Amazon EventBridge" of SageMaker's developer
guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_sagemaker.executions.definition import DefinitionError, parse
from local_sagemaker.protocol.shapes import operation_model, shaped
from local_sagemaker.protocol.times import iso_time
from local_sagemaker.storage.record_kinds import EXECUTION_STEPS, PIPELINE_EXECUTION, RESOURCES, RecordKind
from local_sagemaker.storage.records import Record, RecordStore

# detail-type, resources and detail
Event = dict[str, Any]


OBSERVED_KINDS = {kind.kind: kind for kind in RESOURCES if kind.event_title is not None}
RECORD_KINDS = (*OBSERVED_KINDS, PIPELINE_EXECUTION.kind, EXECUTION_STEPS)


def state_changes(store: RecordStore, kind: str, name: str, before: Record | None, after: Record | None) -> list[Event]:
    """Make the events of a change of a record.

    Args:
        store: Holds the tags and executions that the events name.
        kind: One of `RECORD_KINDS`.
        name: The record's name.
        before: The record before the change, None if it was created.
        after: The record after the change, None if it was deleted.
    """
    if kind == PIPELINE_EXECUTION.kind:
        return list(_execution_changes(before, after))
    if kind == EXECUTION_STEPS:
        return list(_step_changes(store, name, before, after))
    resource = OBSERVED_KINDS[kind]
    # an endpoint is never gone without the event of its deletion
    if kind == "endpoint" and after is None and before is not None and before["EndpointStatus"] != "Deleting":
        return [_event(store, resource, {**before, "EndpointStatus": "Deleting"})]
    if after is None:
        return []
    changed = [member for member in resource.event_members if (before or {}).get(member) != after.get(member)]
    return [_event(store, resource, after, changed if before else [])] if changed or before is None else []


def _event(store: RecordStore, resource: RecordKind, record: Record, changed: list[str] | None = None) -> Event:
    shape = operation_model("sagemaker", f"Describe{resource.noun}").output_shape
    arn = record[resource.arn_member]
    detail = _with_times(shape, shaped(shape, record), resource.event_times_are_iso)
    if resource.noun == "Endpoint":
        detail["EndpointStatus"] = _upper_snake(detail["EndpointStatus"])
    if resource.noun == "ModelPackage":
        detail["UpdatedModelPackageFields"] = changed or []
    else:
        tags = (store.get("tags", arn) or {"Tags": []})["Tags"]
        detail["Tags"] = {tag["Key"]: tag["Value"] for tag in tags}
    return {"detail-type": f"SageMaker {resource.event_title} State Change", "resources": [arn], "detail": detail}


def _execution_changes(before: Record | None, after: Record | None) -> Iterator[Event]:
    status = "PipelineExecutionStatus"
    if after is None or (before is not None and before[status] == after[status]):
        return
    ended = after["LastModifiedTime"] if after[status] in ("Succeeded", "Failed", "Stopped") else None
    yield {
        "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
        "resources": [after["PipelineArn"], after["PipelineExecutionArn"]],
        "detail": _without_none(
            {
                "pipelineExecutionDescription": after.get("PipelineExecutionDescription"),
                "pipelineExecutionDisplayName": after.get("PipelineExecutionDisplayName"),
                "currentPipelineExecutionStatus": after[status],
                "previousPipelineExecutionStatus": before[status] if before else None,
                "executionStartTime": iso_time(after["CreationTime"]),
                "executionEndTime": iso_time(ended) if ended else None,
                "failureReason": after.get("FailureReason"),
                "pipelineArn": after["PipelineArn"],
                "pipelineExecutionArn": after["PipelineExecutionArn"],
            }
        ),
    }


def _step_changes(
    store: RecordStore, execution_id: str, before: Record | None, after: Record | None
) -> Iterator[Event]:
    previous, current = (before or {"Steps": {}})["Steps"], (after or {"Steps": {}})["Steps"]
    changed = [name for name in current if current[name]["StepStatus"] != previous.get(name, {}).get("StepStatus")]
    execution = store.get(PIPELINE_EXECUTION.kind, execution_id) if changed else None
    if execution is None:
        return
    types = _step_types(store, execution)
    for name in changed:
        step = current[name]
        yield {
            "detail-type": "SageMaker Model Building Pipeline Execution Step Status Change",
            "resources": [execution["PipelineArn"], execution["PipelineExecutionArn"]],
            "detail": _without_none(
                {
                    "metadata": _lower_camel(step.get("Metadata", {})),
                    "cacheHitResult": _lower_camel(step["CacheHitResult"]) if "CacheHitResult" in step else None,
                    "stepName": name,
                    "stepDisplayName": step.get("StepDisplayName"),
                    "stepDescription": step.get("StepDescription"),
                    "stepType": types.get(name),
                    "stepStartTime": iso_time(step["StartTime"]) if "StartTime" in step else None,
                    "stepEndTime": iso_time(step["EndTime"]) if "EndTime" in step else None,
                    "previousStepStatus": previous.get(name, {}).get("StepStatus"),
                    "currentStepStatus": step["StepStatus"],
                    "failureReason": step.get("FailureReason"),
                    "pipelineArn": execution["PipelineArn"],
                    "pipelineExecutionArn": execution["PipelineExecutionArn"],
                }
            ),
        }


def _step_types(store: RecordStore, execution: Record) -> dict[str, str]:
    record = store.get("pipeline-definition", execution["DefinitionDigest"])
    try:
        return {step.name: step.type for step in parse(record["PipelineDefinition"]).steps.values()} if record else {}
    # the execution was started by a version of this package that supported other step types
    except DefinitionError:
        return {}


def _with_times(shape: Shape | None, value: Any, iso: bool) -> Any:
    if isinstance(shape, StructureShape):
        return {name: _with_times(shape.members[name], item, iso) for name, item in value.items()}
    if isinstance(shape, ListShape):
        return [_with_times(shape.member, item, iso) for item in value]
    if isinstance(shape, MapShape):
        return {key: _with_times(shape.value, item, iso) for key, item in value.items()}
    if shape is not None and shape.type_name == "timestamp":
        return iso_time(value) if iso else int(value * 1000)
    return value


def _lower_camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lower_camel(item) for key, item in value.items()}
    return [_lower_camel(item) for item in value] if isinstance(value, list) else value


def _upper_snake(status: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in status).lstrip("_").upper()


def _without_none(detail: Record) -> Record:
    return {member: value for member, value in detail.items() if value is not None}


def decode_record(text: str | None) -> Record | None:
    """Decode a record from the JSON that the store passes to its listeners."""
    return None if text is None else json.loads(text)
