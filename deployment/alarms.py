"""The CloudWatch alarms that take an update back, and finding every alarm that watches an endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deployment.plan import Plan
from project.settings import UpdateSettings
from project.target import Target

_MOST_NAMES = 100  # that DeleteAlarms and DescribeAlarms take at once


def rollback_alarms(update: UpdateSettings, plan: Plan) -> list[dict[str, Any]]:
    """PutMetricAlarm requests: for each variant, one on errors of the container and one on its latency.

    None for a serverless endpoint, whose updates SageMaker does not guard.
    """
    if plan.mode == "serverless":
        return []
    return [alarm for variant in plan.variants for alarm in _alarms_of(update, plan, variant.name)]


def put_alarms(target: Target, alarms: Sequence[dict[str, Any]]) -> None:
    for alarm in alarms:
        target.cloudwatch.put_metric_alarm(**alarm)


def names_in_alarm(target: Target, names: Sequence[str]) -> list[str]:
    """Those of the alarms that are in ALARM state now."""
    if not names:
        return []
    return [alarm["AlarmName"] for alarm in _described(target, AlarmNames=list(names), StateValue="ALARM")]


def endpoint_alarms(target: Target, endpoint: str) -> list[dict[str, Any]]:
    """The alarms on the endpoint's metrics whose names begin with its name, as those of this project do."""
    return [alarm for alarm in _described(target, AlarmNamePrefix=f"{endpoint}-") if _watches(alarm, endpoint)]


def alarm_variants(alarm: dict[str, Any]) -> set[str]:
    return {item["Value"] for item in alarm.get("Dimensions", []) if item["Name"] == "VariantName"}


def delete_alarms(target: Target, names: Sequence[str]) -> None:
    for start in range(0, len(names), _MOST_NAMES):
        target.cloudwatch.delete_alarms(AlarmNames=list(names[start : start + _MOST_NAMES]))


def _alarms_of(update: UpdateSettings, plan: Plan, variant: str) -> Iterator[dict[str, Any]]:
    common = {
        "Namespace": "AWS/SageMaker",
        "Dimensions": [
            {"Name": "EndpointName", "Value": plan.endpoint},
            {"Name": "VariantName", "Value": variant},
        ],
        "Period": 60,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",  # no requests, no complaint
        "Tags": plan.tags,
    }
    yield {
        "AlarmName": f"{plan.endpoint}-{variant}-5xx-errors",
        "AlarmDescription": "Requests that the model's container failed on; takes an update of the endpoint back",
        "MetricName": "Invocation5XXErrors",
        "Statistic": "Sum",
        "EvaluationPeriods": 1,
        "Threshold": float(update.max_5xx_errors_per_minute),
        **common,
    }
    yield {
        "AlarmName": f"{plan.endpoint}-{variant}-latency",
        "AlarmDescription": "The model's mean latency in microseconds; takes an update of the endpoint back",
        "MetricName": "ModelLatency",
        "Statistic": "Average",
        "EvaluationPeriods": 2,  # the first minute of a container is its slowest
        "Threshold": update.max_latency_in_milliseconds * 1000.0,
        **common,
    }


def _described(target: Target, **condition: Any) -> Iterator[dict[str, Any]]:
    for page in target.cloudwatch.get_paginator("describe_alarms").paginate(**condition):
        yield from page.get("MetricAlarms", [])


def _watches(alarm: dict[str, Any], endpoint: str) -> bool:
    """Whether the endpoint is a dimension of the alarm's metric, under the service's name for it or Model Monitor's."""
    metrics = [alarm, *(query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query)]
    return any(
        dimension["Name"] in ("EndpointName", "Endpoint") and dimension["Value"] == endpoint
        for metric in metrics
        for dimension in metric.get("Dimensions", [])
    )
