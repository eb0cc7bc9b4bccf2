"""CloudWatch alarms on the results of an endpoint's monitoring executions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from analyzer.metric_names import metric_name
from deployment.plan import resource_tags
from monitoring.model_monitor_job_definitions import MONITORING_TYPES
from monitoring.monitored_endpoint import CLARIFY
from monitoring.schedule import PIPELINE, Schedule
from pipelines import clarify_configs
from project.errors import UserError
from project.settings import Settings
from project.settings.fairness import PRE_TRAINING
from project.target import Target

Request = dict[str, Any]

# processing_scripts/window/summary.py publishes the monitoring pipeline's metrics in this namespace
_NAMESPACE = "LightGBMPipelines"
_MODEL_MONITOR = "aws/sagemaker/Endpoints"
_MODEL_MONITOR_BATCH = "aws/sagemaker/ModelMonitoring"
_METRICS = {"data-quality": "data", "model-quality": "model", "bias": "bias", "attribution": "explainability"}
# the score below which Clarify calls another ranking of the features a violation
MIN_NDCG = 0.9
# DeleteAlarms accepts no more
_MAX_NAMES_PER_CALL = 100
_MAX_ALARM_NAME = 255
_DAY, _WEEK = 24 * 3600, 7 * 24 * 3600


class AlarmType(StrEnum):
    """What an alarm is on.

    VIOLATIONS: alerts of the monitoring pipeline, or violations that Model Monitor found. DRIFT: drift of any feature.
    METRIC: the quality metric of the settings. BIAS: a bias metric that is worse than in the baseline. ATTRIBUTION:
    another ranking of the features by attribution. MISSING_DATA: no captured data, or no monitoring execution.
    """

    VIOLATIONS = "violations"
    DRIFT = "drift"
    METRIC = "metric"
    BIAS = "bias"
    ATTRIBUTION = "attribution"
    MISSING_DATA = "missing-data"


def alarm_requests(
    settings: Settings,
    schedule: Schedule,
    types: Sequence[AlarmType],
    features: Mapping[str, float],
    periods: int,
    topic_arn: str | None,
) -> list[Request]:
    """Build the PutMetricAlarm requests for one schedule.

    Args:
        settings: The project's settings.
        schedule: The schedule whose executions publish the metrics.
        types: The types of alarms to create.
        features: Features that get an alarm of their own, with their drift thresholds.
        periods: Number of consecutive executions above the threshold before an alarm goes into ALARM.
        topic_arn: SNS topic to notify when an alarm goes into ALARM or back to OK.

    Raises:
        UserError: CloudWatch can't evaluate that many periods of this length.
    """
    period = _period(schedule, periods)
    common = {
        "ActionsEnabled": True,
        "AlarmActions": [topic_arn] if topic_arn else [],
        "OKActions": [topic_arn] if topic_arn else [],
        "Period": period,
        "EvaluationPeriods": periods,
        # the result of an execution holds until a later execution has another one
        "TreatMissingData": "ignore",
        "Tags": resource_tags(settings, schedule.endpoint),
    }
    requests = [
        *(request for alarm_type in types for request in _requests_of_type(settings, schedule, alarm_type)),
        *(_feature_drift(schedule, *item) for item in features.items() if "data-quality" in schedule.analyses),
    ]
    stem = _name_stem(schedule)
    return [
        {**common, **request, "AlarmName": f"{stem}-{request['AlarmName']}"[:_MAX_ALARM_NAME]} for request in requests
    ]


def put_alarms(target: Target, requests: Sequence[Request]) -> None:
    for request in requests:
        target.cloudwatch.put_metric_alarm(**request)


def monitoring_alarms(target: Target, endpoint: str) -> list[dict[str, Any]]:
    """Return the alarms on the endpoint's monitoring executions as DescribeAlarms describes them."""
    pages = target.cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{endpoint}-monitoring-")
    return [alarm for page in pages for alarm in page.get("MetricAlarms", []) if _monitors(alarm, endpoint)]


def delete_alarms(target: Target, alarms: Sequence[Mapping[str, Any]]) -> None:
    names = [alarm["AlarmName"] for alarm in alarms]
    for start in range(0, len(names), _MAX_NAMES_PER_CALL):
        target.cloudwatch.delete_alarms(AlarmNames=names[start : start + _MAX_NAMES_PER_CALL])


def topic_name(endpoint: str) -> str:
    return f"{endpoint}-monitoring"


def create_topic(settings: Settings, target: Target, endpoint: str, emails: Sequence[str]) -> str:
    """Create the SNS topic for notifications and subscribe e-mail addresses; return its ARN.

    Each recipient must confirm the subscription through a link that AWS sends.
    """
    arn: str = target.sns.create_topic(Name=topic_name(endpoint), Tags=resource_tags(settings, endpoint))["TopicArn"]
    for email in emails:
        target.sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=email, ReturnSubscriptionArn=True)
    return arn


def find_topic(target: Target, endpoint: str) -> str | None:
    """Return the ARN of the topic that `create_topic` created; None if there is none."""
    for page in target.sns.get_paginator("list_topics").paginate():
        for topic in page["Topics"]:
            if topic["TopicArn"].endswith(f":{topic_name(endpoint)}"):
                return str(topic["TopicArn"])
    return None


def _monitors(alarm: Mapping[str, Any], endpoint: str) -> bool:
    """Whether the alarm is on metrics of the endpoint, or of its Model Monitor schedules for batch transform jobs."""
    dimensions = {item["Name"]: item["Value"] for item in alarm.get("Dimensions", [])}
    return dimensions.get("Endpoint", dimensions.get("MonitoringSchedule")) in (
        endpoint,
        *(f"{endpoint}-batch-{analysis}" for analysis in MONITORING_TYPES),
    )


def _name_stem(schedule: Schedule) -> str:
    # an endpoint has several Model Monitor schedules, so their alarms need the schedule's name
    suffix = "" if schedule.backend == PIPELINE else schedule.name.removeprefix(schedule.endpoint)
    return f"{schedule.endpoint}-monitoring{suffix}"


def _period(schedule: Schedule, periods: int) -> int:
    period = schedule.window_minutes * 60
    longest = _WEEK if period >= 3600 else _DAY
    if period > _DAY or period * periods > longest:
        raise UserError(
            f"CloudWatch can't evaluate {periods} periods of {schedule.window_minutes} minutes each; give fewer "
            "--periods, or use a schedule that runs more often"
        )
    return period


def _requests_of_type(settings: Settings, schedule: Schedule, alarm_type: AlarmType) -> Iterator[Request]:
    is_pipeline = schedule.backend == PIPELINE
    if not is_pipeline and schedule.analyses[0] in CLARIFY:
        # Clarify's container publishes its metrics one by one, and neither a number of violations nor an NDCG
        if alarm_type is AlarmType.BIAS and "bias" in schedule.analyses:
            yield from _bias_limits(settings, schedule)
        return
    if alarm_type is AlarmType.VIOLATIONS:
        yield _pipeline_alert(schedule) if is_pipeline else _model_monitor_violations(schedule)
    elif alarm_type is AlarmType.DRIFT and is_pipeline and "data-quality" in schedule.analyses:
        yield {
            "AlarmName": "drift",
            "AlarmDescription": "At least one feature of the captured requests has drifted from the baseline",
            "Namespace": _NAMESPACE,
            "MetricName": "DriftedFeatureShare",
            "Dimensions": _endpoint_dimension(schedule),
            "Statistic": "Maximum",
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0.0,
        }
    elif alarm_type is AlarmType.METRIC and "model-quality" in schedule.analyses:
        yield _metric(settings, schedule)
    elif alarm_type is AlarmType.BIAS and "bias" in schedule.analyses:
        yield _bias_violations(schedule)
    elif alarm_type is AlarmType.ATTRIBUTION and "attribution" in schedule.analyses:
        yield _attribution_drift(schedule)
    elif alarm_type is AlarmType.MISSING_DATA:
        yield _missing_data(schedule)


def _pipeline_alert(schedule: Schedule) -> Request:
    return {
        "AlarmName": "alert",
        "AlarmDescription": "The monitoring pipeline raised an alert; see `python -m monitoring check`",
        "Namespace": _NAMESPACE,
        "MetricName": "MonitoringAlert",
        "Dimensions": _endpoint_dimension(schedule),
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1.0,
    }


def _model_monitor_violations(schedule: Schedule) -> Request:
    return {
        "AlarmName": "violations",
        "AlarmDescription": "Model Monitor found violations; see `python -m monitoring check`",
        "Namespace": _namespace(schedule, schedule.analyses[0]),
        "MetricName": "total_number_of_violations",
        "Dimensions": _schedule_dimensions(schedule),
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.0,
    }


def _metric(settings: Settings, schedule: Schedule) -> Request:
    quality, override = settings.quality, settings.monitoring.metric_threshold
    lower_is_better = quality.lower_is_better
    return {
        "AlarmName": f"metric-{quality.metric}",
        "AlarmDescription": f"{quality.metric} on labelled traffic is worse than its threshold",
        "Namespace": _namespace(schedule, "model-quality"),
        "MetricName": quality.metric,
        "Dimensions": _schedule_dimensions(schedule),
        "Statistic": "Maximum" if lower_is_better else "Minimum",
        "ComparisonOperator": "GreaterThanThreshold" if lower_is_better else "LessThanThreshold",
        "Threshold": float(quality.threshold if override is None else override),
    }


def _bias_violations(schedule: Schedule) -> Request:
    return {
        "AlarmName": "bias",
        "AlarmDescription": "Predictions for a group are more biased than in the baseline; see `python -m monitoring "
        "check`",
        "Namespace": _NAMESPACE,
        "MetricName": "BiasViolations",
        "Dimensions": _endpoint_dimension(schedule),
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.0,
    }


def _attribution_drift(schedule: Schedule) -> Request:
    return {
        "AlarmName": "attribution",
        "AlarmDescription": "The features that decide predictions are others than in the baseline; see `python -m "
        "monitoring check`",
        "Namespace": _NAMESPACE,
        "MetricName": "AttributionNdcg",
        "Dimensions": _endpoint_dimension(schedule),
        "Statistic": "Minimum",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": MIN_NDCG,
    }


def _bias_limits(settings: Settings, schedule: Schedule) -> Iterator[Request]:
    """Yield alarms on the metrics that have a limit in `fairness.max`, of facets with values.

    A metric has the group and the favourable outcome as dimensions, which for a threshold depend on the data of each
    window: a Regression has no such alarms.
    """
    fairness = settings.fairness
    if fairness is None or settings.problem_type == "Regression":
        return
    config = clarify_configs.bias(settings, fairness)
    favourable = _text(config["label_values_or_threshold"])
    for facet, configured in zip(fairness.facets, config["facet"], strict=True):
        if not facet.values:
            continue
        group = _text(facet.values)
        for metric, (lowest, highest) in fairness.limits.items():
            common = {
                "AlarmDescription": f"{metric} of {facet.column} = {group} is beyond its limit in fairness.max",
                "Namespace": _namespace(schedule, "bias"),
                "MetricName": f"bias_metric_{metric}",
                "Dimensions": [
                    *_schedule_dimensions(schedule),
                    {"Name": "BiasStage", "Value": "Pre-training" if metric in PRE_TRAINING else "Post-Training"},
                    {"Name": "Label", "Value": metric_name(settings.data.target_column)},
                    {"Name": "LabelValue", "Value": metric_name(favourable)},
                    {"Name": "Facet", "Value": metric_name(facet.column)},
                    {"Name": "FacetValue", "Value": metric_name(_text(configured["value_or_threshold"]))},
                ],
            }
            name = f"bias-{metric}-{facet.column}-{group}"
            yield {
                **common,
                "AlarmName": f"{name}-high",
                "Statistic": "Maximum",
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": highest,
            }
            yield {
                **common,
                "AlarmName": f"{name}-low",
                "Statistic": "Minimum",
                "ComparisonOperator": "LessThanThreshold",
                "Threshold": lowest,
            }


def _text(values: Sequence[object]) -> str:
    """Return values as Clarify writes them."""
    return ",".join(map(str, values))


def _missing_data(schedule: Schedule) -> Request:
    """Build the alarm on missing captures or executions; Model Monitor publishes no metric for an empty window."""
    common = {
        "AlarmName": "missing-data",
        "AlarmDescription": "No data is captured, or no monitoring execution runs; see `python -m monitoring health`",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": 1.0,
        "TreatMissingData": "breaching",
    }
    if schedule.backend == PIPELINE:
        metric = {
            "Namespace": _NAMESPACE,
            "MetricName": "CapturedRecords",
            "Dimensions": _endpoint_dimension(schedule),
        }
        return {**common, **metric, "Statistic": "Sum"}
    return {
        **common,
        "Namespace": _namespace(schedule, schedule.analyses[0]),
        "MetricName": "total_number_of_violations",
        "Dimensions": _schedule_dimensions(schedule),
        "Statistic": "SampleCount",
    }


def _feature_drift(schedule: Schedule, feature: str, threshold: float) -> Request:
    return {
        "AlarmName": f"drift-of-{feature}",
        "AlarmDescription": f"{feature} has drifted from the baseline",
        "Namespace": _namespace(schedule, "data-quality"),
        "MetricName": metric_name(f"feature_baseline_drift_{feature}"),
        "Dimensions": _schedule_dimensions(schedule),
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": threshold,
    }


def _namespace(schedule: Schedule, analysis: str) -> str:
    root = _MODEL_MONITOR_BATCH if schedule.batch else _MODEL_MONITOR
    return f"{root}/{_METRICS[analysis]}-metrics"


def _endpoint_dimension(schedule: Schedule) -> list[dict[str, str]]:
    return [{"Name": "Endpoint", "Value": schedule.endpoint}]


def _schedule_dimensions(schedule: Schedule) -> list[dict[str, str]]:
    """Return the dimensions of Model Monitor's metrics, which the pipeline publishes, too, under its own name."""
    endpoint = [] if schedule.batch else _endpoint_dimension(schedule)
    return [*endpoint, {"Name": "MonitoringSchedule", "Value": schedule.metric_dimension}]
