"""Stacks whose rules, alarms and schedules take effect."""

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.events.recorder import RECORDER_SOURCE
from tests.local_sagemaker.machine import ROLE
from tests.local_sagemaker.steps import until


def template(stack: str, **more: Any) -> str:
    """Make a template in which a rule and an alarm invoke a function that records its events.

    Args:
        stack: Names its resources.
        **more: Properties of the function.
    """
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "index.handler",
            "Code": {"ZipFile": RECORDER_SOURCE},
            "Timeout": "60",
            "Environment": {"Variables": {"BUCKET": {"Ref": "Traces"}}},
            **more,
        },
    }
    arn = {"Fn::GetAtt": ["Recorder", "Arn"]}
    resources = {
        "Traces": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"{stack}-traces"}},
        "Recorder": function,
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": stack}},
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "lambda", "Endpoint": arn},
        },
        "Drift": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": stack,
                "Namespace": stack,
                "MetricName": "drift",
                "Statistic": "Maximum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "ComparisonOperator": "GreaterThanThreshold",
                "AlarmActions": [{"Ref": "Topic"}],
            },
        },
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {"EventPattern": {"source": [stack]}, "Targets": [{"Id": "1", "Arn": arn}]},
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Recorder"},
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]},
            },
        },
        "Yearly": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "Name": stack,
                "ScheduleExpression": "cron(0 0 1 1 ? *)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": arn, "RoleArn": ROLE},
            },
        },
    }
    return json.dumps({"Resources": resources, "Outputs": {"Function": {"Value": {"Ref": "Recorder"}}}})


@pytest.fixture
def stack() -> str:
    return f"stack-{uuid.uuid4().hex[:8]}"


def test_resources_of_a_stack_take_effect_and_are_deleted_with_it(client: MakeClient, s3: Client, stack: str) -> None:
    cloudformation, functions = client("cloudformation"), client("lambda")
    cloudformation.create_stack(StackName=stack, TemplateBody=template(stack))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack)
    (output,) = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    name = output["OutputValue"]
    policy = json.loads(functions.get_policy(FunctionName=name)["Policy"])
    assert policy["Statement"][0]["Principal"] == {"Service": "events.amazonaws.com"}
    assert client("scheduler").get_schedule(Name=stack)["State"] == "ENABLED"

    client("events").put_events(Entries=[{"Source": stack, "DetailType": "d", "Detail": "{}"}])
    metric = {"MetricName": "drift", "Value": 2}
    client("cloudwatch").put_metric_data(Namespace=stack, MetricData=[metric])
    bucket = f"{stack}-traces"
    until(lambda: s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 2)

    cloudformation.update_stack(StackName=stack, TemplateBody=template(stack, Timeout=7, Description="changed"))
    configuration = functions.get_function_configuration(FunctionName=name)
    assert (configuration["Timeout"], configuration["Description"]) == (7, "changed")

    for item in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    cloudformation.delete_stack(StackName=stack)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_function(FunctionName=name)
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=bucket)
    assert client("cloudwatch").describe_alarms(AlarmNames=[stack])["MetricAlarms"] == []
    assert client("events").list_rules(NamePrefix=stack)["Rules"] == []
    assert client("scheduler").list_schedules(NamePrefix=stack)["Schedules"] == []


def test_a_change_set_creates_and_updates_a_stack_with_outputs_and_exports(client: MakeClient, stack: str) -> None:
    cloudformation = client("cloudformation")

    def body(**properties: str) -> str:
        topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": stack, **properties}}
        output = {"Value": {"Ref": "Topic"}, "Export": {"Name": f"{stack}-Topic"}}
        absent = {"Value": {"Ref": "Gone"}, "Condition": "Never", "Export": {"Name": f"{stack}-Gone"}}
        return json.dumps(
            {
                "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
                "Resources": {"Topic": topic, "Gone": {"Type": "AWS::SNS::Topic", "Condition": "Never"}},
                "Outputs": {"Topic": output, "Gone": absent},
            }
        )

    def execute(kind: str, template: str) -> str:
        request = {"StackName": stack, "ChangeSetName": f"set-{uuid.uuid4().hex}"}
        cloudformation.create_change_set(**request, ChangeSetType=kind, TemplateBody=template)
        status: str = cloudformation.describe_change_set(**request)["Status"]
        if status == "CREATE_COMPLETE":
            cloudformation.execute_change_set(**request)
        return status

    assert execute("CREATE", body()) == "CREATE_COMPLETE"
    (output,) = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    assert output["OutputValue"].endswith(f":{stack}")
    assert f"{stack}-Topic" in {export["Name"] for export in cloudformation.list_exports()["Exports"]}
    assert execute("UPDATE", body()) == "FAILED"
    assert execute("UPDATE", body(DisplayName="changed")) == "CREATE_COMPLETE"
    assert cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE"
