"""State-change events of SageMaker's resources."""

from typing import Any

import pytest

from local_sagemaker.events.state_changes import RECORD_KINDS, decode_record, state_changes
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, Machine, Record
from tests.local_sagemaker.steps import fail, processing, run


@pytest.fixture
def events(machine: Machine) -> list[Record]:
    """Events so far; the list grows."""
    seen: list[Record] = []

    def listen(kind: str, name: str, before: str | None, after: str | None) -> None:
        seen.extend(state_changes(machine.store, kind, name, decode_record(before), decode_record(after)))

    machine.store.listen(RECORD_KINDS, listen)
    return seen


def details(events: list[Record], subject: str, *members: str) -> list[Any]:
    found = [event["detail"] for event in events if event["detail-type"] == f"SageMaker {subject}"]
    return [tuple(detail.get(member) for member in members) for detail in found]


def test_a_model_package_sends_events_of_its_creation_and_approval(machine: Machine, events: list[Record]) -> None:
    call = machine.service.call
    call("CreateModelPackageGroup", {"ModelPackageGroupName": "churn"})
    arn = call(
        "CreateModelPackage",
        {
            "ModelPackageGroupName": "churn",
            "InferenceSpecification": {
                "Containers": [{"Image": SCIKIT_LEARN}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        },
    )["ModelPackageArn"]
    call("UpdateModelPackage", {"ModelPackageArn": arn, "CustomerMetadataProperties": {"k": "v"}})
    call("UpdateModelPackage", {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"})
    call("UpdateModelPackage", {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"})
    call("DeleteModelPackage", {"ModelPackageName": arn})
    members = ("ModelPackageGroupName", "ModelPackageVersion", "ModelApprovalStatus", "UpdatedModelPackageFields")
    assert details(events, "Model Package State Change", *members) == [
        ("churn", 1, "PendingManualApproval", []),
        ("churn", 1, "Approved", ["ModelApprovalStatus"]),
    ]
    approved = events[-1]
    assert approved["resources"] == [approved["detail"]["ModelPackageArn"]] == [arn]
    assert approved["detail"]["CreationTime"].endswith("Z")
    assert approved["detail"]["CustomerMetadataProperties"] == {"k": "v"}
    assert "ClientToken" not in approved["detail"]


def test_an_execution_and_its_steps_send_an_event_for_each_status(machine: Machine, events: list[Record]) -> None:
    made = processing(machine, "Make", DisplayName="Make it")
    execution, _ = run(machine, [made, fail("Stop", "enough", DependsOn=["Make"])])
    arn, pipeline = execution["PipelineExecutionArn"], execution["PipelineArn"]
    status = ("previousPipelineExecutionStatus", "currentPipelineExecutionStatus")
    assert details(events, "Model Building Pipeline Execution Status Change", *status) == [
        (None, "Executing"),
        ("Executing", "Failed"),
    ]
    step = ("stepName", "stepType", "previousStepStatus", "currentStepStatus", "failureReason")
    step_changes = details(events, "Model Building Pipeline Execution Step Status Change", *step)
    assert step_changes[-2:] == [
        ("Make", "Processing", "Executing", "Succeeded", None),
        ("Stop", "Fail", None, "Failed", "enough"),
    ]
    last = next(event for event in events if event["detail"].get("currentStepStatus") == "Succeeded")
    assert last["resources"] == [pipeline, arn]
    assert last["detail"]["metadata"]["processingJob"]["arn"].startswith("arn:aws:sagemaker:")
    assert last["detail"]["stepDisplayName"] == "Make it"
    ended = [event["detail"] for event in events if "executionEndTime" in event["detail"]]
    assert [detail["pipelineExecutionArn"] for detail in ended] == [arn]


def test_a_job_sends_an_event_with_its_tags_for_each_status(machine: Machine, events: list[Record]) -> None:
    machine.train("job", "raise SystemExit(1)")
    machine.service.call("CreateProcessingJob", {**machine.processing("one", ""), "Tags": [{"Key": "a", "Value": "b"}]})
    machine.jobs.wait("processing-job", "one", 30)
    statuses = [status for status, _ in details(events, "Training Job State Change", "TrainingJobStatus", "RoleArn")]
    assert (statuses[0], statuses[-1]) == ("InProgress", "Failed")
    assert details(events, "Training Job State Change", "FailureReason", "RoleArn")[-1][1] == ROLE
    assert [*details(events, "Processing Job State Change", "ProcessingJobStatus", "Tags")][-1] == (
        "Completed",
        {"a": "b"},
    )
    created = events[0]["detail"]["CreationTime"]
    assert isinstance(created, int)
    assert created > 1e12


def test_an_endpoint_sends_its_status_in_upper_snake_case(machine: Machine, events: list[Record]) -> None:
    record = {
        "EndpointName": "e",
        "EndpointArn": "arn:e",
        "EndpointConfigName": "c",
        "EndpointStatus": "Creating",
        "CreationTime": 0.0,
    }
    machine.store.put("endpoint", "e", record)
    machine.store.update("endpoint", "e", EndpointStatus="InService")
    machine.store.update("endpoint", "e", EndpointConfigName="d")
    machine.store.delete("endpoint", "e")
    assert details(events, "Endpoint State Change", "EndpointStatus") == [("CREATING",), ("IN_SERVICE",), ("DELETING",)]
