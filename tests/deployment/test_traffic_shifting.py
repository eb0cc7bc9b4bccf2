"""Traffic shifting: SageMaker accepts steps of 10 to 50 % of the fleet, in whole instances."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deployment.traffic_shifting import deployment_config
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
