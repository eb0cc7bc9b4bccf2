"""Typed access to moto's state in memory: alarms, metric data, rules, schedules, topics, queues and log groups.

moto is slow to import, so every function imports what it needs: moto has started by the time it is called.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record

if TYPE_CHECKING:
    from moto.cloudwatch.models import Alarm, CloudWatchBackend, MetricDatumBase
    from moto.events.models import EventPattern, Rule
    from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule
    from moto.sns.models import SNSBackend, Subscription


def alarms() -> dict[str, Alarm]:
    """All alarms by name."""
    return _cloudwatch().alarms


def metric_data() -> list[MetricDatumBase]:
    """A copy of the list of all metric data."""
    return list(_cloudwatch().metric_data)


def put_metric_data(namespace: str, data: list[Record]) -> None:
    """Put metric data as PutMetricData does, which reports it to the listener; a Timestamp is in epoch seconds."""
    times = [datetime.fromtimestamp(datum["Timestamp"], UTC).replace(tzinfo=None) for datum in data]
    _cloudwatch().put_metric_data(namespace, [datum | {"Timestamp": at} for datum, at in zip(data, times, strict=True)])


def set_alarm_state(name: str, reason: str, reason_data: str, value: str) -> None:
    """Set an alarm's state as SetAlarmState does, which reports the change to the listener."""
    _cloudwatch().set_alarm_state(name, reason, reason_data, value)


def put_metric_alarm(**request: Any) -> None:
    """Create or replace an alarm, given the arguments of moto's own method."""
    _cloudwatch().put_metric_alarm(**request)


def delete_alarm(name: str) -> None:
    _cloudwatch().delete_alarms([name])


def _cloudwatch() -> CloudWatchBackend:
    from moto.cloudwatch.models import cloudwatch_backends

    return cloudwatch_backends[ACCOUNT][REGION]


def rules() -> list[Rule]:
    """The rules of the default bus."""
    from moto.events.models import events_backends

    return list(events_backends[ACCOUNT][REGION].event_buses["default"].rules.values())


def matches(pattern: EventPattern, event: dict[str, Any]) -> bool:
    """Whether an event matches a rule's pattern; a rule without one, i.e. with a schedule, matches none."""
    return bool(pattern.get_pattern()) and pattern.matches_event(event)  # type: ignore[arg-type]


def schedules() -> Iterator[Schedule]:
    """The schedules of all groups."""
    for group in list(_scheduler().schedule_groups.values()):
        yield from list(group.schedules.values())


def put_schedule(**request: Any) -> None:
    """Create or update a schedule, given the arguments of moto's own methods."""
    scheduler = _scheduler()
    if request["name"] in scheduler.get_schedule_group(request["group_name"]).schedules:
        scheduler.update_schedule(**request)
    else:
        scheduler.create_schedule(**request, action_after_completion=None)


def delete_schedule(group: str, name: str) -> None:
    """Delete a schedule if it exists."""
    _scheduler().get_schedule_group(group).schedules.pop(name, None)


def _scheduler() -> EventBridgeSchedulerBackend:
    from moto.scheduler.models import scheduler_backends

    return scheduler_backends[ACCOUNT][REGION]


def publish(topic_arn: str, message: str, subject: str | None = None) -> None:
    """Publish a message to a topic.

    Raises:
        ServiceError: If moto rejects it, e.g. because there is no such topic.
    """
    with _service_errors():
        _sns().publish(message, arn=topic_arn, subject=subject)


def set_topic_policy(topic_arn: str, policy: dict[str, Any] | None) -> None:
    """Set a topic's policy; None for the default policy.

    Raises:
        ServiceError: There is no such topic.
    """
    with _service_errors():
        topic = _sns().get_topic(topic_arn)
        default = topic._create_default_topic_policy(REGION, ACCOUNT, topic.name)
        topic.policy = json.dumps(default if policy is None else policy)


def subscribe(topic_arn: str, endpoint: str, protocol: str) -> str:
    """Subscribe an endpoint to a topic; return the ARN of the subscription, which may exist already."""
    return _sns().subscribe(topic_arn, endpoint, protocol).arn


def set_subscription_attribute(subscription_arn: str, name: str, value: str) -> None:
    """Set an attribute, such as FilterPolicy, as SetSubscriptionAttributes does."""
    _sns().set_subscription_attributes(subscription_arn, name, value)


def unsubscribe(subscription_arn: str) -> None:
    _sns().unsubscribe(subscription_arn)


def subscription(topic_arn: str, endpoint: str, protocol: str) -> Subscription | None:
    """Find the subscription of an endpoint to a topic."""
    wanted = (topic_arn, endpoint, protocol)
    for found in _sns().subscriptions.values():
        if (found.topic.arn, found.endpoint, found.protocol) == wanted:
            return found
    return None


def _sns() -> SNSBackend:
    from moto.sns.models import sns_backends

    return sns_backends[ACCOUNT][REGION]


def check_destination(arn: str) -> None:
    """Raise ServiceError if a topic or queue does not exist."""
    from moto.sqs.models import sqs_backends

    with _service_errors():
        if ":sns:" in arn:
            _sns().get_topic(arn)
        else:
            sqs_backends[ACCOUNT][REGION].get_queue(arn.rpartition(":")[2])


def send_message(queue_arn: str, message: str, group: str | None) -> None:
    """Send a message to a queue.

    Args:
        queue_arn: The queue, by its ARN or name.
        message: The body.
        group: The message group of a FIFO queue, which deduplicates by content; None for a standard queue.

    Raises:
        ServiceError: If moto rejects it, e.g. because there is no such queue.
    """
    from moto.sqs.models import sqs_backends

    deduplication = hashlib.sha256(message.encode()).hexdigest() if group else None
    with _service_errors():
        sqs_backends[ACCOUNT][REGION].send_message(
            queue_arn.rpartition(":")[2], message, group_id=group, deduplication_id=deduplication
        )


def receive_messages(queue_arn: str, count: int) -> list[Record]:
    """Receive the messages that are in a queue now, at most so many, as records of an event for a function.

    Raises:
        ServiceError: There is no such queue.
    """
    from moto.sqs.models import sqs_backends

    queues, name = sqs_backends[ACCOUNT][REGION], queue_arn.rpartition(":")[2]
    with _service_errors():
        # moto sets its attributes by name
        queue: Any = queues.get_queue(name)
        timeout = int(queue.visibility_timeout or 0)
        messages = queues.receive_message(name, count, 0, timeout, ["All"])
    return [
        {
            "messageId": message.id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": str(message.approximate_receive_count),
                "SentTimestamp": str(message.sent_timestamp),
                "SenderId": message.sender_id,
                "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
            },
            "messageAttributes": {
                attribute: {
                    "dataType": value["DataType"],
                    "stringValue": value.get("StringValue"),
                    "stringListValues": [],
                    "binaryListValues": [],
                }
                for attribute, value in message.message_attributes.items()
            },
            "md5OfBody": message.body_md5,
            "eventSource": "aws:sqs",
        }
        for message in messages
    ]


def delete_messages(queue_arn: str, receipt_handles: list[str]) -> None:
    """Delete received messages from a queue."""
    from moto.sqs.models import sqs_backends

    for handle in receipt_handles:
        with _service_errors():
            sqs_backends[ACCOUNT][REGION].delete_message(queue_arn.rpartition(":")[2], handle)


def put_log_event(group_arn: str, message: str) -> None:
    """Put a message into a new stream of a log group.

    Raises:
        ServiceError: If moto rejects it, e.g. because there is no such log group.
    """
    from moto.logs.models import logs_backends

    group, stream = group_arn.removesuffix(":*").partition(":log-group:")[2], str(uuid.uuid4())
    logs = logs_backends[ACCOUNT][REGION]
    with _service_errors():
        logs.create_log_stream(group, stream)
        logs.put_log_events(group, stream, [{"timestamp": int(time.time() * 1000), "message": message}])


@contextmanager
def _service_errors() -> Iterator[None]:
    """Turn moto's errors into ServiceError."""
    from moto.core.exceptions import ServiceException

    try:
        yield
    except (ServiceException, HTTPException, ValueError) as error:
        raise ServiceError(str(getattr(error, "code", "ValidationError")), str(error)) from error
