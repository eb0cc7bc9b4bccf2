"""Traffic shifting: how an update moves traffic to a new fleet (all at once, canary, linear, rolling), with rollback.

See "Deployment guardrails for updating models in production" in SageMaker's developer guide.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)

AlarmStates = Callable[[list[str]], Mapping[str, str]]

# the largest MaximumExecutionTimeoutInSeconds, and the one of a deployment that does not set it
MAX_TIMEOUT = 28_800
ALARM_CHECK_SECONDS = 1.0


class DeploymentRolledBack(Exception):
    """A deployment has to be rolled back; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class TrafficShift:
    """A step of a deployment.

    Attributes:
        share: The new fleet's share of the traffic, from 0 to 1.
        wait: How long to monitor the alarms afterwards, in seconds.
    """

    share: float
    wait: float


@dataclass(frozen=True)
class DeploymentPlan:
    """How to deploy a new fleet.

    Attributes:
        shifts: The steps in order; the last one shifts all traffic.
        termination_wait: How long the old fleet is kept after the last step, in seconds.
        alarms: The names of the alarms that cause a rollback.
        timeout: How long the deployment may take, in seconds.
    """

    shifts: tuple[TrafficShift, ...]
    termination_wait: float = 0
    alarms: tuple[str, ...] = ()
    timeout: float = MAX_TIMEOUT


def deployment_plan(config: Record | None, instances: int) -> DeploymentPlan:
    """Return the plan of a DeploymentConfig.

    Args:
        config: The DeploymentConfig; None to shift all traffic at once.
        instances: The instance count of the new fleet.
    """
    if config is None:
        return DeploymentPlan((TrafficShift(1, 0),))
    alarms = tuple(alarm["AlarmName"] for alarm in config.get("AutoRollbackConfiguration", {}).get("Alarms", []))
    if rolling := config.get("RollingUpdatePolicy"):
        step = _capacity_share(rolling["MaximumBatchSize"], instances)
        # alarms are monitored for each batch, the last one, too
        wait = rolling["WaitIntervalInSeconds"]
        shifts = _linear_shifts(step, wait, last_wait=wait)
        return DeploymentPlan(shifts, 0, alarms, rolling.get("MaximumExecutionTimeoutInSeconds", MAX_TIMEOUT))
    policy = config.get("BlueGreenUpdatePolicy")
    if policy is None:
        return DeploymentPlan((TrafficShift(1, 0),), alarms=alarms)
    traffic = policy["TrafficRoutingConfiguration"]
    wait = traffic["WaitIntervalInSeconds"]
    if traffic["Type"] == "CANARY":
        shifts = (TrafficShift(float(_capacity_share(traffic["CanarySize"], instances)), wait), TrafficShift(1, 0))
    elif traffic["Type"] == "LINEAR":
        shifts = _linear_shifts(_capacity_share(traffic["LinearStepSize"], instances), wait, last_wait=0)
    else:
        shifts = (TrafficShift(1, wait),)
    return DeploymentPlan(
        shifts,
        policy.get("TerminationWaitInSeconds", 0),
        alarms,
        policy.get("MaximumExecutionTimeoutInSeconds", MAX_TIMEOUT),
    )


def shift_traffic(
    plan: DeploymentPlan, set_share: Callable[[float], None], alarm_states: AlarmStates, interrupted: threading.Event
) -> None:
    """Shift traffic according to a plan, and wait for its end.

    Args:
        plan: The plan.
        set_share: Routes a share of the requests to the new fleet.
        alarm_states: Returns the states of alarms by name; alarms that do not exist are left out.
        interrupted: Set to stop the deployment.

    Raises:
        DeploymentRolledBack: An alarm went into ALARM, the timeout has passed, or the deployment was interrupted.
    """
    deadline = time.monotonic() + plan.timeout
    for shift in plan.shifts:
        set_share(shift.share)
        _monitor(plan, shift.wait, deadline, alarm_states, interrupted)
    _monitor(plan, plan.termination_wait, deadline, alarm_states, interrupted)


def _monitor(
    plan: DeploymentPlan, seconds: float, deadline: float, alarm_states: AlarmStates, interrupted: threading.Event
) -> None:
    end = time.monotonic() + seconds
    while True:
        if plan.alarms and (in_alarm := _in_alarm(list(plan.alarms), alarm_states)):
            raise DeploymentRolledBack(
                f"Rolled back: alarms went into ALARM during the deployment: {', '.join(in_alarm)}"
            )
        now = time.monotonic()
        if now >= deadline:
            raise DeploymentRolledBack(f"Rolled back: the deployment took longer than {plan.timeout:g} seconds")
        if now >= end:
            return
        if interrupted.wait(min(ALARM_CHECK_SECONDS, end - now, deadline - now)):
            raise DeploymentRolledBack("Rolled back: the local SageMaker stopped during the deployment")


def _in_alarm(alarms: list[str], alarm_states: AlarmStates) -> list[str]:
    try:
        return [name for name, state in alarm_states(alarms).items() if state == "ALARM"]
    except Exception:
        log.exception("cannot read the states of the alarms %s", ", ".join(alarms))
        return []


def _linear_shifts(step: Fraction, wait: float, last_wait: float) -> tuple[TrafficShift, ...]:
    count = math.ceil(1 / step)
    return (*(TrafficShift(float(step * number), wait) for number in range(1, count)), TrafficShift(1, last_wait))


def _capacity_share(size: Record, instances: int) -> Fraction:
    capacity = 100 if size["Type"] == "CAPACITY_PERCENT" else max(1, instances)
    return min(Fraction(1), Fraction(size["Value"], capacity))
