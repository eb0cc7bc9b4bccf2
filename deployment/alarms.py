"""The CloudWatch alarms that roll an update back, and the search for every alarm on an endpoint's metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deployment.plan import Plan
from project.settings import UpdateSettings
from project.target import Target

# DeleteAlarms and DescribeAlarms accept no more
_MAX_NAMES_PER_CALL = 100


def rollback_alarms(update: UpdateSettings, plan: Plan) -> list[dict[str, Any]]:
    """Build the PutMetricAlarm requests: for each variant, one on container errors and one on latency.

    Returns:
        An empty list for a serverless endpoint, whose updates SageMaker does not guard with alarms.
    """
    if plan.mode == "serverless":
        return []
    return [alarm for variant in plan.variants for alarm in _variant_alarms(update, plan, variant.name)]


def put_alarms(target: Target, alarms: Sequence[dict[str, Any]]) -> None:
    for alarm in alarms:
        target.cloudwatch.put_metric_alarm(**alarm)


def names_in_alarm(target: Target, names: Sequence[str]) -> list[str]:
    """Return those of the named alarms that are in ALARM state."""
    if not names:
        return []
    alarms = _describe_alarms(target, AlarmNames=list(names))
    return [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"]


def endpoint_alarms(target: Target, endpoint: str) -> list[dict[str, Any]]:
    """Return the alarms on the endpoint's metrics whose names start with the endpoint's name, as this project's do."""
    alarms = _describe_alarms(target, AlarmNamePrefix=f"{endpoint}-")
    return [alarm for alarm in alarms if _has_endpoint_dimension(alarm, endpoint)]


def alarm_variants(alarm: dict[str, Any]) -> set[str]:
    """Return the names of the variants among the alarm's dimensions."""
    return {item["Value"] for item in alarm.get("Dimensions", []) if item["Name"] == "VariantName"}


def delete_alarms(target: Target, names: Sequence[str]) -> None:
    for start in range(0, len(names), _MAX_NAMES_PER_CALL):
        target.cloudwatch.delete_alarms(AlarmNames=list(names[start : start + _MAX_NAMES_PER_CALL]))


def _variant_alarms(update: UpdateSettings, plan: Plan, variant: str) -> Iterator[dict[str, Any]]:
    common = {
        "Namespace": "AWS/SageMaker",
        "Dimensions": [
            {"Name": "EndpointName", "Value": plan.endpoint},
            {"Name": "VariantName", "Value": variant},
        ],
        "Period": 60,
        "ComparisonOperator": "GreaterThanThreshold",
        # an endpoint without requests is healthy
        "TreatMissingData": "notBreaching",
        "Tags": plan.tags,
    }
    yield {
        "AlarmName": f"{plan.endpoint}-{variant}-5xx-errors",
        "AlarmDescription": "Requests that failed in the model's container; rolls back an update of the endpoint",
        "MetricName": "Invocation5XXErrors",
        "Statistic": "Sum",
        "EvaluationPeriods": 1,
        "Threshold": float(update.max_5xx_errors_per_minute),
        **common,
    }
    yield {
        "AlarmName": f"{plan.endpoint}-{variant}-latency",
        "AlarmDescription": "The model's mean latency in microseconds; rolls back an update of the endpoint",
        "MetricName": "ModelLatency",
        "Statistic": "Average",
        # the first minute of a container is its slowest
        "EvaluationPeriods": 2,
        "Threshold": update.max_latency_in_milliseconds * 1000.0,
        **common,
    }


def _describe_alarms(target: Target, **condition: Any) -> Iterator[dict[str, Any]]:
    for page in target.cloudwatch.get_paginator("describe_alarms").paginate(**condition):
        yield from page.get("MetricAlarms", [])


def _has_endpoint_dimension(alarm: dict[str, Any], endpoint: str) -> bool:
    """Whether the endpoint is a dimension of the alarm's metric: EndpointName in SageMaker's, Endpoint in ours."""
    metrics = [alarm, *(query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query)]
    return any(
        dimension["Name"] in ("EndpointName", "Endpoint") and dimension["Value"] == endpoint
        for metric in metrics
        for dimension in metric.get("Dimensions", [])
    )
