"""Runs EventBridge Scheduler's schedules and rules with a ScheduleExpression, which moto stores.

A record of the kind `schedule` holds when the server first saw a schedule, from which a rate() counts, and whether an
at() has run. A restart of the server therefore neither resets a rate nor runs an at() twice. Runs that were due while
no server was running are skipped, except that an at() runs late.
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
from local_sagemaker.services.moto import state
from local_sagemaker.storage.record_kinds import SCHEDULE
from local_sagemaker.storage.records import Record, RecordStore

if TYPE_CHECKING:
    from local_sagemaker.services.moto.state import Rule, Schedule

log = logging.getLogger(__name__)

PRINCIPAL = "scheduler.amazonaws.com"
# an at() still runs if its time is at most so long before the server first sees the schedule
GRACE_SECONDS = 60


@dataclass(frozen=True)
class _Entry:
    """The times of a schedule or of a rule with a schedule.

    Attributes:
        start: The first moment at which it may run, epoch seconds.
        end: The last such moment.
        source: The schedule or rule.
    """

    arn: str
    expression: str
    timezone: str
    start: float | None
    end: float | None
    source: Any


class ScheduleRunner:
    """Runs schedules and scheduled rules when `run_due` is called, at least once a minute."""

    def __init__(self, bus: EventBus, store: RecordStore) -> None:
        self._bus = bus
        self._store = store
        self._due: dict[_Entry, datetime | None] = {}

    def run_due(self, now: datetime) -> None:
        """Run what has become due since the last call."""
        entries = set(_entries())
        for deleted in {entry.arn for entry in self._due} - {entry.arn for entry in entries}:
            self._store.delete(SCHEDULE, deleted)
        self._due = {entry: due for entry, due in self._due.items() if entry in entries}
        for entry in entries:
            if entry not in self._due:
                self._due[entry] = self._first(entry, now)
            due = self._due[entry]
            if due is not None and due <= now:
                self._run(entry, due)
                self._due[entry] = self._next(entry, now)
                if self._due[entry] is None:
                    self._complete(entry)

    def _first(self, entry: _Entry, now: datetime) -> datetime | None:
        self._store.create(SCHEDULE, entry.arn, {"Since": now.timestamp()})
        record = self._store.get(SCHEDULE, entry.arn) or {"Since": now.timestamp()}
        if record.get("Done") == entry.expression:
            return None
        if entry.expression.startswith("at("):
            return self._next(entry, datetime.fromtimestamp(record["Since"] - GRACE_SECONDS, UTC))
        return self._next(entry, now)

    def _next(self, entry: _Entry, after: datetime) -> datetime | None:
        since = (self._store.get(SCHEDULE, entry.arn) or {}).get("Since", after.timestamp())
        rate_start = datetime.fromtimestamp(max(since, entry.start or 0), UTC)
        if entry.start is not None and after.timestamp() < entry.start:
            after = datetime.fromtimestamp(entry.start - 1, UTC)
        try:
            due = next_time(entry.expression, after, _timezone(entry.timezone), rate_start)
        # rules are not checked when they are created, and one bad rule must not stop the others
        except (ScheduleExpressionError, OverflowError) as error:
            log.warning("%s never runs: %s", entry.arn, error)
            return None
        return None if due is None or (entry.end is not None and due.timestamp() > entry.end) else due

    def _run(self, entry: _Entry, due: datetime) -> None:
        log.info("running %s", entry.arn)
        if ":rule/" in entry.arn:
            event = _scheduled_event("aws.events", entry.arn, due)
            self._bus.submit(lambda: self._bus.deliver_to_targets(entry.source, event))
        else:
            target = entry.source.target
            text = _target_input(target, entry.arn, due)
            token = f"{entry.arn} {due.isoformat()}"
            self._bus.submit(lambda: self._bus.deliver(target, text, PRINCIPAL, token))

    def _complete(self, entry: _Entry) -> None:
        """Record that a schedule has run for the last time, or apply its ActionAfterCompletion."""
        if getattr(entry.source, "action_after_completion", None) == "DELETE":
            self._bus.submit(lambda: state.delete_schedule(entry.source.group_name, entry.source.name))
            self._store.delete(SCHEDULE, entry.arn)
        else:
            self._store.update(SCHEDULE, entry.arn, Done=entry.expression)


def check_schedule(expression: str, timezone: str, start: Any, end: Any) -> None:
    """Check that a schedule can run; see `Listener.check_schedule`.

    Raises:
        ValueError: For an expression, a time zone or a moment that is not valid.
        OverflowError: For a moment beyond the calendar.
    """
    next_time(expression, datetime.now(UTC), _timezone(timezone))
    for moment in (start, end):
        datetime.fromtimestamp(_seconds(moment) or 0, UTC)


def _entries() -> Iterator[_Entry]:
    for schedule in state.schedules():
        if schedule.state == "ENABLED":
            yield _schedule_entry(schedule)
    for rule in state.rules():
        if rule.scheduled_expression and rule.state != "DISABLED":
            yield _rule_entry(rule)


def _schedule_entry(schedule: Schedule) -> _Entry:
    start, end = _seconds(schedule.start_date), _seconds(schedule.end_date)
    timezone = schedule.schedule_expression_timezone
    return _Entry(schedule.arn, schedule.schedule_expression, timezone, start, end, schedule)


def _rule_entry(rule: Rule) -> _Entry:
    return _Entry(rule.arn, str(rule.scheduled_expression), "UTC", None, None, rule)


def _timezone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleExpressionError(f"{name!r} is not a time zone") from error


def _seconds(moment: Any) -> float | None:
    if moment is None or isinstance(moment, int | float):
        return moment
    return moment.timestamp() if isinstance(moment, datetime) else datetime.fromisoformat(str(moment)).timestamp()


def _target_input(target: Record, arn: str, due: datetime) -> str:
    """Fill in the context attributes of a target's Input; without an Input, the target gets a scheduled event."""
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
