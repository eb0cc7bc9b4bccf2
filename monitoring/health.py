"""Checks that the monitoring of an endpoint works, each with a fix for the problem it finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deployment.endpoints import IN_SERVICE, find_endpoint
from monitoring import constraint_versions
from monitoring.alarms import monitoring_alarms
from monitoring.clarify_results import BiasMetric
from monitoring.executions import FAILED, NO_DATA, STOPPED, SUCCEEDED, MonitoringExecution, last_executions
from monitoring.hourly_objects import newest_object
from monitoring.monitored_endpoint import find_monitored_endpoint, ground_truth_uri
from monitoring.results import MonitoringResult, read_result, retraining_text
from monitoring.schedule import LABELLED, Schedule
from monitoring.schedules import find_schedules
from project.errors import UserError
from project.settings import Settings
from project.target import Target

# captures and executions may be late by this much beyond their interval
_TOLERANCE = timedelta(minutes=30)
_LOOK_BACK = timedelta(days=7)
_SERVING_STATUSES = (IN_SERVICE, "Updating", "SystemUpdating", "RollingBack")
_SEND_REQUESTS = "send requests: `python -m deployment traffic`"
_CREATE_ALARMS = "`python -m monitoring alarms create --email ADDRESS`"


@dataclass(frozen=True)
class HealthCheck:
    """A question with its answer; `fix` is what to do about a problem, empty if there is none."""

    question: str
    detail: str
    fix: str = ""

    @property
    def ok(self) -> bool:
        return not self.fix


def check_health(settings: Settings, target: Target, endpoint: str) -> Iterator[HealthCheck]:
    """Yield each check as it completes; stop early if the endpoint can't be monitored at all."""
    yield (in_service := _check_in_service(target, endpoint))
    if not in_service.ok:
        return
    try:
        monitored = find_monitored_endpoint(settings, target, endpoint)
    except UserError as error:
        yield HealthCheck("Can it be monitored?", "no", str(error))
        return
    schedules = [schedule for schedule in find_schedules(settings, target, endpoint) if not schedule.batch]
    interval = timedelta(minutes=max((schedule.window_minutes for schedule in schedules), default=60))
    yield _check_captures(target, monitored.capture_uri, interval)
    if not schedules:
        yield HealthCheck("Is it scheduled?", "no", "`python -m monitoring schedule create`")
        return
    latest = [(schedule, next(iter(last_executions(settings, target, schedule, 1)), None)) for schedule in schedules]
    for schedule, execution in latest:
        yield _check_on_time(schedule, execution)
        yield _check_last_execution(execution)
    results = [
        read_result(target, execution, schedule.baselines)
        for schedule, execution in latest
        if execution and execution.status == SUCCEEDED
    ]
    for schedule in schedules:
        for analysis, baseline in schedule.baselines.items():
            if analysis in monitored.baselines:
                current = monitored.baselines[analysis].constraints
                origin = constraint_versions.baseline_constraints(target, baseline.constraints)
                yield _check_baseline(analysis, origin == current)
    if any(LABELLED & set(schedule.analyses) for schedule in schedules):
        yield _check_labels(settings, target, endpoint, results)
    yield from _check_groups(results)
    yield _check_alarms(target, endpoint)
    yield from _check_retraining(settings, endpoint, results)


def _check_in_service(target: Target, name: str) -> HealthCheck:
    question = "Is the endpoint in service?"
    endpoint = find_endpoint(target, name)
    if endpoint is None:
        return HealthCheck(question, f"there is no endpoint {name!r}", "`python -m deployment deploy`")
    if endpoint.status not in _SERVING_STATUSES:
        return HealthCheck(question, endpoint.status, "see `python -m deployment status`")
    return HealthCheck(question, "yes" if endpoint.status == IN_SERVICE else f"yes, it is {endpoint.status}")


def _check_captures(target: Target, uri: str, interval: timedelta) -> HealthCheck:
    question = "Are captures recent?"
    now = datetime.now(UTC)
    newest = newest_object(target, uri, now - _LOOK_BACK)
    if newest is None:
        return HealthCheck(question, f"none in {_LOOK_BACK.days} days below {uri}", _SEND_REQUESTS)
    detail = f"the newest is {_age(now - newest)} old"
    if now - newest > interval + _TOLERANCE:
        return HealthCheck(question, detail, "check that the endpoint gets requests: see Invocations in CloudWatch")
    return HealthCheck(question, detail)


def _check_on_time(schedule: Schedule, execution: MonitoringExecution | None) -> HealthCheck:
    question = f"Is {schedule.name} on time?"
    now = datetime.now(UTC)
    # the interval of a cron expression is unknown; its window may be shorter
    latest_start = timedelta(minutes=schedule.window_minutes) + _TOLERANCE
    if not schedule.enabled:
        return HealthCheck(question, "it is paused", "`python -m monitoring schedule resume`")
    if execution is None and now - schedule.changed < latest_start:
        return HealthCheck(question, f"it has not run yet, {schedule.expression}")
    fix = "check that its role allows sagemaker:StartPipelineExecution; see EventBridge Scheduler's metrics"
    if execution is None:
        return HealthCheck(question, f"it has never run, {schedule.expression}", fix)
    detail = f"it last ran {_age(now - execution.started)} ago, {schedule.expression}"
    if schedule.expression.startswith("rate") and now - execution.started > latest_start:
        return HealthCheck(question, detail, fix)
    return HealthCheck(question, detail)


def _check_last_execution(execution: MonitoringExecution | None) -> HealthCheck:
    question = "Did the last execution succeed?"
    if execution is None:
        return HealthCheck(question, "there is none yet", "`python -m monitoring schedule create --run-now`")
    if execution.status in (FAILED, STOPPED):
        return HealthCheck(question, f"{execution.status}: {execution.reason}", f"read the log of {execution.arn}")
    if execution.status == NO_DATA:
        return HealthCheck(question, "its window had no captures", f"{_SEND_REQUESTS}, or use a longer window")
    return HealthCheck(question, execution.status)


def _check_baseline(analysis: str, current: bool) -> HealthCheck:
    question = f"Is the {analysis} baseline that of the deployed model?"
    fix = "" if current else "update it with `python -m monitoring schedule create`"
    return HealthCheck(question, "yes" if current else "no, it is that of another model", fix)


def _check_labels(
    settings: Settings, target: Target, endpoint: str, results: Sequence[MonitoringResult]
) -> HealthCheck:
    question = "Are labels uploaded?"
    uri = ground_truth_uri(settings, target, endpoint)
    newest = newest_object(target, uri, datetime.now(UTC) - _LOOK_BACK)
    fix = "`python -m monitoring ground-truth upload FILE`"
    if newest is None:
        return HealthCheck(question, f"none in {_LOOK_BACK.days} days", fix)
    detail = f"the newest are {_age(datetime.now(UTC) - newest)} old"
    shares = (result.missing_label_share for result in results if result.missing_label_share is not None)
    if (share := next(shares, None)) is not None:
        detail += f", {1 - share:.0%} of the inferences in the last window have one"
        if share > settings.monitoring.max_missing_label_share:
            return HealthCheck(question, detail, fix)
    return HealthCheck(question, detail)


def _check_groups(results: Sequence[MonitoringResult]) -> Iterator[HealthCheck]:
    """Yield whether bias could be measured for each group, which requests may lack the column of."""
    for result in results:
        unmeasured: dict[str, list[BiasMetric]] = {}
        for metric in result.bias:
            unmeasured.setdefault(metric.group, []).append(metric)
        if not unmeasured:
            continue
        question = "Is bias measured for all groups?"
        for group, metrics in unmeasured.items():
            if all(metric.value is None for metric in metrics):
                fix = "send the column with each request; for one that is not a feature, set "
                fix += "deployment.unknown_features to ignore and deploy again"
                yield HealthCheck(question, f"not for {group}: {metrics[0].error}", fix)
                break
        else:
            yield HealthCheck(question, f"yes, for {', '.join(unmeasured)}")


def _check_alarms(target: Target, endpoint: str) -> HealthCheck:
    question = "Do alarms notify somebody?"
    found = monitoring_alarms(target, endpoint)
    if not found:
        return HealthCheck(question, "there are no alarms", _CREATE_ALARMS)
    in_alarm = [alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"]
    detail = f"{len(found)} alarms, " + (f"in ALARM: {', '.join(in_alarm)}" if in_alarm else "none in ALARM")
    if not any(alarm.get("AlarmActions") for alarm in found):
        return HealthCheck(question, f"{detail}; they notify nobody", _CREATE_ALARMS)
    return HealthCheck(question, detail)


def _check_retraining(settings: Settings, endpoint: str, results: Sequence[MonitoringResult]) -> Iterator[HealthCheck]:
    """Yield what was done about the last alert, which only the monitoring pipeline raises."""
    for result in results:
        if result.alert:
            question = "Did the last alert start retraining?"
            yield HealthCheck(question, retraining_text(settings.name, endpoint, result.retraining))


def _age(time: timedelta) -> str:
    minutes = max(0, round(time.total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"
