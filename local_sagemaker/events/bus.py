"""EventBridge's buses: events are matched with the rules that moto keeps, and delivered to the rules' targets.

All of it happens in one thread, in the order in which the events came, and never in that of whoever caused an event.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.events.target_input import target_input
from local_sagemaker.events.targets import DeliveryError, Targets
from local_sagemaker.protocol.times import iso_time
from local_sagemaker.storage.records import Record

if TYPE_CHECKING:
    from moto.events.models import Rule

log = logging.getLogger(__name__)


SENDER = "events.amazonaws.com"
# seconds before a delivery that failed for no lasting reason is tried again
RETRY_SECONDS = (0.1, 1, 5)


class EventBus:
    """The rules of this machine's account, at work from `open` on."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def open(self) -> None:
        """Begin to deliver; moto is there by now."""
        threading.Thread(target=self._deliver, name="event bus", daemon=True).start()

    def soon(self, work: Callable[[], None]) -> None:
        """Do something in the bus's thread, after all that came before."""
        self._work.put(work)

    def put(self, source: str, event: Record) -> None:
        """Send an event to the default bus: detail-type, resources and detail. For the bus's own thread."""
        from moto.events.models import events_backends

        whole = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": event["detail-type"],
            "source": source,
            "account": ACCOUNT,
            "time": iso_time(time.time()),
            "region": REGION,
            "resources": event["resources"],
            "detail": event["detail"],
        }
        for rule in list(events_backends[ACCOUNT][REGION].event_buses["default"].rules.values()):
            self.match(rule, whole)

    def match(self, rule: Rule, event: Record) -> None:
        """Deliver an event to a rule's targets where the rule's pattern matches."""
        # moto takes a rule without a pattern, which is there for its schedule, to match everything
        if rule.state == "DISABLED" or not rule.event_pattern.get_pattern():
            return
        if rule.event_pattern.matches_event(event):  # type: ignore[arg-type]
            self.trigger(rule, event)

    def trigger(self, rule: Rule, event: Record) -> None:
        """Deliver an event to a rule's targets."""
        for target in list(rule.targets):
            text = target_input(target, event, rule.arn)
            self.deliver(target, text, SENDER, f"{event['id']} {rule.arn} {target.get('Id')}")

    def deliver(self, target: Record, text: str, sender: str, token: str, attempt: int = 0) -> None:
        """Send a text to a target, again in a while where that fails for no lasting reason."""
        try:
            self._targets.deliver(target, text, sender, token)
        except DeliveryError as error:
            log.warning("not delivered: %s", error)
        except Exception:
            if attempt == len(RETRY_SECONDS):
                log.exception("not delivered to %s, given up", target["Arn"])
                return
            log.exception("not delivered to %s, again in %g s", target["Arn"], RETRY_SECONDS[attempt])
            again = threading.Timer(
                RETRY_SECONDS[attempt],
                lambda: self.soon(lambda: self.deliver(target, text, sender, token, attempt + 1)),
            )
            again.daemon = True
            again.start()

    def _deliver(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            except Exception:
                log.exception("internal error in the event bus")
