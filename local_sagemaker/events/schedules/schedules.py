"""EventBridge Scheduler's schedules and rules with a ScheduleExpression, which moto keeps: run at their times.

A record `schedule` (by ARN) has when the schedule was first seen here, from which a rate() counts, and whether an at()
is done, so that a new start of the server neither begins a day anew nor does a thing twice. What would have been due
while there was no server is left out, but for an at(), which is made up for.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.events.bus import EventBus
from local_sagemaker.events.schedules.expressions import ScheduleExpressionError, next_time
from local_sagemaker.protocol.times import iso_time
from local_sagemaker.storage.record_kinds import SCHEDULE
from local_sagemaker.storage.records import Record, RecordStore

if TYPE_CHECKING:
    from moto.events.models import Rule
    from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule

log = logging.getLogger(__name__)


KIND = SCHEDULE
SENDER = "scheduler.amazonaws.com"
# an at() may lie so long before the schedule is first looked at
GRACE_SECONDS = 60


@dataclass(frozen=True)
class _Entry:
    """A schedule or a scheduled rule, as far as its times go. start, end: outside of which it does not run."""

    arn: str
    expression: str
    timezone: str
    start: float | None
    end: float | None
    of: Any


class Schedules:
    """The schedules of this machine's account; `run_due` is to be called every now and then."""

    def __init__(self, bus: EventBus, store: RecordStore) -> None:
        self._bus = bus
        self._store = store
        self._due: dict[_Entry, datetime | None] = {}

    def run_due(self, now: datetime) -> None:
        """Run what has become due since it was last asked."""
        entries = set(_entries())
        for gone in {entry.arn for entry in self._due} - {entry.arn for entry in entries}:
            self._store.delete(KIND, gone)
        self._due = {entry: due for entry, due in self._due.items() if entry in entries}
        for entry in entries:
            if entry not in self._due:
                self._due[entry] = self._first(entry, now)
            due = self._due[entry]
            if due is not None and due <= now:
                self._run(entry, due)
                self._due[entry] = self._next(entry, now)
                if self._due[entry] is None:
                    self._done(entry)

    def _first(self, entry: _Entry, now: datetime) -> datetime | None:
        self._store.create(KIND, entry.arn, {"Since": now.timestamp()})
        record = self._store.get(KIND, entry.arn) or {"Since": now.timestamp()}
        if record.get("Done") == entry.expression:
            return None
        if entry.expression.startswith("at("):
            return self._next(entry, datetime.fromtimestamp(record["Since"] - GRACE_SECONDS, UTC))
        return self._next(entry, now)

    def _next(self, entry: _Entry, after: datetime) -> datetime | None:
        since = (self._store.get(KIND, entry.arn) or {}).get("Since", after.timestamp())
        begin = max(since, entry.start or 0)
        if entry.start is not None and after.timestamp() < entry.start:
            after = datetime.fromtimestamp(entry.start - 1, UTC)
        try:
            start = datetime.fromtimestamp(begin, UTC)
            due = next_time(entry.expression, after, _timezone(entry.timezone), start)
        except (ScheduleExpressionError, OverflowError) as error:  # which is no reason to run no other
            log.warning("%s never runs: %s", entry.arn, error)
            return None
        return None if due is None or (entry.end is not None and due.timestamp() > entry.end) else due

    def _run(self, entry: _Entry, due: datetime) -> None:
        log.info("%s runs", entry.arn)
        if ":rule/" in entry.arn:
            event = _scheduled_event("aws.events", entry.arn, due)
            self._bus.soon(lambda: self._bus.trigger(entry.of, event))
        else:
            target = entry.of.target
            text = _input(target, entry.arn, due)
            self._bus.soon(lambda: self._bus.deliver(target, text, SENDER, f"{entry.arn} {due.isoformat()}"))

    def _done(self, entry: _Entry) -> None:
        """Remember that a schedule has run for the last time, or delete it where that is wanted."""
        if getattr(entry.of, "action_after_completion", None) == "DELETE":
            self._bus.soon(lambda: _backend().delete_schedule(entry.of.group_name, entry.of.name))
            self._store.delete(KIND, entry.arn)
        else:
            self._store.update(KIND, entry.arn, Done=entry.expression)


def hook_schedules() -> None:
    """Have schedules refused whose times cannot be told, as EventBridge Scheduler does."""
    from moto.scheduler.exceptions import ValidationException
    from moto.scheduler.models import EventBridgeSchedulerBackend

    from local_sagemaker.services.moto.hooks import original_method

    def checked(name: str) -> Any:
        own = original_method(EventBridgeSchedulerBackend, name)

        def check(self: Any, **request: Any) -> Any:
            try:
                timezone = _timezone(request.get("schedule_expression_timezone") or "UTC")
                next_time(request["schedule_expression"], datetime.now(UTC), timezone)
                for edge in ("start_date", "end_date"):
                    datetime.fromtimestamp(_seconds(request.get(edge)) or 0, UTC)
            except (ValueError, OverflowError) as error:
                raise ValidationException(f"Invalid Schedule Expression {error}") from error
            return own(self, **request)

        return check

    EventBridgeSchedulerBackend.create_schedule = checked("create_schedule")  # type: ignore[method-assign]
    EventBridgeSchedulerBackend.update_schedule = checked("update_schedule")  # type: ignore[method-assign]


def _entries() -> Iterator[_Entry]:
    from moto.events.models import events_backends

    for group in list(_backend().schedule_groups.values()):
        for schedule in list(group.schedules.values()):
            if schedule.state == "ENABLED":
                yield _schedule_entry(schedule)
    for rule in list(events_backends[ACCOUNT][REGION].event_buses["default"].rules.values()):
        if rule.scheduled_expression and rule.state != "DISABLED":
            yield _rule_entry(rule)


def _schedule_entry(schedule: Schedule) -> _Entry:
    start, end = _seconds(schedule.start_date), _seconds(schedule.end_date)
    timezone = schedule.schedule_expression_timezone
    return _Entry(schedule.arn, schedule.schedule_expression, timezone, start, end, schedule)


def _rule_entry(rule: Rule) -> _Entry:
    return _Entry(rule.arn, str(rule.scheduled_expression), "UTC", None, None, rule)


def _backend() -> EventBridgeSchedulerBackend:
    from moto.scheduler.models import scheduler_backends

    return scheduler_backends[ACCOUNT][REGION]


def _timezone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleExpressionError(f"{name!r} is not a time zone") from error


def _seconds(moment: Any) -> float | None:
    if moment is None or isinstance(moment, int | float):
        return moment
    return moment.timestamp() if isinstance(moment, datetime) else datetime.fromisoformat(str(moment)).timestamp()


def _input(target: Record, arn: str, due: datetime) -> str:
    """A schedule's Input with its context attributes filled in, or the event that a target gets without one."""
    if "Input" not in target:
        return json.dumps({**_scheduled_event("aws.scheduler", arn, due), "detail": "{}"})
    attributes = {
        "schedule-arn": arn,
        "scheduled-time": iso_time(due.timestamp()),
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
    }
    text = str(target["Input"])
    for name, value in attributes.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _scheduled_event(source: str, arn: str, due: datetime) -> Record:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": source,
        "account": ACCOUNT,
        "time": iso_time(due.timestamp()),
        "region": REGION,
        "resources": [arn],
        "detail": {},
    }
