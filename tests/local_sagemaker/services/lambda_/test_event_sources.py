"""Event source mappings: messages of SQS queues invoke functions."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.http.background import ensure_server, stop_server
from tests.local_sagemaker.conftest import Client, MakeClient, make_client
from tests.local_sagemaker.services.lambda_.test_functions import request
from tests.local_sagemaker.steps import until

# answers with a message to the queue that the message names, and fails for a message without one
FORWARD = """
import json
import boto3
def handler(event, context):
    for record in event["Records"]:
        answer = {"source": record["eventSource"], "queue": record["eventSourceARN"], "batch": len(event["Records"])}
        boto3.client("sqs").send_message(QueueUrl=json.loads(record["body"])["answer"], MessageBody=json.dumps(answer))
"""


def make_queue(sqs: Client, **attributes: str) -> tuple[str, str]:
    """Return the URL and the ARN of a new queue."""
    url = sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex[:8]}", Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def bodies(sqs: Client, url: str) -> list[Any]:
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def count(sqs: Client, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


@pytest.fixture
def function(client: MakeClient) -> str:
    name = f"forward-{uuid.uuid4().hex[:8]}"
    client("lambda").create_function(**request(FORWARD, name=name, Timeout=30))
    return name


def test_messages_of_a_queue_invoke_a_function_and_are_deleted(client: MakeClient, function: str) -> None:
    sqs, functions = client("sqs"), client("lambda")
    (url, arn), (answers, _) = make_queue(sqs), make_queue(sqs)
    mapping = functions.create_event_source_mapping(EventSourceArn=arn, FunctionName=function, BatchSize=1)
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"answer": answers}))
    found: list[Any] = []
    until(lambda: found.extend(bodies(sqs, answers)) or bool(found))
    assert found == [{"source": "aws:sqs", "queue": arn, "batch": 1}]
    until(lambda: count(sqs, url) == 0)
    functions.delete_event_source_mapping(UUID=mapping["UUID"])


def test_messages_of_a_failed_invocation_stay_in_the_queue(client: MakeClient, function: str) -> None:
    sqs, functions = client("sqs"), client("lambda")
    dead, dead_arn = make_queue(sqs)
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    url, arn = make_queue(sqs, VisibilityTimeout="1", RedrivePolicy=redrive)
    mapping = functions.create_event_source_mapping(EventSourceArn=arn, FunctionName=function)
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    until(lambda: count(sqs, dead) == 1)
    functions.delete_event_source_mapping(UUID=mapping["UUID"])


def test_a_disabled_mapping_leaves_messages_in_the_queue(client: MakeClient, function: str) -> None:
    sqs, functions = client("sqs"), client("lambda")
    _, arn = make_queue(sqs)
    members = {"EventSourceArn": arn, "FunctionName": function}
    mapping = functions.create_event_source_mapping(**members, Enabled=False)
    assert mapping["State"] == "Disabled"
    with pytest.raises(functions.exceptions.ResourceConflictException):
        functions.create_event_source_mapping(**members)
    updated = functions.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=3)
    assert (updated["State"], updated["BatchSize"]) == ("Disabled", 3)
    listed = functions.list_event_source_mappings(**members)["EventSourceMappings"]
    assert [item["UUID"] for item in listed] == [mapping["UUID"]]
    functions.delete_event_source_mapping(UUID=mapping["UUID"])
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_event_source_mapping(UUID=mapping["UUID"])


def test_only_queues_are_sources(client: MakeClient, function: str) -> None:
    functions = client("lambda")
    stream = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="use the ARN of an SQS queue"):
        functions.create_event_source_mapping(EventSourceArn=stream, FunctionName=function)


@pytest.mark.slow
def test_queues_and_mappings_outlive_the_server(tmp_path: Path) -> None:
    server = ensure_server(tmp_path)
    try:
        sqs, functions = make_client(server, "sqs"), make_client(server, "lambda")
        functions.create_function(**request(FORWARD, name="forward", Timeout=30))
        (url, arn), (answers, _) = make_queue(sqs), make_queue(sqs)
        functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="forward")
        stop_server(tmp_path)
        server = ensure_server(tmp_path, server.port)
        sqs = make_client(server, "sqs")
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"answer": answers}))
        until(lambda: bool(bodies(sqs, answers)))
    finally:
        stop_server(tmp_path)
