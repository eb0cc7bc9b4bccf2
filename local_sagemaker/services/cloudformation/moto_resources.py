"""Alarms, subscriptions, topic policies and schedules as resources of stacks; they are kept in moto's state."""

from __future__ import annotations

import json
from contextlib import suppress

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.cloudformation.resource_type import Backends, ResourceType, arn_attributes
from local_sagemaker.services.moto import state
from local_sagemaker.storage.records import Record

_ALARM = (
    "AlarmName",
    "AlarmDescription",
    "ActionsEnabled",
    "AlarmActions",
    "OKActions",
    "InsufficientDataActions",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "Unit",
    "Tags",
)


def _alarm_exists(backends: Backends, name: str, properties: Record) -> bool:
    return name in state.alarms()


def _put_alarm(backends: Backends, name: str, properties: Record, previous: Record | None = None) -> None:
    if "Metrics" in properties:
        raise ServiceError(
            "ValidationError",
            f"{name}: the local SageMaker does not support Metrics of AWS::CloudWatch::Alarm; use MetricName, or "
            "create the alarm with PutMetricAlarm",
        )
    integers = {
        key: int(properties[key]) for key in ("Period", "EvaluationPeriods", "DatapointsToAlarm") if key in properties
    }
    state.put_metric_alarm(
        name=name,
        namespace=properties["Namespace"],
        metric_name=properties["MetricName"],
        comparison_operator=properties["ComparisonOperator"],
        evaluation_periods=integers["EvaluationPeriods"],
        datapoints_to_alarm=integers.get("DatapointsToAlarm"),
        period=integers["Period"],
        threshold=float(properties["Threshold"]),
        statistic=properties.get("Statistic", ""),
        extended_statistic=properties.get("ExtendedStatistic"),
        description=properties.get("AlarmDescription", ""),
        dimensions=properties.get("Dimensions", []),
        alarm_actions=properties.get("AlarmActions", []),
        ok_actions=properties.get("OKActions", []),
        insufficient_data_actions=properties.get("InsufficientDataActions", []),
        unit=properties.get("Unit"),
        actions_enabled=str(properties.get("ActionsEnabled", True)).lower() == "true",
        treat_missing_data=properties.get("TreatMissingData"),
        tags=properties.get("Tags", []),
    )


def _delete_alarm(backends: Backends, name: str, properties: Record) -> None:
    state.delete_alarm(name)


def _put_subscription(backends: Backends, name: str, properties: Record, previous: Record | None = None) -> None:
    arn = state.subscribe(*_subscription_key(properties))
    for attribute in ("FilterPolicyScope", "FilterPolicy", "RawMessageDelivery"):
        if attribute in properties or attribute in (previous or {}):
            state.set_subscription_attribute(arn, attribute, _attribute(properties.get(attribute)))


def _attribute(value: object) -> str:
    if isinstance(value, dict | bool):
        return json.dumps(value)
    return "" if value is None else str(value)


def _subscription_attributes(name: str, properties: Record) -> Record:
    subscription = state.subscription(*_subscription_key(properties))
    arn = subscription.arn if subscription is not None else name
    return {"Ref": arn, "Arn": arn}


def _delete_subscription(backends: Backends, name: str, properties: Record) -> None:
    if (subscription := state.subscription(*_subscription_key(properties))) is not None:
        state.unsubscribe(subscription.arn)


def _subscription_key(properties: Record) -> tuple[str, str, str]:
    return properties["TopicArn"], properties["Endpoint"], properties["Protocol"]


def _put_topic_policy(backends: Backends, name: str, properties: Record, previous: Record | None = None) -> None:
    for topic in properties["Topics"]:
        state.set_topic_policy(topic, properties["PolicyDocument"])


def _delete_topic_policy(backends: Backends, name: str, properties: Record) -> None:
    for topic in properties["Topics"]:
        # the topic may have been deleted
        with suppress(ServiceError):
            state.set_topic_policy(topic, None)


def _schedule_exists(backends: Backends, name: str, properties: Record) -> bool:
    group = properties.get("GroupName", "default")
    return any((schedule.group_name, schedule.name) == (group, name) for schedule in state.schedules())


def _put_schedule(backends: Backends, name: str, properties: Record, previous: Record | None = None) -> None:
    state.put_schedule(
        description=properties.get("Description", ""),
        end_date=properties.get("EndDate"),
        flexible_time_window=properties["FlexibleTimeWindow"],
        group_name=properties.get("GroupName", "default"),
        kms_key_arn=properties.get("KmsKeyArn", ""),
        name=name,
        schedule_expression=properties["ScheduleExpression"],
        schedule_expression_timezone=properties.get("ScheduleExpressionTimezone", "UTC"),
        start_date=properties.get("StartDate"),
        state=properties.get("State", "ENABLED"),
        target=properties["Target"],
    )


def _delete_schedule(backends: Backends, name: str, properties: Record) -> None:
    state.delete_schedule(properties.get("GroupName", "default"), name)


def _schedule_attributes(name: str, properties: Record) -> Record:
    return arn_attributes("scheduler", f"schedule/{properties.get('GroupName', 'default')}/")(name, properties)


MOTO_TYPES = (
    ResourceType(
        name="AWS::CloudWatch::Alarm",
        name_property="AlarmName",
        properties=frozenset((*_ALARM, "Metrics")),
        required=("ComparisonOperator", "EvaluationPeriods"),
        exists=_alarm_exists,
        create=_put_alarm,
        update=_put_alarm,
        delete=_delete_alarm,
        attributes=arn_attributes("cloudwatch", "alarm:"),
    ),
    ResourceType(
        name="AWS::SNS::Subscription",
        name_property="Id",
        properties=frozenset(
            ("TopicArn", "Endpoint", "Protocol", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery")
        ),
        required=("TopicArn", "Protocol"),
        replacing=frozenset(("TopicArn", "Endpoint", "Protocol")),
        create=_put_subscription,
        update=_put_subscription,
        delete=_delete_subscription,
        attributes=_subscription_attributes,
    ),
    ResourceType(
        name="AWS::SNS::TopicPolicy",
        name_property="Id",
        properties=frozenset(("PolicyDocument", "Topics")),
        required=("PolicyDocument", "Topics"),
        create=_put_topic_policy,
        update=_put_topic_policy,
        delete=_delete_topic_policy,
        attributes=lambda name, _: {"Ref": name, "Id": name},
    ),
    ResourceType(
        name="AWS::Scheduler::Schedule",
        name_property="Name",
        properties=frozenset(
            (
                "Name",
                "Description",
                "EndDate",
                "FlexibleTimeWindow",
                "GroupName",
                "KmsKeyArn",
                "ScheduleExpression",
                "ScheduleExpressionTimezone",
                "StartDate",
                "State",
                "Target",
            )
        ),
        required=("FlexibleTimeWindow", "ScheduleExpression", "Target"),
        replacing=frozenset(("GroupName",)),
        exists=_schedule_exists,
        create=_put_schedule,
        update=_put_schedule,
        delete=_delete_schedule,
        attributes=_schedule_attributes,
    ),
)
