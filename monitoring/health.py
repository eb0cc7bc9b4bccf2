"""Whether an endpoint is really watched: questions, each with its answer and, where that is bad, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deployment.endpoints import IN_SERVICE, find_endpoint
from monitoring import constraint_versions
from monitoring.alarms import monitoring_alarms
from monitoring.executions import FAILED, NO_DATA, STOPPED, Execution, last_executions, read_findings
from monitoring.hourly_objects import newest_object
from monitoring.monitored_endpoint import find_monitored_endpoint, ground_truth_uri
from monitoring.schedule import Schedule
from monitoring.schedules import find_schedules
from project.errors import UserError
from project.settings import Settings
from project.target import Target

# captures and schedules may be so much later than an interval
_GRACE = timedelta(minutes=30)
_LOOK_BACK = timedelta(days=7)
_SERVING = (IN_SERVICE, "Updating", "SystemUpdating", "RollingBack")
_SEND_REQUESTS = "send requests: `python -m deployment traffic`"


@dataclass(frozen=True)
class Answer:
    """fix: what to do; empty where all is well."""

    question: str
    detail: str
    fix: str = ""

    @property
    def ok(self) -> bool:
        return not self.fix


def examine(settings: Settings, target: Target, endpoint: str) -> Iterator[Answer]:
    """The answers one by one, as soon as each is known; no more where the endpoint can't be watched at all."""
    yield (served := _in_service(target, endpoint))
    if not served.ok:
        return
    try:
        watched = find_monitored_endpoint(settings, target, endpoint)
    except UserError as error:
        yield Answer("Is there something to watch?", "no", str(error))
        return
    schedules = [one for one in find_schedules(settings, target, endpoint) if not one.batch]
    interval = timedelta(minutes=max((one.window_minutes for one in schedules), default=60))
    yield _captures(target, watched.capture_uri, interval)
    if not schedules:
        yield Answer("Is it scheduled?", "no", "`python -m monitoring schedule create`")
        return
    latest = [(one, next(iter(last_executions(settings, target, one, 1)), None)) for one in schedules]
    for schedule, execution in latest:
        yield _on_time(schedule, execution)
        yield _last_execution(execution)
    for schedule in schedules:
        for analysis, baseline in schedule.baselines.items():
            if analysis in watched.baselines:
                current = watched.baselines[analysis].constraints
                yield _baseline(analysis, constraint_versions.origin(target, baseline.constraints) == current)
    if any("model-quality" in one.analyses for one in schedules):
        yield _labels(settings, target, endpoint, [execution for _, execution in latest], interval)
    yield _alarms(target, endpoint)


def _in_service(target: Target, name: str) -> Answer:
    question = "Is the endpoint in service?"
    endpoint = find_endpoint(target, name)
    if endpoint is None:
        return Answer(question, f"there is no endpoint {name!r}", "`python -m deployment deploy`")
    if endpoint.status not in _SERVING:
        return Answer(question, endpoint.status, "`python -m deployment status` says more")
    return Answer(question, "yes" if endpoint.status == IN_SERVICE else f"yes, it is {endpoint.status}")


def _captures(target: Target, uri: str, interval: timedelta) -> Answer:
    question = "Are captures fresh?"
    now = datetime.now(UTC)
    newest = newest_object(target, uri, now - _LOOK_BACK)
    if newest is None:
        return Answer(question, f"none in {_LOOK_BACK.days} days below {uri}", _SEND_REQUESTS)
    detail = f"the newest came {_ago(now - newest)}"
    if now - newest > interval + _GRACE:
        return Answer(question, detail, "does the endpoint get requests? see its Invocations in CloudWatch")
    return Answer(question, detail)


def _on_time(schedule: Schedule, execution: Execution | None) -> Answer:
    question = f"Is {schedule.name} on time?"
    now = datetime.now(UTC)
    if not schedule.enabled:
        return Answer(question, "it is paused", "`python -m monitoring schedule resume`")
    if execution is None and now - schedule.changed < timedelta(minutes=schedule.window_minutes) + _GRACE:
        return Answer(question, f"it has yet to run for the first time, {schedule.expression}")
    fix = "its role has to be allowed sagemaker:StartPipelineExecution; see EventBridge Scheduler's metrics"
    if execution is None:
        return Answer(question, f"it has never run, {schedule.expression}", fix)
    detail = f"it last ran {_ago(now - execution.started)}, {schedule.expression}"
    # of a cron only the window is known, which may be shorter than the time from one to the next
    late = timedelta(minutes=schedule.window_minutes) + _GRACE
    if schedule.expression.startswith("rate") and now - execution.started > late:
        return Answer(question, detail, fix)
    return Answer(question, detail)


def _last_execution(execution: Execution | None) -> Answer:
    question = "Is the last execution well?"
    if execution is None:
        return Answer(question, "there was none yet", "`python -m monitoring schedule create --run-now`")
    if execution.status in (FAILED, STOPPED):
        return Answer(question, f"{execution.status}: {execution.reason}", f"read the log of {execution.arn}")
    if execution.status == NO_DATA:
        return Answer(question, "its window held no captures", f"{_SEND_REQUESTS}, or make windows longer")
    return Answer(question, execution.status)


def _baseline(analysis: str, current: bool) -> Answer:
    question = f"Is the {analysis} baseline that of the model served?"
    fix = "" if current else "`python -m monitoring schedule create` takes the served model's"
    return Answer(question, "yes" if current else "no, that of another model", fix)


def _labels(
    settings: Settings, target: Target, endpoint: str, executions: Sequence[Execution | None], interval: timedelta
) -> Answer:
    question = "Are labels arriving?"
    uri = ground_truth_uri(settings, target, endpoint)
    newest = newest_object(target, uri, datetime.now(UTC) - _LOOK_BACK)
    fix = "`python -m monitoring ground-truth upload FILE`"
    if newest is None:
        return Answer(question, f"none in {_LOOK_BACK.days} days", fix)
    detail = f"the newest came {_ago(datetime.now(UTC) - newest)}"
    known = [execution for execution in executions if execution and "summary" in execution.results]
    share = read_findings(target, known[0]).missing_label_share if known else None
    if share is not None:
        detail += f", {1 - share:.0%} of the inferences in the last window have one"
        if share > settings.monitoring.max_missing_label_share:
            return Answer(question, detail, fix)
    return Answer(question, detail)


def _alarms(target: Target, endpoint: str) -> Answer:
    question = "Are alarms wired?"
    found = monitoring_alarms(target, endpoint)
    if not found:
        return Answer(question, "there are none", "`python -m monitoring alarms create --email ...`")
    ringing = [alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"]
    detail = f"{len(found)} alarms, " + (f"in ALARM: {', '.join(ringing)}" if ringing else "none in ALARM")
    if not any(alarm.get("AlarmActions") for alarm in found):
        return Answer(question, f"{detail}; they tell nobody", "`python -m monitoring alarms create --email ...`")
    return Answer(question, detail)


def _ago(time: timedelta) -> str:
    minutes = max(0, round(time.total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} minutes ago"
    return f"{minutes // 60} hours ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
