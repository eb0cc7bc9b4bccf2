"""The state of the services that moto answers for, after the server was killed."""

import functools
import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local_sagemaker.http.background import ensure_server, stop_server
from tests.local_sagemaker.conftest import Client, make_client
from tests.local_sagemaker.events.recorder import Recorder, put_rule
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN
from tests.local_sagemaker.services.cloudformation.test_provisioner import template

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_server(tmp_path)


def kill(folder: Path) -> None:
    os.kill(ensure_server(folder).pid, signal.SIGKILL)


def test_rules_alarms_topics_schedules_and_roles_survive_a_killed_server_and_take_effect(folder: Path) -> None:
    # a restarted server listens on the same port
    @functools.cache
    def client(service: str) -> Client:
        return make_client(ensure_server(folder), service)

    client("s3").create_bucket(Bucket="traces")
    recorder = Recorder(client, "traces")
    sns, cloudwatch, scheduler, sagemaker = map(client, ("sns", "cloudwatch", "scheduler", "sagemaker"))
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    dropped = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@b.c", ReturnSubscriptionArn=True)
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=recorder.arn)["SubscriptionArn"]
    sns.unsubscribe(SubscriptionArn=dropped["SubscriptionArn"])
    sns.publish(TopicArn=topic, Message="once")
    recorder.wait(1)
    pattern = {"source": ["app"]}
    rule_name = put_rule(client("events"), pattern, {"Arn": recorder.arn, "Input": '"rule"'})
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Model State Change"]}
    models_rule = put_rule(client("events"), pattern, {"Arn": recorder.arn, "InputPath": "$.detail.ModelName"})
    cloudwatch.put_metric_alarm(
        AlarmName="drift",
        AlarmActions=[topic],
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="violations",
        Namespace="x",
        Period=60,
        Statistic="Sum",
        Threshold=0,
    )
    client("iam").create_role(RoleName="Extra", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"}))
    client("cloudformation").create_stack(StackName="stack", TemplateBody=template("stack"))
    functions = client("lambda").list_functions()["Functions"]
    for name, seconds in (("soon", 2), ("later", 1000)):
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        scheduler.create_schedule(
            Name=name,
            ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": recorder.arn, "RoleArn": ROLE, "Input": '"late"'},
        )
    kill(folder)

    ensure_server(folder)
    # events wait for moto, which starts in the background
    sagemaker.create_model(ModelName="early", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": SCIKIT_LEARN})
    assert sorted(recorder.wait(3)[1:]) == ["early", "late"]
    subscriptions = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [found["SubscriptionArn"] for found in subscriptions] == [subscription]
    schedules = client("scheduler").list_schedules()["Schedules"]
    assert {schedule["Name"] for schedule in schedules} == {"soon", "later", "stack"}
    assert client("lambda").list_functions()["Functions"] == functions
    client("cloudformation").delete_stack(StackName="stack")
    assert [function["FunctionName"] for function in client("lambda").list_functions()["Functions"]] == [recorder.name]
    assert client("iam").get_role(RoleName="Extra")["Role"]["RoleName"] == "Extra"
    rules = client("events").list_rules(NamePrefix="rule")["Rules"]
    assert {rule["Name"] for rule in rules} == {rule_name, models_rule}
    client("events").put_events(Entries=[{"Source": "app", "DetailType": "d", "Detail": "{}"}])
    assert recorder.wait(4)[3] == "rule"
    assert cloudwatch.describe_alarms(AlarmNames=["drift"])["MetricAlarms"][0]["StateValue"] == "INSUFFICIENT_DATA"
    cloudwatch.put_metric_data(Namespace="x", MetricData=[{"MetricName": "violations", "Value": 1}])
    assert recorder.wait(5)[4]["Records"][0]["Sns"]["TopicArn"] == topic
