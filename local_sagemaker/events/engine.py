"""All that happens by itself on one data directory: state changes sent as events, rules, alarms and schedules."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime

from local_sagemaker.events.alarms.alarms import Alarms, hook_alarms
from local_sagemaker.events.bus import EventBus
from local_sagemaker.events.schedules.schedules import Schedules, hook_schedules
from local_sagemaker.events.state_changes import KINDS, as_record, state_changes
from local_sagemaker.events.targets import Targets
from local_sagemaker.services.moto.hooks import hook_events, hook_topics
from local_sagemaker.storage.records import RecordStore

log = logging.getLogger(__name__)

# how often is looked for what is due, and how often for alarms whose data has come to its end
TICK_SECONDS = 1
ALARM_SECONDS = 10


class EventEngine:
    """At work from `begin` on; until then there is no rule, alarm or schedule that anything could happen to."""

    def __init__(self, store: RecordStore, targets: Targets) -> None:
        self._store = store
        self._targets = targets
        self._bus = EventBus(self._targets)
        self._alarms = Alarms(self._bus)
        self._schedules = Schedules(self._bus, self._store)
        self._metrics_came = threading.Event()
        self._are_awaited = False
        self._store.listen(KINDS, self._changed)

    def hold_events(self) -> None:
        """Keep what happens from now on until `begin`: there are rules, and moto, which has them, is not there yet."""
        self._are_awaited = True

    def prepare(self) -> None:
        """Have moto, which keeps the rules, alarms and schedules, tell of what happens to them."""
        hook_events(self._bus)
        hook_topics(self._bus)
        hook_alarms(self._alarms, self._metrics_came.set)
        hook_schedules()

    def begin(self) -> None:
        """Begin; the rules, alarms and schedules of earlier are there."""
        self._are_awaited = True
        self._bus.open()
        threading.Thread(target=self._tick, name="alarms and schedules", daemon=True).start()

    def _changed(self, kind: str, name: str, before: str | None, after: str | None) -> None:
        if self._are_awaited:
            self._bus.soon(lambda: self._send(kind, name, before, after))

    def _send(self, kind: str, name: str, before: str | None, after: str | None) -> None:
        for event in state_changes(self._store, kind, name, as_record(before), as_record(after)):
            self._bus.put("aws.sagemaker", event)

    def _tick(self) -> None:
        evaluated = 0.0
        while True:
            came = self._metrics_came.wait(TICK_SECONDS)
            self._metrics_came.clear()
            try:
                if came or time.monotonic() - evaluated >= ALARM_SECONDS:
                    evaluated = time.monotonic()
                    self._alarms.evaluate()
                self._schedules.run_due(datetime.now(UTC))
            except Exception:
                log.exception("internal error in alarms or schedules")
