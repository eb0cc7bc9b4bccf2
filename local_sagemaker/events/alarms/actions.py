"""Actions of CloudWatch alarms: the state-change event, SNS topics and Lambda functions."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from local_sagemaker.events.alarms.messages import (
    REGION_NAME,
    lambda_event,
    notification,
    state_change_event,
)
from local_sagemaker.events.bus import EventBus
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.moto import state
from local_sagemaker.storage.records import Record

if TYPE_CHECKING:
    from local_sagemaker.services.moto.state import Alarm

log = logging.getLogger(__name__)

PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"
# of an SNS message's subject
MAX_SUBJECT = 99


class AlarmActions:
    """Runs the actions of alarms on the event bus's thread."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def run(self, alarm: Alarm, previous: Alarm) -> None:
        """Send the event of a new state, and run the alarm's actions for that state.

        Args:
            alarm: The alarm in its new state.
            previous: The alarm before the change.
        """
        event = state_change_event(alarm, previous)
        self._bus.submit(lambda: self._bus.put_event("aws.cloudwatch", event))
        if not alarm.actions_enabled:
            return
        actions = {
            "ALARM": alarm.alarm_actions,
            "OK": alarm.ok_actions,
            "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
        }[alarm.state_value]
        for action in actions:
            self._bus.submit(lambda action=action: self._run_action(action, alarm, previous, event))  # type: ignore[misc]

    def _run_action(self, action: str, alarm: Alarm, previous: Alarm, event: Record) -> None:
        service = action.split(":")[2]
        if service == "sns":
            subject = f'{alarm.state_value}: "{alarm.name}" in {REGION_NAME}'
            try:
                state.publish(action, json.dumps(notification(alarm, previous)), subject[:MAX_SUBJECT])
            except ServiceError as error:
                log.warning("alarm %s: not delivered to %s: %s", alarm.name, action, error.message)
        elif service == "lambda":
            text = json.dumps(lambda_event(alarm, event))
            self._bus.deliver({"Arn": action}, text, PRINCIPAL, f"{alarm.alarm_arn} {alarm.state_updated_timestamp}")
        else:
            log.warning(
                "alarm %s: the local SageMaker does not support the action %s; use an SNS topic or a Lambda function",
                alarm.name,
                action,
            )
