"""How an update moves the traffic to a new fleet: all at once, a canary first, or in steps.

Described in "Deployment guardrails for updating models in production".
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

# as long as a deployment may take that sets no MaximumExecutionTimeoutInSeconds, which is as long as one can be set
LONGEST = 28_800
ALARM_CHECK_SECONDS = 1.0


class RolledBack(Exception):
    """An update is not to be gone on with; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class Shift:
    """share: of the requests, 0 to 1, for the new fleet. wait: seconds to watch the alarms after that."""

    share: float
    wait: float


@dataclass(frozen=True)
class Rollout:
    """shifts: in order; the last one is of everything. termination_wait: seconds that the old fleet stays after it.

    alarms: the names of those that end it. timeout: seconds that all of it may take.
    """

    shifts: tuple[Shift, ...]
    termination_wait: float = 0
    alarms: tuple[str, ...] = ()
    timeout: float = LONGEST


def rollout(config: Record | None, instances: int) -> Rollout:
    """The plan of a DeploymentConfig, all at once where there is none. instances: of the new fleet."""
    if config is None:
        return Rollout((Shift(1, 0),))
    alarms = tuple(alarm["AlarmName"] for alarm in config.get("AutoRollbackConfiguration", {}).get("Alarms", []))
    if rolling := config.get("RollingUpdatePolicy"):
        step = _share(rolling["MaximumBatchSize"], instances)
        shifts = _steps(step, rolling["WaitIntervalInSeconds"])
        return Rollout(shifts, 0, alarms, rolling.get("MaximumExecutionTimeoutInSeconds", LONGEST))
    policy = config.get("BlueGreenUpdatePolicy")
    if policy is None:
        return Rollout((Shift(1, 0),), alarms=alarms)
    traffic = policy["TrafficRoutingConfiguration"]
    wait = traffic["WaitIntervalInSeconds"]
    if traffic["Type"] == "CANARY":
        shifts = (Shift(float(_share(traffic["CanarySize"], instances)), wait), Shift(1, 0))
    elif traffic["Type"] == "LINEAR":
        shifts = _steps(_share(traffic["LinearStepSize"], instances), wait)
    else:
        shifts = (Shift(1, wait),)
    return Rollout(
        shifts,
        policy.get("TerminationWaitInSeconds", 0),
        alarms,
        policy.get("MaximumExecutionTimeoutInSeconds", LONGEST),
    )


def carry_out(
    plan: Rollout, share: Callable[[float], None], alarm_states: AlarmStates, interrupted: threading.Event
) -> None:
    """Move the traffic as planned, in as much time as that says.

    share: gives the new fleet that part of the requests. alarm_states: the states, by name, of those of the named
    alarms that there are. Raises RolledBack where an alarm goes off, it takes too long, or it is interrupted.
    """
    deadline = time.monotonic() + plan.timeout
    for shift in plan.shifts:
        share(shift.share)
        _watch(plan, shift.wait, deadline, alarm_states, interrupted)
    _watch(plan, plan.termination_wait, deadline, alarm_states, interrupted)


def _watch(
    plan: Rollout, seconds: float, deadline: float, alarm_states: AlarmStates, interrupted: threading.Event
) -> None:
    end = time.monotonic() + seconds
    while True:
        if plan.alarms and (firing := _firing(list(plan.alarms), alarm_states)):
            raise RolledBack(f"Rolled back: alarms went off during the deployment: {', '.join(firing)}")
        now = time.monotonic()
        if now >= deadline:
            raise RolledBack(f"Rolled back: the deployment took longer than {plan.timeout:g} seconds")
        if now >= end:
            return
        if interrupted.wait(min(ALARM_CHECK_SECONDS, end - now, deadline - now)):
            raise RolledBack("Rolled back: the local SageMaker ended during the deployment")


def _firing(alarms: list[str], alarm_states: AlarmStates) -> list[str]:
    try:
        return [name for name, state in alarm_states(alarms).items() if state == "ALARM"]
    except Exception:
        log.exception("the states of alarms %s cannot be had", ", ".join(alarms))
        return []


def _steps(step: Fraction, wait: float) -> tuple[Shift, ...]:
    count = math.ceil(1 / step)
    return (*(Shift(float(step * number), wait) for number in range(1, count)), Shift(1, 0))


def _share(size: Record, instances: int) -> Fraction:
    of = 100 if size["Type"] == "CAPACITY_PERCENT" else max(1, instances)
    return min(Fraction(1), Fraction(size["Value"], of))
