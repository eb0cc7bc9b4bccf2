"""Where moto, which keeps rules, topics and alarms but does nothing with them, is made to tell of what happens."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from local_sagemaker.events.bus import EventBus
from local_sagemaker.protocol.times import iso_milliseconds, iso_time
from local_sagemaker.storage.records import Record


def hook_events(bus: EventBus) -> None:
    """Have what clients put to a bus (PutEvents) delivered by ours."""
    from moto.events.models import Rule

    own = original_method(Rule, "send_to_targets")

    def send_to_targets(self: Any, event: Any, transform_input: bool = True) -> None:
        if self.managed_by:  # an archive
            own(self, event, transform_input)
            return
        whole = {key: value for key, value in event.items() if key != "ingestion-time"}
        whole["time"] = _event_time(event["time"])
        bus.soon(lambda: bus.match(self, whole))

    Rule.send_to_targets = send_to_targets  # type: ignore[method-assign, assignment]


def hook_topics(bus: EventBus) -> None:
    """Have messages to a topic's Lambda subscriptions delivered to our functions."""
    from moto.sns.models import Subscription

    own = original_method(Subscription, "publish")

    def publish(self: Any, message: str, message_id: str, subject: str | None = None, **more: Any) -> None:
        if self.protocol in ("http", "https"):  # it may be long until the other side answers
            deliver = functools.partial(own, self, message, message_id, subject=subject, **more)
            threading.Thread(target=deliver, name=f"sns {self.endpoint}", daemon=True).start()
            return
        if self.protocol != "lambda":
            own(self, message, message_id, subject=subject, **more)
            return
        attributes = more.get("message_attributes") or {}
        matcher = self._filter_policy_matcher
        if matcher is not None and not matcher.matches(attributes, message):
            return
        if more.get("message_structure") == "json":
            message = self._parse_message_structure(message, self.protocol)
        text = json.dumps({"Records": [_sns_record(self, message, message_id, subject, attributes)]})
        target = {"Arn": self.endpoint}
        bus.soon(lambda: bus.deliver(target, text, "sns.amazonaws.com", message_id))

    Subscription.publish = publish  # type: ignore[method-assign, assignment]


def original_method(owner: type, name: str) -> Callable[..., Any]:
    """A method as moto has it, however often it has been replaced."""
    method = getattr(owner, name)
    kept = getattr(owner, f"_moto_{name}", method)
    setattr(owner, f"_moto_{name}", kept)
    return kept


def _event_time(moment: Any) -> str:
    if isinstance(moment, int | float):
        return iso_time(moment)
    return iso_time(moment.timestamp()) if isinstance(moment, datetime) else str(moment)


def _sns_record(subscription: Any, message: str, message_id: str, subject: str | None, attributes: Record) -> Record:
    """What Lambda is given of a message."""
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": subscription.topic.arn,
            "Subject": subject,
            "Message": message,
            "Timestamp": iso_milliseconds(time.time()),
            "MessageAttributes": {
                name: {"Type": attribute["Type"], "Value": attribute["Value"]} for name, attribute in attributes.items()
            },
        },
    }
