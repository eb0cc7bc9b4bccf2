"""Deletion: all resources of one endpoint, in an order that works, and none of any other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployment.resources import Resource, delete_resources, endpoint_resources
from local_sagemaker.account import ROLE_ARN
from project.errors import UserError
from project.settings import Settings
from tests.deployment.local_account import ClientEvents, LocalAccount, deploy, minimal_settings, package_arn
from tests.local_sagemaker.machine import ANALYZER

ALARM = {
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 0,
}


def put_alarm(account: LocalAccount, name: str, dimension: str = "EndpointName") -> None:
    metric = {
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocations",
        "Dimensions": [{"Name": dimension, "Value": "demo"}],
    }
    account.target.cloudwatch.put_metric_alarm(AlarmName=name, Statistic="Sum", Period=60, **metric, **ALARM)


def put_math_alarm(account: LocalAccount, name: str) -> None:
    metric = {
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocations",
        "Dimensions": [{"Name": "Endpoint", "Value": "demo"}],
    }
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "m", "MetricStat": stat, "ReturnData": False},
        {"Id": "e", "Expression": "m / 2", "ReturnData": True},
    ]
    account.target.cloudwatch.put_metric_alarm(AlarmName=name, Metrics=metrics, **ALARM)


def put_schedule(account: LocalAccount, name: str, content: str) -> None:
    account.target.scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(12 hours)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution",
            "RoleArn": ROLE_ARN,
            "Input": content,
        },
    )


def put_monitoring_schedule(account: LocalAccount) -> None:
    output = {"S3Uri": "s3://bucket/results", "LocalPath": "/opt/ml/processing/output"}
    account.target.sagemaker.create_data_quality_job_definition(
        JobDefinitionName="definition",
        DataQualityAppSpecification={"ImageUri": ANALYZER},
        DataQualityJobInput={"EndpointInput": {"EndpointName": "demo", "LocalPath": "/opt/ml/processing/input"}},
        DataQualityJobOutputConfig={"MonitoringOutputs": [{"S3Output": output}]},
        JobResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}},
        RoleArn=ROLE_ARN,
    )
    account.target.sagemaker.create_monitoring_schedule(
        MonitoringScheduleName="hourly",
        MonitoringScheduleConfig={
            "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
            "MonitoringJobDefinitionName": "definition",
            "MonitoringType": "DataQuality",
        },
    )


def delete(settings: Settings, account: LocalAccount, endpoint: str = "demo") -> list[Resource]:
    deleted: list[Resource] = []
    found = endpoint_resources(settings, account.target, endpoint)
    delete_resources(account.target, found, deleted.append)
    assert deleted == found
    return deleted


def test_an_endpoint_s_schedules_scaling_and_alarms_are_deleted_before_it_and_its_models_last(
    settings: Settings, account: LocalAccount
) -> None:
    deploy(settings, account, 1, challenger=2)
    put_alarm(account, "demo-drift", "Endpoint")
    put_math_alarm(account, "demo-ratio")
    put_schedule(account, "demo-monitoring", json.dumps({"parameters": ["demo"]}))
    put_monitoring_schedule(account)
    assert [resource.kind for resource in delete(settings, account)] == [
        "schedule",
        "monitoring schedule",
        "DataQuality job definition",
        *["scaling"] * 2,
        *["alarm"] * 6,
        "endpoint",
        "endpoint config",
        *["model"] * 2,
    ]
    assert not any(account.state().values())
    sagemaker = account.target.sagemaker
    assert not sagemaker.list_monitoring_schedules()["MonitoringScheduleSummaries"]
    assert not sagemaker.list_data_quality_job_definitions()["JobDefinitionSummaries"]
    assert delete(settings, account) == []


def test_an_endpoint_whose_name_starts_alike_is_kept(settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    deploy(settings, account, endpoint="demo-staging")
    put_schedule(account, "demo-staging-monitoring", json.dumps({"parameters": ["demo-staging"]}))
    delete(settings, account)
    assert account.endpoints() == ["demo-staging"]
    assert len(account.configs()) == len(account.models()) == 1
    assert account.alarms() == ["demo-staging-champion-5xx-errors", "demo-staging-champion-latency"]
    assert account.scaled() == ["endpoint/demo-staging/variant/champion"]
    assert account.schedules() == ["demo-staging-monitoring"]


def test_resources_without_the_project_s_tags_or_names_are_kept(settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    put_alarm(account, "operations")
    account.target.sagemaker.create_model(
        ModelName="demo-v1-abcdef00",
        ExecutionRoleArn=ROLE_ARN,
        PrimaryContainer={"ModelPackageName": package_arn(1)},
    )
    delete(settings, account)
    assert account.alarms() == ["operations"]
    assert account.models() == ["demo-v1-abcdef00"]


def test_another_project_s_endpoint_is_not_deleted(settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    with pytest.raises(UserError, match="does not belong to project 'other' and was not deleted"):
        endpoint_resources(minimal_settings(name="other"), account.target, "demo")


def test_a_resource_that_is_already_gone_is_not_an_error(settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    found = endpoint_resources(settings, account.target, "demo")
    account.target.sagemaker.delete_endpoint_config(EndpointConfigName=account.configs()[0])
    delete_resources(account.target, found)
    assert not any(account.state().values())


def test_an_error_of_a_deletion_is_raised(settings: Settings, account: LocalAccount, events: ClientEvents) -> None:
    put_alarm(account, "demo-drift", "Endpoint")
    events.fail("DeleteAlarms", "AccessDenied", "not allowed")
    with pytest.raises(Exception, match="not allowed"):
        delete(settings, account)


def test_a_schedule_s_endpoint_is_found_in_json_within_json(settings: Settings, account: LocalAccount) -> None:
    inner: Any = json.dumps({"endpoint": ["demo"]})
    put_schedule(account, "demo-daily", json.dumps({"input": inner}))
    put_schedule(account, "demo-other", "{not json")
    assert [resource.name for resource in delete(settings, account)] == ["default/demo-daily"]
