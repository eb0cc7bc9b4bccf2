"""Messages about a change of an alarm's state: the event, the SNS notification and the Lambda function's event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.storage.records import Record

if TYPE_CHECKING:
    from local_sagemaker.services.moto.state import Alarm


REGION_NAME = "US East (N. Virginia)"


def _state(alarm: Alarm) -> Record:
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "reasonData": alarm.state_reason_data,
        "timestamp": _moment(alarm.state_updated_timestamp),
    }


def state_change_event(alarm: Alarm, previous: Alarm) -> Record:
    """Make the event `CloudWatch Alarm State Change`."""
    detail = {
        "alarmName": alarm.name,
        "state": _state(alarm),
        "previousState": _state(previous),
        "configuration": {
            **({"description": alarm.description} if alarm.description else {}),
            "metrics": _metrics(alarm),
        },
    }
    return {"detail-type": "CloudWatch Alarm State Change", "resources": [alarm.alarm_arn], "detail": detail}


def _metrics(alarm: Alarm) -> list[Record]:
    if not alarm.metric_data_queries:
        metric = {
            "namespace": alarm.namespace,
            "name": alarm.metric_name,
            "dimensions": _dimensions(alarm),
        }
        stat = alarm.statistic or alarm.extended_statistic
        return [
            {"id": "m1", "metricStat": {"metric": metric, "period": alarm.period, "stat": stat}, "returnData": True}
        ]
    return [
        {"id": query.id, "expression": query.expression, "returnData": query.return_data}
        if query.metric_stat is None
        else {
            "id": query.id,
            "metricStat": {
                "metric": {
                    "namespace": query.metric_stat.metric.namespace,
                    "name": query.metric_stat.metric.metric_name,
                    "dimensions": _dimensions(query.metric_stat.metric),
                },
                "period": query.metric_stat.period,
                "stat": query.metric_stat.stat,
            },
            "returnData": query.return_data,
        }
        for query in alarm.metric_data_queries
    ]


def notification(alarm: Alarm, previous: Alarm) -> Record:
    """Make the message that an SNS topic gets."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": _moment(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": _moment(alarm.state_updated_timestamp),
        "Region": REGION_NAME,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": previous.state_value,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic" if alarm.statistic else "ExtendedStatistic",
            "Statistic": (alarm.statistic or alarm.extended_statistic or "").upper(),
            "Unit": alarm.unit,
            "Dimensions": [{"value": value, "name": name} for name, value in _dimensions(alarm).items()],
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data or "missing",
            "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
        },
    }


def lambda_event(alarm: Alarm, event: Record) -> Record:
    """Make the event that a Lambda function is invoked with, from that of `state_change_event`."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.alarm_arn,
        "accountId": ACCOUNT,
        "time": event["detail"]["state"]["timestamp"],
        "region": REGION,
        "alarmData": event["detail"],
    }


def _dimensions(metric: Any) -> dict[str, str]:
    return {dimension.name: dimension.value for dimension in metric.dimensions}


def _moment(moment: datetime) -> str:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return iso_milliseconds(moment.timestamp(), "+0000")
