"""The event engine: sends state-change events to rules, evaluates alarms, runs schedules and polls queues."""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_sagemaker.events.alarms.actions import AlarmActions
from local_sagemaker.events.alarms.evaluator import AlarmEvaluator
from local_sagemaker.events.bus import EventBus
from local_sagemaker.events.queue_poller import QueuePoller
from local_sagemaker.events.schedules.runner import ScheduleRunner, check_schedule
from local_sagemaker.events.state_changes import RECORD_KINDS, decode_record, state_changes
from local_sagemaker.events.targets import Targets
from local_sagemaker.storage.records import Record, RecordStore

if TYPE_CHECKING:
    from local_sagemaker.services.moto.state import Alarm, Rule

log = logging.getLogger(__name__)

SNS_PRINCIPAL = "sns.amazonaws.com"
SCHEDULE_INTERVAL_SECONDS = 1
# alarms are evaluated when there are new metric data, and at this interval for missing data
ALARM_INTERVAL_SECONDS = 10


class EventEngine:
    """The event engine of one data directory; a `Listener` of moto, which stores rules, alarms and schedules."""

    def __init__(self, store: RecordStore, targets: Targets, queues: QueuePoller) -> None:
        self._store = store
        self._queues = queues
        self._targets = targets
        self._bus = EventBus(targets)
        self._alarms = AlarmEvaluator()
        self._alarm_actions = AlarmActions(self._bus)
        self._schedules = ScheduleRunner(self._bus, self._store)
        self._new_metric_data = threading.Event()
        # without moto there are no rules, and events are not worth keeping
        self._accepts_events = False
        self._store.listen(RECORD_KINDS, self._record_changed)

    def queue_events(self) -> None:
        """Queue events until `start`: there are rules in moto's journal, but moto has not started yet."""
        self._accepts_events = True

    def start(self) -> None:
        """Start to deliver events and to evaluate alarms and schedules; moto's state is restored."""
        self._accepts_events = True
        self._bus.start()
        self._queues.start()
        threading.Thread(target=self._run, name="alarms and schedules", daemon=True).start()

    def event_received(self, rule: Rule, event: Record) -> None:
        """Deliver an event of PutEvents if it matches the rule."""
        self._bus.submit(lambda: self._bus.deliver_if_matching(rule, event))

    def notification_published(self, function_arn: str, payload: Record, message_id: str) -> None:
        """Invoke a function that is subscribed to a topic."""
        text = json.dumps(payload)
        self._bus.submit(lambda: self._bus.deliver({"Arn": function_arn}, text, SNS_PRINCIPAL, message_id))

    def send_event(self, source: str, event: Record) -> None:
        """Send an event to the rules of the default bus; see `EventBus.put_event`."""
        if self._accepts_events:
            self._bus.submit(lambda: self._bus.put_event(source, event))

    def check_target(self, arn: str) -> None:
        """Raise DeliveryError if a function, queue or topic does not exist."""
        self._targets.check(arn)

    def deliver(self, target: Record, text: str, principal: str, token: str) -> None:
        """Deliver a text to a function at once, or to a topic or queue of moto on the bus; see `Targets.deliver`."""
        if ":lambda:" in target["Arn"]:
            self._bus.deliver(target, text, principal, token)
        # without moto there are no topics and queues either
        elif self._accepts_events:
            self._bus.submit(lambda: self._bus.deliver(target, text, principal, token))

    def metric_data_put(self) -> None:
        """Evaluate alarms soon."""
        self._new_metric_data.set()

    def alarm_state_changed(self, alarm: Alarm, previous: Alarm) -> None:
        """Send the alarm's event and run its actions."""
        self._alarm_actions.run(alarm, previous)

    def check_schedule(self, expression: str, timezone: str, start: Any, end: Any) -> None:
        """Raise ValueError for a schedule that is not valid."""
        check_schedule(expression, timezone, start, end)

    def _record_changed(self, kind: str, name: str, before: str | None, after: str | None) -> None:
        if self._accepts_events:
            self._bus.submit(lambda: self._send_state_changes(kind, name, before, after))

    def _send_state_changes(self, kind: str, name: str, before: str | None, after: str | None) -> None:
        for event in state_changes(self._store, kind, name, decode_record(before), decode_record(after)):
            self._bus.put_event("aws.sagemaker", event)

    def _run(self) -> None:
        evaluated = 0.0
        while True:
            has_new_data = self._new_metric_data.wait(SCHEDULE_INTERVAL_SECONDS)
            self._new_metric_data.clear()
            try:
                if has_new_data or time.monotonic() - evaluated >= ALARM_INTERVAL_SECONDS:
                    evaluated = time.monotonic()
                    self._alarms.evaluate()
                self._schedules.run_due(datetime.now(UTC))
            except Exception:
                log.exception("internal error in alarms or schedules")
