"""Members of requests that moto ignores are refused by name, or obeyed."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_sagemaker.conftest import MakeClient
from tests.local_sagemaker.machine import ROLE

TAGS = [{"Key": "k", "Value": "v"}]
STACK = {"StackName": "s", "TemplateBody": "{}"}


@pytest.mark.parametrize(
    ("service", "operation", "request_", "refused"),
    [
        ("cloudformation", "create_stack", {**STACK, "OnFailure": "DO_NOTHING"}, "OnFailure"),
        ("cloudformation", "delete_stack", {"StackName": "s", "RetainResources": ["B"]}, "RetainResources"),
        ("events", "create_event_bus", {"Name": "b", "LogConfig": {"Level": "INFO"}}, "LogConfig"),
        ("cloudwatch", "put_dashboard", {"DashboardName": "d", "DashboardBody": "{}", "Tags": TAGS}, "Tags"),
        ("sns", "create_topic", {"Name": "t", "DataProtectionPolicy": "{}"}, "DataProtectionPolicy"),
    ],
)
def test_members_that_would_be_ignored_are_refused(
    client: MakeClient, service: str, operation: str, request_: dict[str, Any], refused: str
) -> None:
    with pytest.raises(ClientError, match=f"the local SageMaker does not support {refused} of "):
        getattr(client(service), operation)(**request_)


def test_members_with_their_default_are_accepted(client: MakeClient) -> None:
    cloudformation = client("cloudformation")
    template = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    cloudformation.create_stack(
        StackName="defaults", TemplateBody=template, OnFailure="ROLLBACK", DisableRollback=False
    )
    cloudformation.delete_stack(StackName="defaults", DeletionMode="STANDARD")


def test_an_update_of_a_schedule_sets_its_action_after_completion(client: MakeClient) -> None:
    scheduler = client("scheduler")
    schedule: dict[str, Any] = {
        "Name": "with-action",
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "RoleArn": ROLE},
    }
    scheduler.create_schedule(**schedule)
    scheduler.update_schedule(**schedule, ActionAfterCompletion="DELETE")
    assert scheduler.get_schedule(Name="with-action")["ActionAfterCompletion"] == "DELETE"


def test_alarms_are_described_in_pages_by_prefix_and_state(client: MakeClient) -> None:
    cloudwatch = client("cloudwatch")
    for name in ("paged-c", "paged-a", "paged-b", "paged-d", "other"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
    cloudwatch.set_alarm_state(AlarmName="paged-d", StateValue="ALARM", StateReason="test")
    request = {"AlarmNamePrefix": "paged-", "StateValue": "INSUFFICIENT_DATA", "MaxRecords": 2}
    first = cloudwatch.describe_alarms(**request)
    second = cloudwatch.describe_alarms(**request, NextToken=first["NextToken"])
    assert [alarm["AlarmName"] for alarm in first["MetricAlarms"]] == ["paged-a", "paged-b"]
    assert [alarm["AlarmName"] for alarm in second["MetricAlarms"]] == ["paged-c"]
    assert "NextToken" not in second
    composite = cloudwatch.describe_alarms(AlarmNamePrefix="paged-", AlarmTypes=["CompositeAlarm"])
    assert composite["MetricAlarms"] == composite["CompositeAlarms"] == []
    both = cloudwatch.describe_alarms(AlarmNamePrefix="paged-", AlarmTypes=["CompositeAlarm", "MetricAlarm"])
    assert len(both["MetricAlarms"]) == 4
