"""Rules in a server: from events to their targets."""

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.events.recorder import Recorder, put_rule
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, Record
from tests.local_sagemaker.steps import until


@pytest.fixture
def events(client: MakeClient) -> Client:
    return client("events")


def put_event(events: Client, source: str, **detail: Any) -> None:
    entry = {"Source": source, "DetailType": "Happened", "Detail": json.dumps(detail), "Resources": ["r"]}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def create_model_package(sagemaker: Client, group: str) -> str:
    specification = {
        "Containers": [{"Image": SCIKIT_LEARN}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    return sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification)[
        "ModelPackageArn"
    ]


def test_an_approved_model_package_invokes_a_function_and_a_rejected_one_does_not(
    client: MakeClient, events: Client, recorder: Recorder
) -> None:
    sagemaker, group = client("sagemaker"), f"group-{uuid.uuid4().hex[:8]}"
    for name in (group, f"{group}-other"):
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": [group], "ModelApprovalStatus": ["Approved"]},
    }
    put_rule(events, pattern, {"Arn": recorder.arn})
    rejected, other, approved = (
        create_model_package(sagemaker, group),
        create_model_package(sagemaker, f"{group}-other"),
        create_model_package(sagemaker, group),
    )
    sagemaker.update_model_package(ModelPackageArn=rejected, ModelApprovalStatus="Rejected")
    sagemaker.update_model_package(ModelPackageArn=other, ModelApprovalStatus="Approved")
    sagemaker.update_model_package(ModelPackageArn=approved, ModelApprovalStatus="Approved")
    (event,) = recorder.wait(1)
    assert event["detail"]["ModelPackageArn"] == approved
    assert (event["source"], event["account"], event["version"]) == ("aws.sagemaker", "123456789012", "0")


def test_events_of_clients_are_delivered_in_order_to_topics_queues_and_functions(
    client: MakeClient, events: Client, recorder: Recorder
) -> None:
    source = f"app.{uuid.uuid4().hex[:8]}"
    topic = client("sns").create_topic(Name=source.replace(".", "-"))["TopicArn"]
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName=source.replace(".", "-"))["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=recorder.arn)
    transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '"number <n>"'}
    pattern = {"source": [source], "detail": {"n": [{"numeric": [">", 0]}]}}
    put_rule(events, pattern, {"Arn": topic, "InputTransformer": transformer})
    put_rule(events, pattern, {"Arn": queue_arn, "InputPath": "$.detail"})
    for number in (0, 1, 2, 3):
        put_event(events, source, n=number)
    messages = [event["Records"][0]["Sns"] for event in recorder.wait(3)]
    assert [message["Message"] for message in messages] == ['"number 1"', '"number 2"', '"number 3"']
    assert {message["TopicArn"] for message in messages} == {topic}
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(message["Body"]) for message in received] == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_an_event_starts_a_pipeline_with_parameters_from_the_event(client: MakeClient, events: Client) -> None:
    sagemaker, name = client("sagemaker"), f"pipeline-{uuid.uuid4().hex[:8]}"
    definition: Record = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Data", "Type": "String"}, {"Name": "Mode", "Type": "String"}],
        "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {}}],
    }
    arn = sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=ROLE, ClientRequestToken="t" * 32
    )["PipelineArn"]
    parameters = [{"Name": "Data", "Value": "$.detail.uri"}, {"Name": "Mode", "Value": "retrain"}]
    target = {"Arn": arn, "RoleArn": ROLE, "SageMakerPipelineParameters": {"PipelineParameterList": parameters}}
    put_rule(events, {"source": [name]}, target)
    put_event(events, name, uri="s3://bucket/new.csv")
    until(lambda: sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"])
    (execution,) = sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
    given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=execution["PipelineExecutionArn"])
    assert given["PipelineParameters"] == [
        {"Name": "Data", "Value": "s3://bucket/new.csv"},
        {"Name": "Mode", "Value": "retrain"},
    ]


def test_disabled_rules_and_missing_targets_do_not_affect_other_rules(events: Client, recorder: Recorder) -> None:
    source = f"app.{uuid.uuid4().hex[:8]}"
    put_rule(events, {"source": [source]}, {"Arn": recorder.arn, "Input": '"disabled"'}, State="DISABLED")
    put_rule(events, {"source": [source]}, {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:none"})
    put_rule(events, {"source": [source]}, {"Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:none"})
    put_rule(events, {"source": [source]}, {"Arn": recorder.arn, "Input": '"enabled"'})
    put_event(events, source)
    assert recorder.wait(1) == ["enabled"]


def test_an_event_is_tested_against_a_pattern_as_the_bus_matches_it(events: Client) -> None:
    event = {
        "id": "1",
        "account": "123456789012",
        "source": "app",
        "time": "2026-11-28T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail-type": "Happened",
        "detail": {"n": 2, "name": "abc"},
    }

    def result(pattern: Any, **changes: Any) -> bool:
        answer = events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps({**event, **changes}))
        found: bool = answer["Result"]
        return found

    assert result({"source": ["app"], "detail": {"n": [{"numeric": [">", 1]}]}}) is True
    assert result({"source": ["app"], "detail": {"n": [{"numeric": [">", 2]}]}}) is False
    assert result({"$or": [{"source": ["other"]}, {"detail": {"name": [{"prefix": "ab"}]}}]}) is True
    with pytest.raises(events.exceptions.InvalidEventPatternException, match="Unrecognized match type starts-with"):
        result({"source": [{"starts-with": "a"}]})
    with pytest.raises(events.exceptions.InvalidEventPatternException, match="Unrecognized match type starts-with"):
        events.put_rule(Name="never", EventPattern=json.dumps({"$or": [{"source": [{"starts-with": "a"}]}]}))
    with pytest.raises(ClientError, match="lacks id, source"):
        events.test_event_pattern(
            EventPattern='{"source": ["a"]}',
            Event=json.dumps({key: value for key, value in event.items() if key not in ("id", "source")}),
        )
