"""What all List operations have in common: order, filters, pages, and that they read no more than they return."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import operation_model
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.record_kinds import (
    KINDS,
    MODEL,
    MODEL_PACKAGE,
    PIPELINE_EXECUTION,
    TRAINING_JOB,
    RecordKind,
)
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record, RecordStore
from tests.local_sagemaker.machine import Machine

# operations that list records of a kind, with the members that they need
LISTS: dict[str, tuple[RecordKind, Record]] = {
    "ListPipelines": (record_kinds.PIPELINE, {}),
    "ListPipelineExecutions": (PIPELINE_EXECUTION, {"PipelineName": "parent"}),
    "ListProcessingJobs": (record_kinds.PROCESSING_JOB, {}),
    "ListTrainingJobs": (TRAINING_JOB, {}),
    "ListTransformJobs": (record_kinds.TRANSFORM_JOB, {}),
    "ListHyperParameterTuningJobs": (record_kinds.TUNING_JOB, {}),
    "ListModels": (MODEL, {}),
    "ListMonitoringSchedules": (record_kinds.MONITORING_SCHEDULE, {}),
    "ListMonitoringExecutions": (record_kinds.MONITORING_EXECUTION, {}),
    "ListDataQualityJobDefinitions": (record_kinds.DATA_QUALITY_JOB_DEFINITION, {}),
    "ListModelQualityJobDefinitions": (record_kinds.MODEL_QUALITY_JOB_DEFINITION, {}),
    "ListModelBiasJobDefinitions": (record_kinds.MODEL_BIAS_JOB_DEFINITION, {}),
    "ListModelExplainabilityJobDefinitions": (record_kinds.MODEL_EXPLAINABILITY_JOB_DEFINITION, {}),
    "ListEndpointConfigs": (record_kinds.ENDPOINT_CONFIG, {}),
    "ListEndpoints": (record_kinds.ENDPOINT, {}),
    "ListModelPackageGroups": (record_kinds.MODEL_PACKAGE_GROUP, {}),
    "ListMlflowApps": (record_kinds.MLFLOW_APP, {}),
    "ListMlflowTrackingServers": (record_kinds.MLFLOW_TRACKING_SERVER, {}),
    "ListFeatureGroups": (record_kinds.FEATURE_GROUP, {}),
    "ListModelPackages": (MODEL_PACKAGE, {"ModelPackageType": "Both"}),
}
VALUES = {str: "text", int: 1, record_kinds.TIME: 1.0, list: [], dict: {}}


def record_of(kind: RecordKind, name: str, created: float = 1.0, **members: Any) -> Record:
    """Return a record that has no more than its kind requires, and some members."""
    record: Record = {}
    for path, types in kind.required_types.items():
        *parents, last = path.split(".")
        place = record
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = VALUES[types]  # type: ignore[index]
    return record | {kind.column_paths["title"]: name, "CreationTime": created, **members}


def put(machine: Machine, kind: RecordKind, name: str, created: float = 1.0, **members: Any) -> None:
    machine.store.put(kind.kind, name, record_of(kind, name, created, **members))


def listed(machine: Machine, operation: str, **request: Any) -> tuple[list[str], Record]:
    """Return the creation times of what an operation lists, and its NextToken in a request's form."""
    answer = machine.service.call(operation, {**LISTS[operation][1], **request})
    (summaries,) = (value for value in answer.values() if isinstance(value, list))
    token = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}
    return [summary.get("CreationTime", summary.get("StartTime")) for summary in summaries], token


@pytest.fixture
def parent(machine: Machine) -> None:
    put(machine, record_kinds.PIPELINE, "parent", PipelineArn="text")


def test_every_kind_of_resource_has_a_list() -> None:
    assert {kind.kind for kind, _ in LISTS.values()} == {kind.kind for kind in record_kinds.RESOURCES}


@pytest.mark.parametrize("operation", LISTS)
def test_the_default_order_is_the_documented_one(machine: Machine, operation: str, parent: None) -> None:
    kind, _ = LISTS[operation]
    if kind is record_kinds.PIPELINE:
        machine.store.delete(kind.kind, "parent")
    # sorted by name and time, ascending and descending, these differ
    for name, created in (("b", 1.0), ("c", 2.0), ("a", 3.0)):
        put(machine, kind, name, created)
    by, order = documented(operation, "SortBy", "CreationTime"), documented(operation, "SortOrder", "Descending")
    expected = [3.0, 1.0, 2.0] if by == "Name" else [1.0, 2.0, 3.0]
    assert listed(machine, operation)[0] == (expected if order == "Ascending" else expected[::-1])


def documented(operation: str, member: str, default: str) -> str:
    """Return the default of a member by the API reference; the documentation of some has none."""
    shape = operation_model("sagemaker", operation).input_shape
    assert shape is not None
    found = re.search(r"default is (?:<code>)?(\w+)", shape.members[member].documentation)
    # the two lists of pipelines say CreatedTime, which is no value of SortBy
    return found.group(1).replace("CreatedTime", "CreationTime") if found else default


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    times=st.lists(st.integers(0, 3).map(float), min_size=1, max_size=8),
    added=st.lists(st.integers(0, 3).map(float), max_size=3),
    size=st.integers(1, 4),
    request_=st.fixed_dictionaries(
        {"SortBy": st.sampled_from(["Name", "CreationTime"]), "SortOrder": st.sampled_from(["Ascending", "Descending"])}
    ),
)
def test_pages_hold_each_record_once_while_others_are_added(
    machine: Machine, times: list[float], added: list[float], size: int, request_: Record
) -> None:
    for name in machine.store.names(Query("model")):
        machine.store.delete("model", name)
    names = (f"m{number * 7919 % 100:02}" for number in itertools.count())
    for created in times:
        put(machine, MODEL, next(names), created)
    before = {record["ModelName"] for record in machine.store.all("model")}
    seen: list[str] = []
    token: Record = {}
    for created in itertools.chain(added, itertools.repeat(None)):
        answer = machine.service.call("ListModels", {**request_, **token, "MaxResults": size})
        seen += [model["ModelName"] for model in answer["Models"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
        if created is not None:
            put(machine, MODEL, next(names), created)
    assert len(set(seen)) == len(seen)
    assert before <= set(seen)
    if request_["SortBy"] == "Name":
        assert seen == sorted(seen, reverse=request_["SortOrder"] == "Descending")


def test_a_token_of_another_list_is_refused(machine: Machine) -> None:
    for number in range(3):
        put(machine, MODEL, f"m{number}")
    _, token = listed(machine, "ListModels", MaxResults=1)
    huge = base64.urlsafe_b64encode(json.dumps(["created", 1 << 64, 1]).encode()).decode()
    for request in ({**token, "SortBy": "Name"}, *({"NextToken": text} for text in ("eHg=", "WzEsMl0=", huge))):
        with pytest.raises(ServiceError, match="Invalid NextToken"):
            listed(machine, "ListModels", **request)
    for operation, request in (("ListModels", {"SortOrder": "Ascending"}), ("ListEndpointConfigs", {})):
        with pytest.raises(ServiceError, match="Invalid NextToken"):
            listed(machine, operation, **token, **request)


def test_training_jobs_are_taken_by_the_page_before_they_are_filtered_by_status(machine: Machine) -> None:
    for number in range(4):
        status = "Completed" if number % 2 else "Failed"
        put(machine, TRAINING_JOB, f"j{number}", float(number), TrainingJobStatus=status)
    first, token = listed(machine, "ListTrainingJobs", StatusEquals="Completed", MaxResults=3)
    assert (first, bool(token)) == ([1.0], True)
    assert listed(machine, "ListTrainingJobs", StatusEquals="Completed", MaxResults=3, **token) == ([3.0], {})
    assert listed(machine, "ListTrainingJobs", StatusEquals="Completed") == ([1.0, 3.0], {})


@pytest.mark.parametrize(
    ("operation", "filters", "members"),
    [
        ("ListTrainingJobs", {"StatusEquals": "Failed"}, {"TrainingJobStatus": "Failed"}),
        ("ListTrainingJobs", {"LastModifiedTimeAfter": 5}, {"LastModifiedTime": 5.0}),
        ("ListTrainingJobs", {"NameContains": "DD"}, {"TrainingJobName": "odd"}),
        ("ListModelPackages", {"ModelApprovalStatus": "Approved"}, {"ModelApprovalStatus": "Approved"}),
        ("ListModelPackages", {"ModelPackageType": "Versioned"}, {"ModelPackageGroupName": "g"}),
        ("ListPipelines", {"PipelineNamePrefix": "Od"}, {"PipelineName": "Odd"}),
        ("ListMonitoringExecutions", {"ScheduledTimeAfter": 5}, {"ScheduledTime": 5.0}),
        ("ListMonitoringExecutions", {"MonitoringScheduleName": "S"}, {"MonitoringScheduleName": "s"}),
        ("ListMonitoringExecutions", {"MonitoringTypeEquals": "DataQuality"}, {"MonitoringType": "DataQuality"}),
        ("ListMonitoringExecutions", {"MonitoringJobDefinitionName": "d"}, {"MonitoringJobDefinitionName": "d"}),
        ("ListMonitoringSchedules", {"EndpointName": "e"}, {"EndpointName": "e"}),
        (
            "ListDataQualityJobDefinitions",
            {"EndpointName": "e"},
            {"DataQualityJobInput": {"EndpointInput": {"EndpointName": "e"}}},
        ),
        ("ListModels", {"CreationTimeAfter": 5, "CreationTimeBefore": 5}, {"CreationTime": 5.0}),
    ],
)
def test_a_filter_leaves_out_what_does_not_match(
    machine: Machine, operation: str, filters: Record, members: Record
) -> None:
    kind, _ = LISTS[operation]
    put(machine, kind, "even")
    put(machine, kind, "odd", **{"CreationTime": 2.0, **members})  # type: ignore[arg-type]
    assert listed(machine, operation, **filters)[0] == [members.get("CreationTime", 2.0)]


def test_listing_describing_and_creating_read_no_record_that_they_do_not_need(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = machine.service.call
    call("CreateModelPackageGroup", {"ModelPackageGroupName": "g"})
    for number in range(60):
        call("CreateModelPackage", {"ModelPackageGroupName": "g", "ClientToken": f"{number}"})
        put(machine, TRAINING_JOB, f"j{number}")
        put(machine, PIPELINE_EXECUTION, f"{number}", PipelineArn="text", PipelineExecutionStatus="Succeeded")
    put(machine, record_kinds.PIPELINE, "parent", PipelineArn="text")
    read: list[str] = []
    decoded = RecordStore._decoded

    def counted(store: RecordStore, kind: str, name: str, text: str) -> Record:
        read.append(kind)
        return decoded(store, kind, name, text)

    monkeypatch.setattr(RecordStore, "_decoded", counted)
    operations: list[Callable[[], Any]] = [
        lambda: call("ListModelPackages", {"ModelPackageGroupName": "g", "MaxResults": 3}),
        lambda: call("ListModelPackages", {"ModelPackageGroupName": "g", "ModelApprovalStatus": "Approved"}),
        lambda: call("CreateModelPackage", {"ModelPackageGroupName": "g", "ClientToken": "59"}),
        lambda: call("CreateModelPackage", {"ModelPackageGroupName": "g", "ClientToken": "new"}),
        lambda: call("ListTrainingJobs", {"NameContains": "J1", "MaxResults": 3}),
        lambda: call("ListTrainingJobs", {"StatusEquals": "Failed"}),
        lambda: call("ListTags", {"ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/g"}),
        lambda: call("ListPipelineExecutions", {"PipelineName": "parent", "MaxResults": 3}),
        lambda: machine.executor.recover(),
        lambda: machine.scheduler.start(),
        lambda: machine.app.busy(),
    ]
    for number, operation in enumerate(operations):
        read.clear()
        operation()
        assert len(read) <= 6, (number, read)


@pytest.mark.parametrize(
    "query",
    [
        Query("model"),
        Query("model", sort="created"),
        Query("model", sort="title", descending=True),
        Query("model", sort="created", containing="x"),
        Query("training-job", equal={"status": ("InProgress", "Stopping")}),
        Query("training-job", equal={"title": "Name"}),
        Query("model-package", equal={"parent": "g"}, sort="created"),
        Query("model-package", equal={"parent": "g", "approval": "Approved"}, sort="created", descending=True),
        Query("model-package", equal={"parent": "g", "token": "t"}),
        Query("model-package", lacking=["parent"], sort="created"),
        Query("monitoring-execution", equal={"parent": "s"}, sort="scheduled", descending=True),
    ],
)
def test_queries_use_an_index(machine: Machine, query: Query) -> None:
    for after in (None, (1.0, 1)):
        statement, values = query.select(after, 10)
        plan = [step for *_, step in machine.app.database.read(f"EXPLAIN QUERY PLAN {statement}", values)]
        assert all("SCAN records" not in step for step in plan), plan
        assert any("USING" in step and "INDEX" in step and "kind=?" in step for step in plan), plan


def test_all_kinds_are_in_the_table() -> None:
    assert set(KINDS) > {kind.kind for kind in record_kinds.RESOURCES}
