"""Notifications of S3: the records, their filters, and the deliveries through a server."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import ClientError

from local_sagemaker.data_dir import DataDir
from local_sagemaker.events import object_notifications
from local_sagemaker.events.bus import EventBus
from local_sagemaker.events.engine import EventEngine
from local_sagemaker.events.object_notifications import ObjectNotifications
from local_sagemaker.events.targets import Targets
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.object_info import Metadata
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import RecordStore
from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.events.recorder import Recorder, put_rule
from tests.local_sagemaker.services.s3.test_s3 import S3
from tests.local_sagemaker.steps import until

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


class Engine:
    """Records what is delivered, and what is sent to the bus."""

    def __init__(self) -> None:
        self.delivered: list[tuple[str, Any]] = []
        self.sent: list[Any] = []

    def deliver(self, target: Any, text: str, principal: str, token: str) -> None:
        self.delivered.append((target["Arn"], json.loads(text)))

    def send_event(self, source: str, event: Any) -> None:
        self.sent.append((source, event))


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def objects(tmp_path: Path, engine: Any) -> Iterator[ObjectStore]:
    data_dir = DataDir(tmp_path)
    database = Database(data_dir.database)
    made = ObjectStore(data_dir, database)
    ObjectNotifications(made, engine, lambda: None)
    made.create_bucket("bucket")
    yield made
    database.close()


def put(objects: ObjectStore, key: str, **more: Any) -> None:
    temporary = objects.temporary_path()
    temporary.write_text("body")
    objects.put_temporary("bucket", key, temporary, Metadata("etag"), **more)


def configure(objects: ObjectStore, events: list[str], rules: dict[str, str] | None = None) -> None:
    item = {
        "Id": "id",
        "LambdaFunctionArn": FUNCTION,
        "Events": events,
        "Filter": {"Key": {"FilterRules": [{"Name": name, "Value": value} for name, value in (rules or {}).items()]}},
    }
    objects.settings.put("bucket", object_notifications.SETTING, {"LambdaFunctionConfigurations": [item]})


def names(engine: Engine) -> list[tuple[str, str]]:
    records = [message["Records"][0] for _, message in engine.delivered]
    return [(record["eventName"], record["s3"]["object"]["key"]) for record in records]


def test_events_are_chosen_by_name_wildcard_prefix_and_suffix(objects: ObjectStore, engine: Engine) -> None:
    put(objects, "before")
    configure(objects, ["s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"], {"Prefix": "data/", "suffix": ".csv"})
    for key in ("data/a b.csv", "data/a.txt", "other/a.csv"):
        put(objects, key)
        objects.delete("bucket", key)
    put(objects, "data/ü.csv", event="ObjectCreated:Copy")
    assert names(engine) == [
        ("ObjectCreated:Put", "data/a+b.csv"),
        ("ObjectRemoved:Delete", "data/a+b.csv"),
        ("ObjectCreated:Copy", "data/%C3%BC.csv"),
    ]
    configure(objects, ["s3:ObjectTagging:Put"])
    put(objects, "key")
    objects.set_header("bucket", "key", "x-amz-tagging", "a=b", "ObjectTagging:Put")
    assert names(engine)[3:] == [("ObjectTagging:Put", "key")]


def test_messages_for_queues_and_topics_are_kept_only_if_moto_has_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[object] = []
    monkeypatch.setattr(EventBus, "submit", lambda bus, work: submitted.append(work))
    data_dir, unused = DataDir(tmp_path), MagicMock()
    engine = EventEngine(RecordStore(data_dir, Database(data_dir.database)), Targets(unused, unused), unused)
    queue = {"Arn": "arn:aws:sqs:us-east-1:123456789012:q"}
    engine.deliver(queue, "{}", "s3.amazonaws.com", "token")
    assert not submitted
    # moto has a journal
    engine.queue_events()
    engine.deliver(queue, "{}", "s3.amazonaws.com", "token")
    assert len(submitted) == 1


def test_a_record_has_the_members_of_event_version_2_1(objects: ObjectStore, engine: Engine) -> None:
    configure(objects, ["s3:ObjectCreated:Put", "s3:ObjectRemoved:*"])
    objects.settings.put("bucket", "BucketVersioning", {"Status": "Enabled"})
    put(objects, "key")
    objects.delete("bucket", "key")
    (arn, created), (_, deleted) = engine.delivered
    record = created["Records"][0]
    assert (arn, record["eventVersion"], record["eventSource"], record["awsRegion"]) == (
        *(FUNCTION, "2.1", "aws:s3"),
        "us-east-1",
    )
    assert record["s3"]["bucket"]["arn"] == "arn:aws:s3:::bucket" and record["s3"]["configurationId"] == "id"
    described = record["s3"]["object"]
    assert described["versionId"] == objects.versions("bucket", "key")[1].version_id
    assert (described["size"], described["eTag"]) == (4, "etag")
    assert deleted["Records"][0]["eventName"] == "ObjectRemoved:DeleteMarkerCreated"
    later = deleted["Records"][0]["s3"]["object"]
    assert later.keys() == {"key", "versionId", "sequencer"} and later["sequencer"] > described["sequencer"]


def test_eventbridge_gets_every_event_with_the_plain_key(objects: ObjectStore, engine: Engine) -> None:
    objects.settings.put("bucket", object_notifications.SETTING, {"EventBridgeConfiguration": {}})
    put(objects, "a b")
    objects.delete("bucket", "a b")
    (source, created), (_, deleted) = engine.sent
    assert (source, created["detail-type"], created["resources"]) == (
        "aws.s3",
        "Object Created",
        ["arn:aws:s3:::bucket"],
    )
    detail = created["detail"]
    assert detail["object"].items() >= {"key": "a b", "size": 4, "etag": "etag"}.items()
    assert (detail["bucket"], detail["reason"], detail["version"]) == ({"name": "bucket"}, "PutObject", "0")
    assert deleted["detail-type"] == "Object Deleted"
    assert deleted["detail"]["deletion-type"] == "Permanently Deleted"


def receive(sqs: Client, queue: str, count: int) -> list[Any]:
    found: list[Any] = []

    def receive_more() -> bool:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        found.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return len(found) >= count

    until(receive_more)
    return found


def test_uploads_reach_a_function_a_queue_a_topic_and_a_rule(client: MakeClient, s3: S3, recorder: Recorder) -> None:
    sqs, sns, name = client("sqs"), client("sns"), f"uploads-{uuid.uuid4().hex[:8]}"
    queues = {}
    for kind in ("direct", "topic", "rule"):
        url = sqs.create_queue(QueueName=f"{name}-{kind}")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        queues[kind] = (url, attributes["QueueArn"])
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queues["topic"][1])
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [name]}}}
    put_rule(client("events"), pattern, {"Arn": queues["rule"][1]})
    s3.create_bucket(Bucket=name)
    created = {"Events": ["s3:ObjectCreated:*"]}
    configuration = {
        "EventBridgeConfiguration": {},
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": recorder.arn, **created}],
        "QueueConfigurations": [{"QueueArn": queues["direct"][1], **created}],
        "TopicConfigurations": [{"TopicArn": topic, **created}],
    }
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration)
    got = s3.get_bucket_notification_configuration(Bucket=name)
    assert got["QueueConfigurations"][0]["Id"] and got["EventBridgeConfiguration"] == {}
    s3.put_object(Bucket=name, Key="data/a b.csv", Body=b"x")
    (event,) = recorder.wait(1)
    test, message = receive(sqs, queues["direct"][0], 2)
    assert (test["Event"], test["Bucket"]) == ("s3:TestEvent", name)
    for records in (event, message):
        assert records["Records"][0]["s3"]["object"]["key"] == "data/a+b.csv"
    published = receive(sqs, queues["topic"][0], 2)[1]
    assert published["Subject"] == "Amazon S3 Notification"
    assert json.loads(published["Message"])["Records"][0]["eventName"] == "ObjectCreated:Put"
    (ruled,) = receive(sqs, queues["rule"][0], 1)
    assert (ruled["source"], ruled["detail"]["object"]["key"]) == ("aws.s3", "data/a b.csv")


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:123456789012:none"}]}, "none"),
        ({"LambdaFunctionConfigurations": [{"LambdaFunctionArn": FUNCTION + "-none"}]}, "f-none"),
        ({"TopicConfigurations": [{"TopicArn": "arn:aws:sns:us-east-1:123456789012:none"}]}, "none"),
        ({"QueueConfigurations": [{"QueueArn": "queue"}]}, "not the ARN of"),
    ],
)
def test_a_destination_that_does_not_exist_is_refused(
    configuration: dict[str, Any], message: str, s3: S3, bucket: str
) -> None:
    for items in configuration.values():
        items[0]["Events"] = ["s3:ObjectCreated:*"]
    with pytest.raises(ClientError, match=f"Unable to validate the following destination configurations.*{message}"):
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    assert s3.get_bucket_notification_configuration(Bucket=bucket).keys() == {"ResponseMetadata"}
