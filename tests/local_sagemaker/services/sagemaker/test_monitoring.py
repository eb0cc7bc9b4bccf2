"""Monitoring schedules and job definitions as clients create, change, list and delete them."""

import re
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from local_sagemaker.model_monitor.monitoring_job import job_of_definition
from local_sagemaker.model_monitor.monitoring_type import MODEL_BIAS, MODEL_QUALITY
from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.machine import ANALYZER, ROLE, Machine
from tests.local_sagemaker.model_monitor.monitoring import (
    INPUT,
    NINE,
    REPORTS,
    RESOURCES,
    clarify,
    data_quality,
    describe,
    endpoint,
    executions,
    model_quality,
    schedule,
)


def refused(machine: Machine, operation: str, **request: Any) -> str:
    with pytest.raises(ServiceError) as raised:
        machine.service.call(operation, request)
    return str(raised.value)


def names(machine: Machine, **query: Any) -> list[str]:
    found = machine.service.call("ListMonitoringSchedules", query)["MonitoringScheduleSummaries"]
    return [one["MonitoringScheduleName"] for one in found]


@pytest.fixture(autouse=True)
def watched(machine: Machine) -> None:
    endpoint(machine)
    data_quality(machine)


def test_a_schedule_is_described_as_it_was_created_until_it_is_deleted(machine: Machine) -> None:
    arn = schedule(machine)
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:monitoring-schedule/hourly"
    described = describe(machine)
    assert isinstance(described.pop("CreationTime"), float) and isinstance(described.pop("LastModifiedTime"), float)
    assert described == {
        "MonitoringScheduleArn": arn,
        "MonitoringScheduleName": "hourly",
        "MonitoringScheduleStatus": "Scheduled",
        "MonitoringType": "DataQuality",
        "EndpointName": "Churn",
        "MonitoringScheduleConfig": {
            "MonitoringJobDefinitionName": "columns",
            "MonitoringType": "DataQuality",
            "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
        },
    }
    machine.service.call("DeleteMonitoringSchedule", {"MonitoringScheduleName": "hourly"})
    for operation in ("Describe", "Delete", "Stop", "Start"):
        message = refused(machine, f"{operation}MonitoringSchedule", MonitoringScheduleName="hourly")
        assert message == f"ResourceNotFound: Monitoring Schedule {arn} not found"


def test_a_name_is_taken_once_whatever_its_case(machine: Machine) -> None:
    schedule(machine)
    with pytest.raises(ServiceError, match=r"ResourceInUse: .*monitoring-schedule/hourly already exists"):
        schedule(machine, "Hourly")
    with pytest.raises(ServiceError, match=r"ResourceInUse: .*data-quality-job-definition/columns already exists"):
        data_quality(machine, "Columns")


def test_the_job_may_be_defined_in_the_schedule(machine: Machine) -> None:
    target = {"S3Uri": REPORTS, "LocalPath": "/opt/ml/processing/output"}
    job = {
        "MonitoringInputs": [{"EndpointInput": {"EndpointName": "churn", "LocalPath": INPUT}}],
        "MonitoringOutputConfig": {"MonitoringOutputs": [{"S3Output": target}]},
        "MonitoringResources": RESOURCES,
        "MonitoringAppSpecification": {"ImageUri": ANALYZER},
        "RoleArn": ROLE,
    }
    schedule(machine, MonitoringJobDefinition=job)
    assert describe(machine)["MonitoringScheduleConfig"]["MonitoringJobDefinition"] == job
    assert (describe(machine)["MonitoringType"], describe(machine)["EndpointName"]) == ("DataQuality", "Churn")
    with pytest.raises(ServiceError, match="not both"):
        schedule(machine, "both", MonitoringJobDefinition=job, MonitoringJobDefinitionName="columns")
    for type_, missing in (
        ("ModelQuality", "GroundTruthS3Input"),
        ("ModelBias", "ConfigUri"),
        ("ModelExplainability", "ConfigUri"),
    ):
        words = f"{type_} schedule requires a MonitoringJobDefinitionName, .* has a {missing}"
        with pytest.raises(ServiceError, match=words):
            schedule(machine, "other", MonitoringJobDefinition=job, MonitoringType=type_)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"ScheduleConfig": {"ScheduleExpression": "cron(0/10 * ? * * *)"}}, "a schedule runs once per hour at most"),
        ({"MonitoringJobDefinitionName": "missing"}, "ResourceNotFound: Job Definition .*/missing not found"),
        ({"MonitoringType": "ModelBias"}, "ResourceNotFound: Job Definition .*bias-job-definition/columns not found"),
    ],
)
def test_a_schedule_that_cannot_run_here_is_refused(machine: Machine, config: dict[str, Any], words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        schedule(machine, **config)
    assert names(machine) == []


def test_a_definition_that_cannot_run_here_is_refused(machine: Machine) -> None:
    image = {"ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/mine:1"}
    with pytest.raises(ServiceError, match="mine:1' cannot run on this machine in a processing job"):
        data_quality(machine, "other", DataQualityAppSpecification=image)
    target = {"S3Uri": "https://bucket/reports", "LocalPath": "/opt/ml/processing/output"}
    with pytest.raises(ServiceError, match="'https://bucket/reports' is not an S3 URI"):
        data_quality(machine, "other", DataQualityJobOutputConfig={"MonitoringOutputs": [{"S3Output": target}]})
    for member in ("FeaturesAttribute", "ExcludeFeaturesAttribute"):
        source = {"EndpointName": "Churn", "LocalPath": INPUT, member: "features"}
        with pytest.raises(ServiceError, match=f" {member} for DataQuality monitoring; remove it"):
            data_quality(machine, "other", DataQualityJobInput={"EndpointInput": source})


def test_a_schedule_needs_its_endpoint(machine: Machine) -> None:
    machine.store.delete("endpoint", "churn")
    with pytest.raises(ServiceError, match=r'Could not find endpoint ".*/churn"'):
        schedule(machine)


def test_a_stopped_schedule_is_not_due_until_it_is_started_again(machine: Machine) -> None:
    schedule(machine)
    machine.store.update("monitoring-schedule", "hourly", NextDue=NINE.timestamp())
    machine.service.call("StopMonitoringSchedule", {"MonitoringScheduleName": "hourly"})
    assert describe(machine)["MonitoringScheduleStatus"] == "Stopped"
    assert machine.scheduler.run_due(datetime.now(NINE.tzinfo)) is None
    assert executions(machine) == []
    machine.service.call("StartMonitoringSchedule", {"MonitoringScheduleName": "hourly"})
    now = datetime.now(NINE.tzinfo)
    due = machine.scheduler.run_due(now)
    assert due is not None and due > now and executions(machine) == []


def test_an_update_replaces_the_configuration(machine: Machine) -> None:
    schedule(machine)
    batch = {
        "DataCapturedDestinationS3Uri": "s3://bucket/batch",
        "DatasetFormat": {"Csv": {"Header": True}},
        "LocalPath": "/opt/ml/processing/input/batch",
    }
    data_quality(machine, "batches", BatchTransformInput=batch)
    config = {
        "MonitoringJobDefinitionName": "batches",
        "MonitoringType": "DataQuality",
        "ScheduleConfig": {"ScheduleExpression": "cron(0 5 ? * * *)"},
    }
    request = {"MonitoringScheduleName": "hourly", "MonitoringScheduleConfig": config}
    machine.service.call("UpdateMonitoringSchedule", request)
    described = describe(machine)
    assert described["MonitoringScheduleConfig"] == config and "EndpointName" not in described
    due = machine.scheduler.run_due(datetime.now(NINE.tzinfo))
    assert due is not None and due.hour == 5


def test_schedules_are_listed_by_name_endpoint_type_definition_and_status(machine: Machine) -> None:
    model_quality(machine)
    schedule(machine, "columns-hourly")
    schedule(machine, "answers-hourly", "answers", "ModelQuality")
    machine.service.call("StopMonitoringSchedule", {"MonitoringScheduleName": "answers-hourly"})
    assert names(machine) == ["answers-hourly", "columns-hourly"]
    assert names(machine, SortBy="Name", SortOrder="Ascending", MaxResults=1) == ["answers-hourly"]
    assert names(machine, NameContains="COL") == ["columns-hourly"]
    assert names(machine, EndpointName="Churn", MonitoringTypeEquals="ModelQuality") == ["answers-hourly"]
    assert names(machine, MonitoringJobDefinitionName="columns") == ["columns-hourly"]
    assert names(machine, StatusEquals="Stopped") == ["answers-hourly"]
    assert names(machine, EndpointName="Other") == []


@pytest.mark.parametrize(
    ("type_", "create"),
    [
        ("DataQuality", data_quality),
        ("ModelQuality", model_quality),
        ("ModelBias", lambda machine, name: clarify(machine, "ModelBias", name)),
        ("ModelExplainability", lambda machine, name: clarify(machine, "ModelExplainability", name)),
    ],
)
def test_a_definition_is_described_listed_and_deleted(machine: Machine, type_: str, create: Any) -> None:
    arn = create(machine, "Mine")
    assert arn.endswith(f":{re.sub(r'(?<!^)(?=[A-Z])', '-', type_).lower()}-job-definition/mine")
    described = machine.service.call(f"Describe{type_}JobDefinition", {"JobDefinitionName": "mine"})
    assert (described["JobDefinitionArn"], described["JobDefinitionName"]) == (arn, "Mine")
    assert described[f"{type_}JobInput"]["EndpointInput"]["EndpointName"] == "Churn"
    query = {"NameContains": "min", "EndpointName": "Churn"}
    [summary] = machine.service.call(f"List{type_}JobDefinitions", query)["JobDefinitionSummaries"]
    assert (summary["MonitoringJobDefinitionName"], summary["MonitoringJobDefinitionArn"]) == ("Mine", arn)
    machine.service.call(f"Delete{type_}JobDefinition", {"JobDefinitionName": "Mine"})
    assert refused(machine, f"Describe{type_}JobDefinition", JobDefinitionName="Mine").startswith("ResourceNotFound")


def test_a_definition_cannot_be_deleted_while_a_schedule_uses_it(machine: Machine) -> None:
    schedule(machine, definition="Columns")
    message = refused(machine, "DeleteDataQualityJobDefinition", JobDefinitionName="columns")
    assert message.startswith("ResourceInUse") and "monitoring-schedule/hourly; delete that first" in message
    machine.service.call("DeleteMonitoringSchedule", {"MonitoringScheduleName": "hourly"})
    machine.service.call("DeleteDataQualityJobDefinition", {"JobDefinitionName": "columns"})


def test_a_baselining_job_stands_for_its_output_files(machine: Machine) -> None:
    machine.process("baselining", outputs=("result",))
    data_quality(machine, "from-job", DataQualityBaselineConfig={"BaseliningJobName": "baselining"})
    with pytest.raises(ServiceError, match="Could not find requested job with name: other"):
        data_quality(machine, "from-none", DataQualityBaselineConfig={"BaseliningJobName": "other"})
    for type_, files in (
        (MODEL_QUALITY, {"constraints": "constraints.json", "statistics": "statistics.json"}),
        (MODEL_BIAS, {"constraints": "analysis.json"}),
    ):
        (model_quality if type_ is MODEL_QUALITY else partial(clarify, type_="ModelBias"))(machine, name="some")
        definition = machine.service.call(f"Describe{type_.name}JobDefinition", {"JobDefinitionName": "some"})
        definition[f"{type_.name}BaselineConfig"] = {"BaseliningJobName": "baselining"}
        baseline = job_of_definition(type_, definition, machine.service.call).baseline
        assert baseline == {part: f"s3://bucket/baselining/result/{file}" for part, file in files.items()}


def test_schedules_and_definitions_have_tags(machine: Machine) -> None:
    tag = {"Key": "team", "Value": "a"}
    arns = [data_quality(machine, "tagged", Tags=[tag]), schedule(machine)]
    machine.service.call("AddTags", {"ResourceArn": arns[1], "Tags": [tag]})
    for arn in arns:
        assert machine.service.call("ListTags", {"ResourceArn": arn})["Tags"] == [tag]
