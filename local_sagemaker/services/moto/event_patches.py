"""Patches that report to a `Listener` what clients do to moto's rules, topics, alarms and schedules."""

from __future__ import annotations

import copy
import functools
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import moto.logs.models as logs_models
from moto.cloudwatch.models import Alarm, CloudWatchBackend, MetricDatumBase
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.events.exceptions import InvalidEventPatternException
from moto.events.exceptions import ValidationException as EventsValidationException
from moto.events.models import EventPattern, EventPatternParser, Rule
from moto.events.responses import EventsHandler
from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend
from moto.scheduler.responses import EventBridgeSchedulerResponse
from moto.sns.models import Subscription

from local_sagemaker.protocol.times import iso_milliseconds, iso_time
from local_sagemaker.services.logs.insights.fields import fields_of
from local_sagemaker.services.logs.insights.query import Query
from local_sagemaker.services.moto import alarm_history, state
from local_sagemaker.services.moto.listener import Listener
from local_sagemaker.services.moto.metric_data import MAX_DATA, condensed, distinct_metrics, query_results
from local_sagemaker.services.moto.patching import PatchSet
from local_sagemaker.storage.records import Record

Original = Callable[..., Any]

patches = PatchSet()
# what an event of TestEventPattern must have
_EVENT_MEMBERS = ("id", "account", "source", "time", "region", "resources", "detail-type")
_OPERATORS = ("prefix", "suffix", "equals-ignore-case", "numeric", "exists", "anything-but", "cidr", "wildcard")
# RecentlyActive has one value, PT3H
_RECENTLY_ACTIVE_SECONDS = 3 * 3600
_put_metric_data_lock = threading.Lock()


@patches(Rule, "send_to_targets")
def _send_to_targets(
    original: Original, listener: Listener, rule: Rule, event: Any, transform_input: bool = True
) -> None:
    """Report events that clients put to a bus; moto delivers only to archives, queues and log groups."""
    # the rule of an archive
    if rule.managed_by:
        original(rule, event, transform_input)
        return
    envelope = {key: value for key, value in event.items() if key != "ingestion-time"}
    listener.event_received(rule, {**envelope, "time": _event_time(event["time"])})


@patches(EventsHandler, "test_event_pattern")
def _test_event_pattern(original: Original, listener: Listener, response: Any) -> str:
    """Match an event as the bus does; moto answers with nothing."""
    pattern = EventPattern.load(response._get_param("EventPattern"))
    try:
        event = json.loads(response._get_param("Event"))
    except ValueError as error:
        raise EventsValidationException(f"Parameter Event is not valid. Reason: {error}") from error
    missing = [name for name in _EVENT_MEMBERS if not isinstance(event, dict) or name not in event]
    if missing:
        raise EventsValidationException(f"Parameter Event is not valid. Reason: it lacks {', '.join(missing)}")
    return json.dumps({"Result": state.matches(pattern, event)})


@patches(EventPatternParser, "_validate_event_pattern")
def _validate_event_pattern(original: Original, listener: Listener, parser: Any, pattern: Any) -> None:
    """Refuse operators that do not exist; to moto, an event matches them all."""
    original(parser, pattern)
    for name, value in pattern.items():
        for item in value if isinstance(value, list) else []:
            if isinstance(item, dict) and name == "$or":
                parser._validate_event_pattern(item)
            elif isinstance(item, dict):
                unknown = [operator for operator in item if operator not in _OPERATORS]
                if unknown or len(item) != 1:
                    raise InvalidEventPatternException(reason=f"Unrecognized match type {', '.join(unknown or item)}")


@patches(EventBridgeSchedulerResponse, "update_schedule")
def _update_schedule(original: Original, listener: Listener, response: Any) -> str:
    """Update a schedule's ActionAfterCompletion, too, which moto ignores."""
    answer: str = original(response)
    name = response.uri.partition("?")[0].rpartition("/")[2]
    schedule = response.scheduler_backend.get_schedule(group_name=response._get_param("GroupName"), name=name)
    schedule.action_after_completion = response._get_param("ActionAfterCompletion")
    return answer


@patches(Subscription, "publish")
def _publish(
    original: Original,
    listener: Listener,
    subscription: Any,
    message: str,
    message_id: str,
    subject: str | None = None,
    **more: Any,
) -> None:
    """Report messages to Lambda subscriptions, and post to HTTP subscriptions in the background."""
    if subscription.protocol in ("http", "https"):
        # the receiver may take long to respond
        deliver = functools.partial(original, subscription, message, message_id, subject=subject, **more)
        threading.Thread(target=deliver, name=f"sns {subscription.endpoint}", daemon=True).start()
        return
    if subscription.protocol != "lambda":
        original(subscription, message, message_id, subject=subject, **more)
        return
    attributes = more.get("message_attributes") or {}
    matcher = subscription._filter_policy_matcher
    if matcher is not None and not matcher.matches(attributes, message):
        return
    if more.get("message_structure") == "json":
        message = subscription._parse_message_structure(message, subscription.protocol)
    payload = {"Records": [_sns_record(subscription, message, message_id, subject, attributes)]}
    listener.notification_published(subscription.endpoint, payload, message_id)


@patches(logs_models, "execute_query")
def _execute_query(
    original: Original, listener: Listener, log_groups: list[Any], query: str, start_time: int, end_time: int
) -> list[dict[str, str]]:
    """Run a query of Logs Insights; moto ignores most commands."""
    events = [
        fields_of(group.name, stream.log_stream_name, position, event.timestamp, event.message)
        for group in log_groups
        for stream in group.streams.values()
        for position, event in enumerate(stream.events)
        if 1000 * start_time <= event.timestamp < 1000 * (end_time + 1)
    ]
    return [{item["field"]: item["value"] for item in row} for row in Query(query).run(events)]


@patches(CloudWatchBackend, "put_metric_alarm")
def _put_metric_alarm(original: Original, listener: Listener, backend: CloudWatchBackend, **request: Any) -> Alarm:
    """Create alarms in INSUFFICIENT_DATA, and let an alarm that is put again keep its state."""
    previous = backend.alarms.get(request["name"])
    alarm: Alarm = original(backend, **request)
    if previous is None:
        alarm.state_value = "INSUFFICIENT_DATA"
    else:
        for member in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
            setattr(alarm, member, getattr(previous, member))
    alarm_history.record_configuration(alarm, previous)
    listener.metric_data_put()
    return alarm


@patches(CloudWatchResponse, "describe_alarms")
def _describe_alarms(original: Original, listener: Listener, response: Any) -> Any:
    """Filter by type and state besides the name, and return pages in the order of names; moto obeys one filter only."""
    answer = original(response)
    types = response._get_param("AlarmTypes") or ["MetricAlarm"]
    found = {
        kind: sorted(alarms, key=lambda alarm: alarm.name) if kind.removesuffix("s") in types else []
        for kind, alarms in answer.result.items()
    }
    if wanted := response._get_param("StateValue"):
        found = {kind: [alarm for alarm in alarms if alarm.state_value == wanted] for kind, alarms in found.items()}
    if size := response._get_int_param("MaxRecords"):
        # the token is the name that the page before ended with
        after = response._get_param("NextToken") or ""
        names = sorted(alarm.name for alarms in found.values() for alarm in alarms if alarm.name > after)
        page = set(names[:size])
        found = {kind: [alarm for alarm in alarms if alarm.name in page] for kind, alarms in found.items()}
        if len(names) > size:
            answer.result["NextToken"] = names[size - 1]
    answer.result.update(found)
    return answer


@patches(CloudWatchBackend, "put_metric_data")
def _put_metric_data(original: Original, listener: Listener, backend: Any, *arguments: Any, **request: Any) -> None:
    """Report new metric data, and condense old ones: moto deletes none, and reads them all for each query."""
    with _put_metric_data_lock:
        original(backend, *arguments, **request)
        if len(backend.metric_data) > getattr(backend, "max_data", MAX_DATA):
            backend.metric_data = condensed(backend.metric_data, time.time())
            backend.max_data = max(MAX_DATA, 2 * len(backend.metric_data))
    listener.metric_data_put()


@patches(CloudWatchBackend, "get_metric_data")
def _get_metric_data(
    original: Original,
    listener: Listener,
    backend: CloudWatchBackend,
    queries: list[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampAscending",
) -> list[dict[str, Any]]:
    """Answer queries without expressions; moto knows no percentiles, and ignores the namespace beside dimensions."""
    if start_time >= end_time or any("MetricStat" not in query for query in queries):
        return list(original(backend, queries, start_time, end_time, scan_by))
    results = query_results(backend.get_all_metrics(), queries, start_time, end_time)
    if scan_by == "TimestampDescending":
        for result in results:
            result["timestamps"].reverse()
            result["values"].reverse()
    return results


@patches(CloudWatchResponse, "list_metrics")
def _list_metrics(original: Original, listener: Listener, response: Any) -> Any:
    """List each metric once; moto repeats those of several dimensions for each datum, and ignores RecentlyActive."""
    if response._get_param("NextToken"):
        return original(response)
    backend = response.cloudwatch_backend
    metrics = distinct_metrics(
        backend.get_all_metrics(),
        response._get_param("Namespace"),
        response._get_param("MetricName"),
        response._get_params().get("Dimensions", []),
        time.time() - _RECENTLY_ACTIVE_SECONDS if response._get_param("RecentlyActive") else None,
    )
    next_token, page = backend._get_paginated(metrics)
    return ActionResult({"Metrics": page, "NextToken": next_token})


@patches(MetricDatumBase, "filter")
def _filter(
    original: Original,
    listener: Listener,
    datum: MetricDatumBase,
    namespace: str | None,
    name: str | None,
    dimensions: list[dict[str, str]],
) -> bool:
    """Take metric data for statistics that have exactly the given dimensions; moto takes those with more, too."""
    if len(dimensions) != len(datum.dimensions):
        return False
    return bool(original(datum, namespace, name, dimensions))


@patches(CloudWatchBackend, "set_alarm_state")
def _set_alarm_state(
    original: Original,
    listener: Listener,
    backend: CloudWatchBackend,
    alarm_name: str,
    reason: str,
    reason_data: str,
    state_value: str,
) -> None:
    """Report changes of an alarm's state."""
    previous = copy.copy(backend.alarms.get(alarm_name))
    original(backend, alarm_name, reason, reason_data, state_value)
    if previous is not None and previous.state_value != state_value:
        alarm_history.record_state(backend.alarms[alarm_name], previous)
        listener.alarm_state_changed(backend.alarms[alarm_name], previous)


@patches(EventBridgeSchedulerBackend, "create_schedule", "update_schedule")
def _put_schedule(original: Original, listener: Listener, backend: EventBridgeSchedulerBackend, **request: Any) -> Any:
    """Reject invalid schedules as EventBridge Scheduler does; moto stores any text."""
    try:
        listener.check_schedule(
            request["schedule_expression"],
            request.get("schedule_expression_timezone") or "UTC",
            request.get("start_date"),
            request.get("end_date"),
        )
    except (ValueError, OverflowError) as error:
        raise ValidationException(f"Invalid Schedule Expression {error}") from error
    return original(backend, **request)


def _event_time(moment: Any) -> str:
    if isinstance(moment, int | float):
        return iso_time(moment)
    return iso_time(moment.timestamp()) if isinstance(moment, datetime) else str(moment)


def _sns_record(subscription: Any, message: str, message_id: str, subject: str | None, attributes: Record) -> Record:
    """A record of the event that a subscribed function is invoked with."""
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
