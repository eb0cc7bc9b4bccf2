"""What SageMaker tells EventBridge: the events of a record that has changed.

Their form is documented as "Events that Amazon SageMaker AI sends to Amazon EventBridge".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_sagemaker.executions.definition import DefinitionError, parse
from local_sagemaker.executions.steps import STEP_TYPES
from local_sagemaker.protocol.shapes import operation_model, shaped
from local_sagemaker.protocol.times import iso_time
from local_sagemaker.storage.records import RecordStore

Record = dict[str, Any]
# detail-type, resources and detail of an event
Event = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """A kind of records whose changes are told. watched: the members a change of which is an event."""

    noun: str
    title: str
    watched: tuple[str, ...] = ()
    # of registered models the times are told as ISO 8601, of all others in epoch milliseconds
    iso_times: bool = False


SUBJECTS = {
    "training-job": Subject("TrainingJob", "Training Job", ("TrainingJobStatus", "SecondaryStatus")),
    "processing-job": Subject("ProcessingJob", "Processing Job", ("ProcessingJobStatus",)),
    "transform-job": Subject("TransformJob", "Transform Job", ("TransformJobStatus",)),
    "hyper-parameter-tuning-job": Subject(
        "HyperParameterTuningJob", "HyperParameter Tuning Job", ("HyperParameterTuningJobStatus",)
    ),
    "model": Subject("Model", "Model"),
    "model-package": Subject(
        "ModelPackage", "Model Package", ("ModelPackageStatus", "ModelApprovalStatus", "ModelLifeCycle"), True
    ),
    "endpoint-config": Subject("EndpointConfig", "Endpoint Config"),
    "endpoint": Subject("Endpoint", "Endpoint", ("EndpointStatus",)),
}
KINDS = (*SUBJECTS, "pipeline-execution", "execution-steps")


def state_changes(store: RecordStore, kind: str, name: str, before: Record | None, after: Record | None) -> list[Event]:
    """The events of a record that was written: `before` and `after` that, None for no record."""
    if kind == "pipeline-execution":
        return list(_execution_changes(before, after))
    if kind == "execution-steps":
        return list(_step_changes(store, name, before, after))
    subject = SUBJECTS[kind]
    if kind == "endpoint" and after is None and before is not None and before["EndpointStatus"] != "Deleting":
        return [_event(store, subject, {**before, "EndpointStatus": "Deleting"})]
    if after is None:
        return []
    changed = [member for member in subject.watched if (before or {}).get(member) != after.get(member)]
    return [_event(store, subject, after, changed if before else [])] if changed or before is None else []


def _event(store: RecordStore, subject: Subject, record: Record, changed: list[str] | None = None) -> Event:
    shape = operation_model("sagemaker", f"Describe{subject.noun}").output_shape
    arn = record[f"{subject.noun}Arn"]
    detail = _with_times(shape, shaped(shape, record), subject.iso_times)
    if subject.noun == "Endpoint":
        detail["EndpointStatus"] = _upper_snake(detail["EndpointStatus"])
    if subject.noun == "ModelPackage":
        detail["UpdatedModelPackageFields"] = changed or []
    else:
        tags = (store.get("tags", arn) or {"Tags": []})["Tags"]
        detail["Tags"] = {tag["Key"]: tag["Value"] for tag in tags}
    return {"detail-type": f"SageMaker {subject.title} State Change", "resources": [arn], "detail": detail}


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
    execution = store.get("pipeline-execution", execution_id) if changed else None
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
        steps = parse(record["PipelineDefinition"], STEP_TYPES).steps if record else {}
        return {name: step.type for name, step in steps.items()}
    except DefinitionError:  # of another version of this package
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


def as_record(text: str | None) -> Record | None:
    """A record from the JSON that the store tells of a change."""
    return None if text is None else json.loads(text)
