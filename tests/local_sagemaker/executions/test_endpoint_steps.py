"""EndpointConfig and Endpoint steps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local_sagemaker.machine import Machine, Record
from tests.local_sagemaker.models import create_config, create_endpoint, create_model, describe, invoke, variant
from tests.local_sagemaker.steps import fail, run, statuses


def config_step(model: str = "echo", name: str = "Config", **more: Any) -> Record:
    return {"Name": name, "Type": "EndpointConfig", "Arguments": {"ProductionVariants": [variant(model)]}, **more}


def endpoint_step(config: Any = None, name: str = "Deploy", **more: Any) -> Record:
    config = config or {"Get": "Steps.Config.EndpointConfigName"}
    return {
        "Name": name,
        "Type": "Endpoint",
        "Arguments": {"EndpointName": "endpoint", "EndpointConfigName": config, **more},
    }


def test_the_first_execution_creates_an_endpoint_and_the_next_updates_it(machine: Machine) -> None:
    create_model(machine)
    create_model(machine, "new")
    last = fail("End", {"Std:Join": {"On": " ", "Values": [{"Get": "Steps.Deploy.EndpointStatus"}]}})
    _, shown = run(machine, [config_step(), endpoint_step(Tags=[{"Key": "a", "Value": "b"}]), last])
    assert shown["End"]["FailureReason"] == "InService"
    description = describe(machine)
    assert shown["Deploy"]["Metadata"] == {"Endpoint": {"Arn": description["EndpointArn"]}}
    assert shown["Config"]["Metadata"]["EndpointConfig"]["Arn"].endswith(description["EndpointConfigName"].lower())
    assert invoke(machine).json["model"] == "echo"
    assert machine.service.call("ListTags", {"ResourceArn": description["EndpointArn"]})["Tags"]

    execution, _ = run(machine, [config_step("new"), endpoint_step(Tags=[{"Key": "a", "Value": "b"}])])
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert invoke(machine).json["model"] == "new"


def test_an_endpoint_that_fails_to_start_fails_its_step(machine: Machine) -> None:
    create_model(machine, "broken", "raise ValueError('no')")
    _, shown = run(machine, [config_step("broken"), endpoint_step()])
    assert statuses(shown) == {"Config": "Succeeded", "Deploy": "Failed"}
    assert "did not pass the ping health check" in shown["Deploy"]["FailureReason"]


def test_a_failed_update_fails_its_step_and_leaves_the_endpoint_unchanged(machine: Machine) -> None:
    create_model(machine)
    create_model(machine, "broken", "raise ValueError('no')")
    create_endpoint(machine, create_config(machine, "old"))
    _, shown = run(machine, [config_step("broken"), endpoint_step()])
    assert "did not pass the ping health check" in shown["Deploy"]["FailureReason"]
    assert (describe(machine)["EndpointConfigName"], invoke(machine).status) == ("old", 200)


def test_a_configuration_without_a_model_fails_with_the_services_message(machine: Machine) -> None:
    _, shown = run(machine, [config_step("none")])
    assert shown["Config"]["FailureReason"] == (
        "ClientError: Failed to invoke sagemaker:CreateEndpointConfig. Error Details: Could not find model "
        '"arn:aws:sagemaker:us-east-1:123456789012:model/none".'
    )


def test_a_cached_step_creates_its_configuration_once(machine: Machine) -> None:
    create_model(machine)
    step = config_step(CacheConfig={"Enabled": True, "ExpireAfter": "P1D"})
    step["Arguments"]["EndpointConfigName"] = "fixed"
    for _ in range(2):
        execution, shown = run(machine, [step, endpoint_step()])
        assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert "CacheHitResult" in shown["Config"]


def test_definitions_of_the_sdk_run(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import boto3
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.mlops.workflow.endpoint_step import EndpointConfigStep, EndpointStep
    from sagemaker.mlops.workflow.pipeline import Pipeline

    create_model(machine)
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    session = PipelineSession(boto3.session.Session(region_name="us-east-1", **keys))
    config = EndpointConfigStep("Config", session.create_endpoint_config("sdk", [variant()]))
    endpoint = EndpointStep("Deploy", session.create_endpoint("endpoint", config.properties.EndpointConfigName))
    steps = json.loads(Pipeline("p", steps=[config, endpoint], sagemaker_session=session).definition())["Steps"]
    execution, _ = run(machine, steps)
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert describe(machine)["EndpointConfigName"] == "sdk"
    assert invoke(machine).status == 200
