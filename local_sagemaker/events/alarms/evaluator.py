"""Evaluation of the CloudWatch alarms that moto stores."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from local_sagemaker.events.alarms.condition import EXTRA_PERIODS, OPERATORS, AlarmState, Condition, Datapoint, assess
from local_sagemaker.events.alarms.metric_math import MetricMathError, Series, evaluate
from local_sagemaker.events.alarms.metrics import Metric, UnsupportedStatistic, datapoints
from local_sagemaker.services.moto import state

if TYPE_CHECKING:
    from local_sagemaker.services.moto.state import Alarm

log = logging.getLogger(__name__)


class AlarmEvaluator:
    """Sets the states of all alarms. An alarm that is not supported keeps its state, with one warning in the log."""

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def evaluate(self) -> None:
        """Set every alarm to the state that its metrics imply now."""
        alarms = state.alarms()
        now = time.time()
        for alarm in list(alarms.values()):
            try:
                new = self._state(alarm, now)
            except (MetricMathError, UnsupportedStatistic) as error:
                self._warn(alarm, str(error))
                continue
            # one alarm's error must not keep the others from being evaluated
            except Exception as error:
                self._warn(alarm, f"internal error: {type(error).__name__}: {error}")
                continue
            # it may have been deleted or replaced in the meantime
            if new is not None and new.value != alarm.state_value and alarms.get(alarm.name) is alarm:
                state.set_alarm_state(alarm.name, new.reason, new.reason_data, new.value)

    def _state(self, alarm: Alarm, now: float) -> AlarmState | None:
        if alarm.rule:
            self._warn(alarm, "the local SageMaker does not evaluate composite alarms")
            return None
        if alarm.comparison_operator not in OPERATORS or alarm.threshold is None:
            self._warn(alarm, "the local SageMaker does not evaluate anomaly detection alarms")
            return None
        condition = _condition(alarm)
        count = condition.evaluation_periods + EXTRA_PERIODS
        if alarm.metric_data_queries:
            points = _metric_math_datapoints(alarm, condition.period, count, now)
        else:
            metric = Metric(alarm.namespace, alarm.metric_name, _dimensions(alarm), alarm.unit)
            points = datapoints(state.metric_data(), metric, condition.statistic, condition.period, count, now)
        return assess(condition, points, now)

    def _warn(self, alarm: Alarm, cause: str) -> None:
        if alarm.name not in self._warned:
            self._warned.add(alarm.name)
            log.warning("alarm %s stays in the state %s: %s", alarm.name, alarm.state_value, cause)


def _condition(alarm: Alarm) -> Condition:
    periods = int(alarm.evaluation_periods)
    return Condition(
        comparison_operator=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        evaluation_periods=periods,
        datapoints_to_alarm=int(alarm.datapoints_to_alarm or periods),
        period=_period(alarm),
        statistic=alarm.statistic or alarm.extended_statistic or "",
        treat_missing_data=alarm.treat_missing_data or "missing",
    )


def _period(alarm: Alarm) -> int:
    stats: list[Any] = [query.metric_stat for query in alarm.metric_data_queries if query.metric_stat is not None]
    periods = [alarm.period, *(query.period for query in alarm.metric_data_queries), *(stat.period for stat in stats)]
    return next((int(period) for period in periods if period), 60)


def _dimensions(metric: Any) -> frozenset[tuple[str, str]]:
    return frozenset((str(dimension.name), str(dimension.value)) for dimension in metric.dimensions)


def _metric_math_datapoints(alarm: Alarm, period: int, count: int, now: float) -> list[Datapoint]:
    """Compute the datapoints of the metric or expression that returns data among an alarm's Metrics."""
    data = state.metric_data()
    # the same periods for all metrics: the current one counts if any metric has data in it
    values_by_id: dict[str, dict[int, float]] = {}
    latest_starts: set[int] = set()
    for query in alarm.metric_data_queries:
        if (stat := query.metric_stat) is not None:
            metric = Metric(stat.metric.namespace, stat.metric.metric_name, _dimensions(stat.metric), stat.unit)
            points = datapoints(data, metric, stat.stat, period, count + 1, now)
            values_by_id[query.id] = {point.start: point.value for point in points if point.value is not None}
            latest_starts.add(points[0].start)
    if not latest_starts:
        raise MetricMathError("none of Metrics has a MetricStat")
    latest = max(latest_starts)
    starts = [latest - age * period for age in range(count)]
    series: dict[str, Series] = {name: [values.get(start) for start in starts] for name, values in values_by_id.items()}
    metric_ids = list(series)
    pending = [query for query in alarm.metric_data_queries if query.metric_stat is None]
    # an expression may refer to another that comes after it
    for _ in range(len(pending)):
        for query in list(pending):
            if not any(other.id in str(query.expression) for other in pending if other is not query):
                series[query.id] = evaluate(str(query.expression), series, metric_ids)
                pending.remove(query)
    returned = [query.id for query in alarm.metric_data_queries if str(query.return_data).lower() != "false"]
    if pending:
        raise MetricMathError("expressions among Metrics refer to each other")
    if len(returned) != 1:
        raise MetricMathError(f"exactly one of Metrics must have ReturnData true, not {len(returned)}")
    return [Datapoint(start, value) for start, value in zip(starts, series[returned[0]], strict=True)]
