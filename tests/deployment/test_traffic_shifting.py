"""Traffic shifting: SageMaker accepts steps of 10 to 50 % of the fleet, in whole instances."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployment.traffic_shifting import deployment_config, describe_shifts
from project.settings import UpdateSettings


@given(st.integers(2, 500), st.integers(10, 50), st.sampled_from(["canary", "linear"]), st.integers(0, 1800))
def test_sagemaker_accepts_the_step(fleet: int, percentage: int, traffic: str, wait: int) -> None:
    update = UpdateSettings.model_validate({"traffic": traffic, "step_percentage": percentage, "wait_seconds": wait})
    policy = deployment_config(update, fleet, ["alarm"])["BlueGreenUpdatePolicy"]
    routing = policy["TrafficRoutingConfiguration"]
    step = routing["CanarySize" if traffic == "canary" else "LinearStepSize"]
    assert 0.1 <= step["Value"] / fleet <= 0.5
    steps = 2 if traffic == "canary" else -(-fleet // step["Value"])
    assert steps * wait < policy["MaximumExecutionTimeoutInSeconds"] <= 28800


def test_a_single_instance_gets_all_traffic_at_once_guarded_by_alarms() -> None:
    config = deployment_config(UpdateSettings(wait_seconds=120), 1, ["alarm"])
    assert config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"] == {
        "Type": "ALL_AT_ONCE",
        "WaitIntervalInSeconds": 120,
    }
    assert config["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "alarm"}]}


def test_without_alarms_there_is_no_rollback_configuration() -> None:
    assert "AutoRollbackConfiguration" not in deployment_config(UpdateSettings(), 4, [])


@pytest.mark.parametrize(
    ("traffic", "fleet", "sentence"),
    [
        ("canary", 10, "Traffic shifts to 2 of 10 new instances first, and to all after 60 s without an alarm"),
        ("linear", 10, "Traffic shifts to 2 of 10 new instances at a time, after 60 s each without an alarm"),
        ("canary", 1, "Traffic shifts to the new instances at once, and back if there is an alarm in the next 60 s"),
    ],
)
def test_the_shifts_are_described_with_the_share_of_the_canary(traffic: str, fleet: int, sentence: str) -> None:
    update = UpdateSettings.model_validate({"traffic": traffic, "step_percentage": 20, "wait_seconds": 60})
    assert describe_shifts(deployment_config(update, fleet, ["alarm"]), fleet) == sentence
