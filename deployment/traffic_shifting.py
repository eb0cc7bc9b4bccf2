"""The DeploymentConfig of UpdateEndpoint: how an update shifts traffic, and which alarms roll it back.

SageMaker starts a new fleet beside the old one and shifts traffic in the requested steps. An alarm of the
AutoRollbackConfiguration that goes into ALARM while SageMaker waits after a step rolls the update back ("Deployment
guardrails for updating models in production", blue/green).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from project.settings import UpdateSettings


def deployment_config(update: UpdateSettings, fleet_size: int, alarms: Sequence[str]) -> dict[str, Any]:
    """Build the DeploymentConfig.

    Args:
        update: The settings of updates.
        fleet_size: Instance count of the smallest variant. A step is at least one instance and, as SageMaker
            requires, at most half of the fleet; a single instance therefore gets all traffic at once.
        alarms: Names of alarms that are not in ALARM state.
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
            "MaximumExecutionTimeoutInSeconds": _max_update_seconds(update, waits),
        },
        **({"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}),
    }


def describe_shifts(config: Mapping[str, Any], fleet_size: int) -> str:
    """Say in a sentence how a DeploymentConfig of `deployment_config` shifts the traffic of `fleet_size` instances."""
    routing = config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    wait = f"{routing['WaitIntervalInSeconds']} s"
    if routing["Type"] == "CANARY":
        share = f"{routing['CanarySize']['Value']} of {fleet_size} new instances"
        return f"Traffic shifts to {share} first, and to all after {wait} without an alarm"
    if routing["Type"] == "LINEAR":
        step = routing["LinearStepSize"]["Value"]
        return f"Traffic shifts to {step} of {fleet_size} new instances at a time, after {wait} each without an alarm"
    return f"Traffic shifts to the new instances at once, and back if there is an alarm in the next {wait}"


def _max_update_seconds(update: UpdateSettings, waits: int) -> int:
    """Return half an hour for a fleet to start plus the waits; less than the eight hours that SageMaker allows."""
    return 1800 + waits * update.wait_seconds
