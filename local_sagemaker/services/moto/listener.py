"""What moto reports to the local SageMaker: it stores rules, topics, alarms and schedules, but acts on none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from local_sagemaker.storage.records import Record

if TYPE_CHECKING:
    from moto.cloudwatch.models import Alarm
    from moto.events.models import Rule


class Listener(Protocol):
    """The event engine, as moto's patches and the backend see it."""

    def queue_events(self) -> None:
        """Queue events from now on, although moto, which stores the rules, has not started."""

    def start(self) -> None:
        """Deliver events and evaluate alarms and schedules; moto has started and its state is restored."""

    def event_received(self, rule: Rule, event: Record) -> None:
        """Handle an event of PutEvents on the bus of a rule, whether it matches the rule or not."""

    def notification_published(self, function_arn: str, payload: Record, message_id: str) -> None:
        """Deliver a message of an SNS topic to a subscribed Lambda function.

        Args:
            function_arn: The subscription's endpoint.
            payload: The event that the function is invoked with.
            message_id: Unique to the message.
        """

    def metric_data_put(self) -> None:
        """Evaluate alarms soon: there are new metric data, or there is a new alarm."""

    def alarm_state_changed(self, alarm: Alarm, previous: Alarm) -> None:
        """Run an alarm's actions for its new state.

        Args:
            alarm: The alarm in its new state.
            previous: A copy of the alarm from before the change.
        """

    def check_schedule(self, expression: str, timezone: str, start: Any, end: Any) -> None:
        """Check a schedule that a client creates or updates.

        Args:
            expression: `cron(...)`, `rate(...)` or `at(...)`.
            timezone: An IANA name.
            start: The first moment at which the schedule may run, in any form that clients send; None for no limit.
            end: The last such moment.

        Raises:
            ValueError: For an expression, a time zone or a moment that is not valid.
        """
