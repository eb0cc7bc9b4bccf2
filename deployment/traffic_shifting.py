"""How an update moves traffic: the DeploymentConfig of UpdateEndpoint.

SageMaker stands a new fleet beside the old one and moves traffic over in the steps asked for; while it waits after each
step, an alarm of AutoRollbackConfiguration sends everything back (blue/green, "deployment guardrails").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from project.settings import UpdateSettings


def deployment_config(update: UpdateSettings, fleet_size: int, alarms: Sequence[str]) -> dict[str, Any]:
    """What UpdateEndpoint is told of steps, waits and alarms.

    fleet_size: instances of the smallest variant. A step is at least one of them and, as SageMaker asks, at most half;
        so a single instance gets all traffic at once, watched by the alarms all the same.
    alarms: names of alarms that are not in ALARM state.
    """
    routing: dict[str, Any] = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": update.wait_seconds}
    waits = 1
    if update.traffic != "all-at-once" and fleet_size > 1:
        count = min(math.ceil(fleet_size * update.step_percentage / 100), fleet_size // 2)
        step = {"Type": "INSTANCE_COUNT", "Value": count}
        if update.traffic == "canary":
            routing |= {"Type": "CANARY", "CanarySize": step}
            waits = 2
        else:
            routing |= {"Type": "LINEAR", "LinearStepSize": step}
            waits = math.ceil(fleet_size / count)
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "MaximumExecutionTimeoutInSeconds": max_update_seconds(update, waits),
        },
        **({"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}),
    }


def max_update_seconds(update: UpdateSettings, waits: int = 10) -> int:
    """Seconds: half an hour for a fleet to start, and the waits; below the eight hours that SageMaker allows."""
    return 1800 + waits * update.wait_seconds
