"""CloudWatch alarms on what the checks of an endpoint have found, each after several checks in a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from deployment.plan import resource_tags
from monitoring.native_job_definitions import TYPES
from monitoring.schedule import PIPELINE, Schedule
from project.errors import UserError
from project.settings import Settings
from project.target import Target

Request = dict[str, Any]

# processing_scripts/window/summary.py puts the pipeline's own metrics there
_NAMESPACE = "LightGBMPipelines"
_MODEL_MONITOR = "aws/sagemaker/Endpoints"
_MODEL_MONITOR_BATCH = "aws/sagemaker/ModelMonitoring"
_MOST_NAMES = 100  # that DeleteAlarms takes at once
_DAY, _WEEK = 24 * 3600, 7 * 24 * 3600


class Occasion(StrEnum):
    """What alarms are on: alerts of the pipeline or Model Monitor's violations, drift of any feature, the settings'
    metric, and that nothing is captured or no check runs.
    """

    VIOLATIONS = "violations"
    DRIFT = "drift"
    METRIC = "metric"
    MISSING_DATA = "missing-data"


def alarm_requests(
    settings: Settings,
    schedule: Schedule,
    occasions: Sequence[Occasion],
    features: Mapping[str, float],
    periods: int,
    topic_arn: str | None,
) -> list[Request]:
    """PutMetricAlarm requests for what one schedule finds.

    occasions: what to alarm on. features: whose drift has an alarm of its own, each with its threshold.
    periods: so many checks in a row have to be bad. topic_arn: is told when an alarm rings, and when it is over.

    Raises:
        UserError: CloudWatch doesn't look back so far.
    """
    period = _period(schedule, periods)
    common = {
        "ActionsEnabled": True,
        "AlarmActions": [topic_arn] if topic_arn else [],
        "OKActions": [topic_arn] if topic_arn else [],
        "Period": period,
        "EvaluationPeriods": periods,
        # what was found stays true until a later check finds something else
        "TreatMissingData": "ignore",
        "Tags": resource_tags(settings, schedule.endpoint),
    }
    wanted = [
        *(request for occasion in occasions for request in _on(settings, schedule, occasion)),
        *(_on_feature(schedule, *item) for item in features.items() if "data-quality" in schedule.analyses),
    ]
    return [{**common, **request, "AlarmName": f"{_stem(schedule)}-{request['AlarmName']}"[:255]} for request in wanted]


def put_alarms(target: Target, requests: Sequence[Request]) -> None:
    for request in requests:
        target.cloudwatch.put_metric_alarm(**request)


def monitoring_alarms(target: Target, endpoint: str) -> list[dict[str, Any]]:
    """The alarms on what checks of the endpoint have found, as DescribeAlarms has them."""
    pages = target.cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{endpoint}-monitoring-")
    return [alarm for page in pages for alarm in page.get("MetricAlarms", []) if _is_on(alarm, endpoint)]


def delete_alarms(target: Target, alarms: Sequence[Mapping[str, Any]]) -> None:
    names = [alarm["AlarmName"] for alarm in alarms]
    for start in range(0, len(names), _MOST_NAMES):
        target.cloudwatch.delete_alarms(AlarmNames=names[start : start + _MOST_NAMES])


def topic_name(endpoint: str) -> str:
    return f"{endpoint}-monitoring"


def create_topic(settings: Settings, target: Target, endpoint: str, emails: Sequence[str]) -> str:
    """The topic that tells people, with their e-mail addresses subscribed; its ARN. Each has to confirm by a link."""
    arn: str = target.sns.create_topic(Name=topic_name(endpoint), Tags=resource_tags(settings, endpoint))["TopicArn"]
    for email in emails:
        target.sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=email, ReturnSubscriptionArn=True)
    return arn


def find_topic(target: Target, endpoint: str) -> str | None:
    """The ARN of the topic that `create_topic` has made; None where there is none."""
    for page in target.sns.get_paginator("list_topics").paginate():
        for topic in page["Topics"]:
            if topic["TopicArn"].endswith(f":{topic_name(endpoint)}"):
                return str(topic["TopicArn"])
    return None


def _is_on(alarm: Mapping[str, Any], endpoint: str) -> bool:
    """Whether it is on the endpoint's metrics, or on those of Model Monitor's schedules for its batches."""
    dimensions = {item["Name"]: item["Value"] for item in alarm.get("Dimensions", [])}
    return dimensions.get("Endpoint", dimensions.get("MonitoringSchedule")) in (
        endpoint,
        *(f"{endpoint}-batch-{analysis}" for analysis in TYPES),
    )


def _stem(schedule: Schedule) -> str:
    """Of the alarms' names; those of Model Monitor's schedules tell which, as there are several."""
    native = "" if schedule.backend == PIPELINE else schedule.name.removeprefix(schedule.endpoint)
    return f"{schedule.endpoint}-monitoring{native}"


def _period(schedule: Schedule, periods: int) -> int:
    period = schedule.window_minutes * 60
    longest = _WEEK if period >= 3600 else _DAY
    if period > _DAY or period * periods > longest:
        raise UserError(
            f"CloudWatch doesn't look back over {periods} checks of {schedule.window_minutes} minutes each; give fewer "
            "--periods, or a schedule that runs more often"
        )
    return period


def _on(settings: Settings, schedule: Schedule, occasion: Occasion) -> Iterator[Request]:
    own = schedule.backend == PIPELINE
    if occasion is Occasion.VIOLATIONS:
        yield _on_alert(schedule) if own else _on_violations(schedule)
    elif occasion is Occasion.DRIFT and own and "data-quality" in schedule.analyses:
        yield {
            "AlarmName": "drift",
            "AlarmDescription": "At least one feature of the captured requests has drifted from the baseline",
            "Namespace": _NAMESPACE,
            "MetricName": "DriftedFeatureShare",
            "Dimensions": _of_endpoint(schedule),
            "Statistic": "Maximum",
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0.0,
        }
    elif occasion is Occasion.METRIC and "model-quality" in schedule.analyses:
        yield _on_metric(settings, schedule)
    elif occasion is Occasion.MISSING_DATA:
        yield _on_missing_data(schedule)


def _on_alert(schedule: Schedule) -> Request:
    return {
        "AlarmName": "alert",
        "AlarmDescription": "The monitoring pipeline finds an alert: `python -m monitoring check` says why",
        "Namespace": _NAMESPACE,
        "MetricName": "MonitoringAlert",
        "Dimensions": _of_endpoint(schedule),
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1.0,
    }


def _on_violations(schedule: Schedule) -> Request:
    return {
        "AlarmName": "violations",
        "AlarmDescription": "Model Monitor finds violations: `python -m monitoring check` says which",
        "Namespace": _namespace(schedule, schedule.analyses[0]),
        "MetricName": "total_number_of_violations",
        "Dimensions": _of_schedule(schedule),
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.0,
    }


def _on_metric(settings: Settings, schedule: Schedule) -> Request:
    quality, own = settings.quality, settings.monitoring.metric_threshold
    lower = quality.lower_is_better
    return {
        "AlarmName": f"metric-{quality.metric}",
        "AlarmDescription": f"{quality.metric} on labelled traffic is worse than it may be",
        "Namespace": _namespace(schedule, "model-quality"),
        "MetricName": quality.metric,
        "Dimensions": _of_schedule(schedule),
        "Statistic": "Maximum" if lower else "Minimum",
        "ComparisonOperator": "GreaterThanThreshold" if lower else "LessThanThreshold",
        "Threshold": float(quality.threshold if own is None else own),
    }


def _on_missing_data(schedule: Schedule) -> Request:
    """No captures, or no check at all. Model Monitor puts no metric where it had no data."""
    common = {
        "AlarmName": "missing-data",
        "AlarmDescription": "Nothing is captured any more, or checks have stopped: see `python -m monitoring health`",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": 1.0,
        "TreatMissingData": "breaching",
    }
    if schedule.backend == PIPELINE:
        metric = {"Namespace": _NAMESPACE, "MetricName": "CapturedRecords", "Dimensions": _of_endpoint(schedule)}
        return {**common, **metric, "Statistic": "Sum"}
    return {
        **common,
        "Namespace": _namespace(schedule, schedule.analyses[0]),
        "MetricName": "total_number_of_violations",
        "Dimensions": _of_schedule(schedule),
        "Statistic": "SampleCount",
    }


def _on_feature(schedule: Schedule, feature: str, threshold: float) -> Request:
    return {
        "AlarmName": f"drift-of-{feature}",
        "AlarmDescription": f"{feature} has drifted from the baseline",
        "Namespace": _namespace(schedule, "data-quality"),
        "MetricName": f"feature_baseline_drift_{feature}",
        "Dimensions": _of_schedule(schedule),
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": threshold,
    }


def _namespace(schedule: Schedule, analysis: str) -> str:
    root = _MODEL_MONITOR_BATCH if schedule.batch else _MODEL_MONITOR
    return f"{root}/{'data' if analysis == 'data-quality' else 'model'}-metrics"


def _of_endpoint(schedule: Schedule) -> list[dict[str, str]]:
    return [{"Name": "Endpoint", "Value": schedule.endpoint}]


def _of_schedule(schedule: Schedule) -> list[dict[str, str]]:
    """The dimensions of Model Monitor's metrics, which the pipeline puts too, under its own name."""
    endpoint = [] if schedule.batch else _of_endpoint(schedule)
    return [*endpoint, {"Name": "MonitoringSchedule", "Value": schedule.metric_dimension}]
