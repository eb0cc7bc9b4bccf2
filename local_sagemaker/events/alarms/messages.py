"""What is told of an alarm whose state has changed: to the bus, to topics and to functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.storage.records import Record

if TYPE_CHECKING:
    from moto.cloudwatch.models import Alarm


REGION_NAME = "US East (N. Virginia)"


def state_of(alarm: Alarm) -> Record:
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "reasonData": alarm.state_reason_data,
        "timestamp": _moment(alarm.state_updated_timestamp),
    }


def event_of(alarm: Alarm, before: Record) -> Record:
    """`CloudWatch Alarm State Change`."""
    detail = {
        "alarmName": alarm.name,
        "state": state_of(alarm),
        "previousState": before,
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
            "dimensions": {one.name: one.value for one in alarm.dimensions},
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
                    "dimensions": {one.name: one.value for one in query.metric_stat.metric.dimensions},
                },
                "period": query.metric_stat.period,
                "stat": query.metric_stat.stat,
            },
            "returnData": query.return_data,
        }
        for query in alarm.metric_data_queries
    ]


def message_of(alarm: Alarm, before: Record) -> Record:
    """What a topic is sent."""
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
        "OldStateValue": before["value"],
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic" if alarm.statistic else "ExtendedStatistic",
            "Statistic": (alarm.statistic or alarm.extended_statistic or "").upper(),
            "Unit": alarm.unit,
            "Dimensions": [{"value": one.value, "name": one.name} for one in alarm.dimensions],
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data or "missing",
            "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
        },
    }


def invocation_of(alarm: Alarm, event: Record) -> Record:
    """What a function is called with."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.alarm_arn,
        "accountId": ACCOUNT,
        "time": event["detail"]["state"]["timestamp"],
        "region": REGION,
        "alarmData": event["detail"],
    }


def _moment(moment: datetime) -> str:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return iso_milliseconds(moment.timestamp(), "+0000")
