"""EventBridge's default bus: matches events with the rules that moto stores, and delivers them to the rules' targets.

Events are delivered on one thread in the order in which they were sent, so that nothing that causes an event waits
for its delivery.
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
from local_sagemaker.services.moto import state
from local_sagemaker.storage.records import Record

if TYPE_CHECKING:
    from local_sagemaker.services.moto.state import Rule

log = logging.getLogger(__name__)

PRINCIPAL = "events.amazonaws.com"
# delays before a delivery that failed unexpectedly is retried
RETRY_SECONDS = (0.1, 1, 5)


class EventBus:
    """The default bus; work submitted before `start` waits in its queue."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def start(self) -> None:
        """Start the bus's thread; moto has started."""
        threading.Thread(target=self._run, name="event bus", daemon=True).start()

    def submit(self, work: Callable[[], None]) -> None:
        """Call a function on the bus's thread, after all that was submitted before."""
        self._queue.put(work)

    def put_event(self, source: str, event: Record) -> None:
        """Send an event to the bus. Must run on the bus's thread.

        Args:
            source: E.g. `aws.sagemaker`.
            event: Its `detail-type`, `resources` and `detail`.
        """
        envelope = {
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
        for rule in state.rules():
            self.deliver_if_matching(rule, envelope)

    def deliver_if_matching(self, rule: Rule, event: Record) -> None:
        """Deliver an event to a rule's targets if it matches the rule's pattern."""
        if rule.state != "DISABLED" and state.matches(rule.event_pattern, event):
            self.deliver_to_targets(rule, event)

    def deliver_to_targets(self, rule: Rule, event: Record) -> None:
        """Deliver an event to all targets of a rule."""
        for target in list(rule.targets):
            text = target_input(target, event, rule.arn)
            self.deliver(target, text, PRINCIPAL, f"{event['id']} {rule.arn} {target.get('Id')}")

    def deliver(self, target: Record, text: str, principal: str, token: str, attempt: int = 0) -> None:
        """Deliver a text to a target, with retries on unexpected errors; see `Targets.deliver`."""
        try:
            self._targets.deliver(target, text, principal, token)
        except DeliveryError as error:
            log.warning("not delivered: %s", error)
        except Exception:
            if attempt == len(RETRY_SECONDS):
                log.exception("not delivered to %s after %d retries", target["Arn"], attempt)
                return
            log.exception("not delivered to %s, retrying in %g s", target["Arn"], RETRY_SECONDS[attempt])
            retry = threading.Timer(
                RETRY_SECONDS[attempt],
                lambda: self.submit(lambda: self.deliver(target, text, principal, token, attempt + 1)),
            )
            retry.daemon = True
            retry.start()

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            try:
                work()
            except Exception:
                log.exception("internal error in the event bus")
