"""CloudWatch's alarms, which moto keeps: evaluated, and their actions run when their state changes."""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.events.alarms.messages import REGION_NAME, event_of, invocation_of, message_of, state_of
from local_sagemaker.events.alarms.metric_math import MetricMathError, Series, evaluate
from local_sagemaker.events.alarms.metrics import Metric, UnsupportedStatistic, condensed, datapoints
from local_sagemaker.events.alarms.state import MORE_PERIODS, OPERATORS, Condition, Datapoint, Verdict, assess
from local_sagemaker.events.bus import EventBus
from local_sagemaker.events.targets import DeliveryError, publish
from local_sagemaker.storage.records import Record

if TYPE_CHECKING:
    from moto.cloudwatch.models import Alarm, CloudWatchBackend

log = logging.getLogger(__name__)


SENDER = "lambda.alarms.cloudwatch.amazonaws.com"
# moto forgets no datum, and looks at all of them for each question
MANY_DATA = 50_000


class Alarms:
    """The alarms of this machine's account; `evaluate` is to be called every now and then."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._refused: set[str] = set()

    def evaluate(self) -> None:
        """Bring every alarm to the state that its metrics say."""
        backend = _backend()
        now = time.time()
        for alarm in list(backend.alarms.values()):
            try:
                verdict = self._verdict(backend, alarm, now)
            except (MetricMathError, UnsupportedStatistic) as error:
                self._refuse(alarm, str(error))
                continue
            except Exception as error:  # which is no reason to evaluate no other
                self._refuse(alarm, f"internal error: {type(error).__name__}: {error}")
                continue
            if verdict is not None and verdict.state != alarm.state_value and backend.alarms.get(alarm.name) is alarm:
                backend.set_alarm_state(alarm.name, verdict.reason, verdict.data, verdict.state)

    def changed(self, alarm: Alarm, before: Record) -> None:
        """Tell of a new state: to the bus, and to the alarm's actions for it. before: `state` of the alarm till now."""
        event = event_of(alarm, before)
        self._bus.soon(lambda: self._bus.put("aws.cloudwatch", event))
        if not alarm.actions_enabled:
            return
        actions = {
            "ALARM": alarm.alarm_actions,
            "OK": alarm.ok_actions,
            "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
        }[alarm.state_value]
        for action in actions:
            self._bus.soon(lambda action=action: self._act(action, alarm, before, event))  # type: ignore[misc]

    def _act(self, action: str, alarm: Alarm, before: Record, event: Record) -> None:
        service = action.split(":")[2]
        if service == "sns":
            subject = f'{alarm.state_value}: "{alarm.name}" in {REGION_NAME}'
            try:
                publish(action, json.dumps(message_of(alarm, before)), subject[:99])
            except DeliveryError as error:
                log.warning("alarm %s: not delivered: %s", alarm.name, error)
        elif service == "lambda":
            text = json.dumps(invocation_of(alarm, event))
            self._bus.deliver({"Arn": action}, text, SENDER, f"{alarm.alarm_arn} {alarm.state_updated_timestamp}")
        else:
            log.warning("alarm %s: the action %s cannot be had on this machine", alarm.name, action)

    def _verdict(self, backend: CloudWatchBackend, alarm: Alarm, now: float) -> Verdict | None:
        if alarm.rule:
            self._refuse(alarm, "composite alarms are not evaluated on this machine")
            return None
        if alarm.comparison_operator not in OPERATORS or alarm.threshold is None:
            self._refuse(alarm, "alarms on anomaly detection are not evaluated on this machine")
            return None
        condition = _condition(alarm)
        count = condition.evaluation_periods + MORE_PERIODS
        if alarm.metric_data_queries:
            points = _expression_points(backend, alarm, condition.period, count, now)
        else:
            dimensions = frozenset((str(one.name), str(one.value)) for one in alarm.dimensions)
            metric = Metric(alarm.namespace, alarm.metric_name, dimensions, alarm.unit)
            points = datapoints(list(backend.metric_data), metric, condition.statistic, condition.period, count, now)
        return assess(condition, points, now)

    def _refuse(self, alarm: Alarm, why: str) -> None:
        if alarm.name not in self._refused:
            self._refused.add(alarm.name)
            log.warning("alarm %s stays in the state %s: %s", alarm.name, alarm.state_value, why)


def hook_alarms(alarms: Alarms, metrics_came: Any) -> None:
    """Have alarms begin as CloudWatch's do, and changes of their states and new metrics told of."""
    from moto.cloudwatch.models import CloudWatchBackend

    from local_sagemaker.services.moto.hooks import original_method

    put_metric_alarm = original_method(CloudWatchBackend, "put_metric_alarm")
    put_metric_data = original_method(CloudWatchBackend, "put_metric_data")
    set_alarm_state = original_method(CloudWatchBackend, "set_alarm_state")

    def put_alarm(self: Any, **request: Any) -> Any:
        before = self.alarms.get(request["name"])
        alarm = put_metric_alarm(self, **request)
        if before is None:
            alarm.state_value = "INSUFFICIENT_DATA"
        else:  # what is put anew keeps its state
            for member in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
                setattr(alarm, member, getattr(before, member))
        metrics_came()
        return alarm

    putting = threading.Lock()
    most = MANY_DATA

    def put_data(self: Any, *arguments: Any, **request: Any) -> None:
        nonlocal most
        with putting:
            put_metric_data(self, *arguments, **request)
            if len(self.metric_data) > most:
                self.metric_data = condensed(self.metric_data, time.time())
                most = max(MANY_DATA, 2 * len(self.metric_data))
        metrics_came()

    def set_state(self: Any, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
        alarm = self.alarms.get(alarm_name)
        before = state_of(alarm) if alarm is not None else {}
        set_alarm_state(self, alarm_name, reason, reason_data, state_value)
        if before["value"] != state_value:
            alarms.changed(alarm, before)

    CloudWatchBackend.put_metric_alarm = put_alarm  # type: ignore[method-assign, assignment]
    CloudWatchBackend.put_metric_data = put_data  # type: ignore[method-assign]
    CloudWatchBackend.set_alarm_state = set_state  # type: ignore[method-assign]


def _backend() -> CloudWatchBackend:
    from moto.cloudwatch.models import cloudwatch_backends

    return cloudwatch_backends[ACCOUNT][REGION]


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


def _expression_points(
    backend: CloudWatchBackend, alarm: Alarm, period: int, count: int, now: float
) -> list[Datapoint]:
    """The datapoints of the one metric or expression among an alarm's Metrics that returns data."""
    data = list(backend.metric_data)
    # of all metrics the same periods: those up to now, the running one taken to be over where any has data in it
    found: dict[str, dict[int, float]] = {}
    starts: set[int] = set()
    for query in alarm.metric_data_queries:
        if (stat := query.metric_stat) is not None:
            dimensions = frozenset((str(one.name), str(one.value)) for one in stat.metric.dimensions)
            metric = Metric(stat.metric.namespace, stat.metric.metric_name, dimensions, stat.unit)
            points = datapoints(data, metric, stat.stat, period, count + 1, now)
            found[query.id] = {point.start: point.value for point in points if point.value is not None}
            starts.add(points[0].start)
    if not starts:
        raise MetricMathError("one of Metrics has to be a metric, with a MetricStat")
    latest = max(starts)
    places = [latest - place * period for place in range(count)]
    series: dict[str, Series] = {name: [values.get(start) for start in places] for name, values in found.items()}
    metric_ids = list(series)
    waiting = [query for query in alarm.metric_data_queries if query.metric_stat is None]
    for _ in range(len(waiting)):  # an expression may build on another, wherever that stands
        for query in list(waiting):
            if not any(other.id in str(query.expression) for other in waiting if other is not query):
                series[query.id] = evaluate(str(query.expression), series, metric_ids)
                waiting.remove(query)
    returned = [query.id for query in alarm.metric_data_queries if str(query.return_data).lower() != "false"]
    if waiting or len(returned) != 1:
        raise MetricMathError("exactly one of Metrics has to return data, and none can refer to itself")
    return [Datapoint(start, value) for start, value in zip(places, series[returned[0]], strict=True)]
