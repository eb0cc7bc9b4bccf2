"""Event notifications of S3: to EventBridge, functions, queues and topics, as the configurations of buckets ask for.

The formats are those of "Event message structure" and "EventBridge event message structure" in S3's user guide.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote_plus

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.events.engine import EventEngine
from local_sagemaker.events.targets import DeliveryError
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.storage.object_info import ObjectChange
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record

SETTING = "BucketNotificationConfiguration"
PRINCIPAL = "s3.amazonaws.com"
SUBJECT = "Amazon S3 Notification"
SOURCE_ADDRESS = "127.0.0.1"
# lists of a configuration, and the members of their items that are ARNs
DESTINATIONS = {
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
}
# detail-type, reason and deletion-type of EventBridge's events, by the name of S3's own
DETAILS: dict[str, tuple[str, dict[str, str]]] = {
    "ObjectCreated:Put": ("Object Created", {"reason": "PutObject"}),
    "ObjectCreated:Copy": ("Object Created", {"reason": "CopyObject"}),
    "ObjectCreated:CompleteMultipartUpload": ("Object Created", {"reason": "CompleteMultipartUpload"}),
    "ObjectRemoved:Delete": (
        "Object Deleted",
        {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"},
    ),
    "ObjectRemoved:DeleteMarkerCreated": (
        "Object Deleted",
        {"reason": "DeleteObject", "deletion-type": "Delete Marker Created"},
    ),
    "ObjectTagging:Put": ("Object Tags Added", {}),
    "ObjectTagging:Delete": ("Object Tags Deleted", {}),
}


class ObjectNotifications:
    """Sends the notifications of one data directory's buckets."""

    def __init__(self, objects: ObjectStore, engine: EventEngine, start_moto: Callable[[], None]) -> None:
        """Listen to changes of objects.

        Args:
            objects: The objects.
            engine: Delivers the notifications.
            start_moto: Called before queues and topics are looked for.
        """
        self._objects = objects
        self._start_moto = start_moto
        self._engine = engine
        objects.listen(SETTING, self._changed)

    def check(self, bucket: str, configuration: Mapping[str, Any]) -> None:
        """Check the destinations of a configuration, and send queues and topics S3's test event.

        Raises:
            ValueError: A function, queue or topic does not exist.
        """
        destinations = [arn for arn, _ in _destinations(configuration)]
        if any(":lambda:" not in arn for arn in destinations):
            self._start_moto()
        for arn in destinations:
            try:
                self._engine.check_target(arn)
            except DeliveryError as error:
                raise ValueError(str(error)) from error
        for arn in destinations:
            if arn.split(":")[2] != "lambda":
                self._deliver(arn, _test_event(bucket))

    def _changed(self, change: ObjectChange) -> None:
        # it may have been removed a moment ago
        configuration = self._objects.settings.get(change.bucket, SETTING) or {}
        now, sequencer = time.time(), f"{time.time_ns():016X}"
        version_id = change.info.version_id if self._objects.versioning(change.bucket) is not None else None
        if "EventBridgeConfiguration" in configuration:
            self._engine.send_event("aws.s3", _event(change, version_id, sequencer))
        for arn, item in _destinations(configuration):
            if _asks_for(item, change):
                record = _record(change, version_id, sequencer, item["Id"], now)
                self._deliver(arn, {"Records": [record]})

    def _deliver(self, arn: str, message: Record) -> None:
        target = {"Arn": arn, "Subject": SUBJECT}
        self._engine.deliver(target, json.dumps(message), PRINCIPAL, secrets.token_hex(16))


def _destinations(configuration: Mapping[str, Any]) -> Iterator[tuple[str, Record]]:
    """Yield the ARN of each destination, and its configuration."""
    for name, member in DESTINATIONS.items():
        yield from ((item[member], item) for item in configuration.get(name, []))


def _asks_for(item: Record, change: ObjectChange) -> bool:
    """Return whether a configuration has the event and filters of a change."""
    tests = {"prefix": change.key.startswith, "suffix": change.key.endswith}
    rules = item.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return any(fnmatchcase(f"s3:{change.event}", event) for event in item["Events"]) and all(
        tests[rule["Name"].lower()](rule["Value"]) for rule in rules
    )


def _event(change: ObjectChange, version_id: str | None, sequencer: str) -> Record:
    title, more = DETAILS[change.event]
    created = title == "Object Created"
    described: dict[str, Any] = {
        "key": change.key,
        "size": change.info.size if created else None,
        "etag": change.info.etag if title != "Object Deleted" else None,
        "version-id": version_id,
        "sequencer": sequencer,
    }
    return {
        "detail-type": title,
        "resources": [f"arn:aws:s3:::{change.bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": change.bucket},
            "object": {name: value for name, value in described.items() if value is not None},
            "request-id": secrets.token_hex(8).upper(),
            "requester": ACCOUNT,
            "source-ip-address": SOURCE_ADDRESS,
            **more,
        },
    }


def _record(change: ObjectChange, version_id: str | None, sequencer: str, configuration_id: str, now: float) -> Record:
    created = change.event.startswith("ObjectCreated:")
    described: dict[str, Any] = {
        "key": quote_plus(change.key, safe="/"),
        "size": change.info.size if created else None,
        "eTag": change.info.etag if not change.event.startswith("ObjectRemoved:") else None,
        "versionId": version_id,
        "sequencer": sequencer,
    }
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": iso_milliseconds(now),
        "eventName": change.event,
        "userIdentity": {"principalId": ACCOUNT},
        "requestParameters": {"sourceIPAddress": SOURCE_ADDRESS},
        "responseElements": _request_ids("x-amz-request-id", "x-amz-id-2"),
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": change.bucket,
                "ownerIdentity": {"principalId": ACCOUNT},
                "arn": f"arn:aws:s3:::{change.bucket}",
            },
            "object": {name: value for name, value in described.items() if value is not None},
        },
    }


def _test_event(bucket: str) -> Record:
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": iso_milliseconds(time.time()),
        "Bucket": bucket,
        **_request_ids("RequestId", "HostId"),
    }


def _request_ids(request_id: str, host_id: str) -> dict[str, str]:
    return {request_id: secrets.token_hex(8).upper(), host_id: secrets.token_urlsafe(56)}
