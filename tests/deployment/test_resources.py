"""Removal: everything of one endpoint, nothing of anything else, and in an order that works."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployment.resources import Resource, delete_resources, endpoint_resources
from project.errors import UserError
from project.settings import Settings
from tests.deployment.aws import Account, Refused
from tests.deployment.test_deploy import deploy


def alarm(name: str, dimension: str = "EndpointName", endpoint: str = "demo") -> dict[str, Any]:
    return {"AlarmName": name, "StateValue": "OK", "Dimensions": [{"Name": dimension, "Value": endpoint}]}


def schedule(endpoint: str) -> dict[str, Any]:
    parameters = [{"Name": "EndpointName", "Value": endpoint}]
    return {"Target": {"Arn": "arn", "SageMakerPipelineParameters": {"PipelineParameterList": parameters}}}


def remove(settings: Settings, account: Account, endpoint: str = "demo") -> list[Resource]:
    gone: list[Resource] = []
    found = endpoint_resources(settings, account.target, endpoint)
    delete_resources(account.target, found, gone.append)
    assert gone == found
    return gone


def test_all_that_belongs_to_an_endpoint_goes_what_watches_it_first(settings: Settings, account: Account) -> None:
    deploy(settings, account, 1, challenger=2)
    account.alarms["demo-drift"] = alarm("demo-drift", "Endpoint")
    account.alarms["demo-ratio"] = {
        "AlarmName": "demo-ratio",
        "StateValue": "OK",
        "Metrics": [{"Id": "m", "MetricStat": {"Metric": {"Dimensions": [{"Name": "Endpoint", "Value": "demo"}]}}}],
    }
    account.schedules["demo-monitoring"] = schedule("demo")
    account.monitoring_schedules.append(
        {
            "MonitoringScheduleName": "native",
            "MonitoringJobDefinitionName": "definition",
            "MonitoringType": "DataQuality",
        }
    )
    kinds = [resource.kind for resource in remove(settings, account)]
    assert kinds == [
        "schedule",
        "monitoring schedule",
        "DataQuality job definition",
        *["scaling"] * 2,
        *["alarm"] * 6,
        "endpoint",
        "endpoint config",
        *["model"] * 2,
    ]
    assert account.sent("DeleteSchedule")[0]["GroupName"] == "default"
    assert account.sent("DeleteDataQualityJobDefinition") == [{"JobDefinitionName": "definition"}]
    left = (account.endpoints, account.configs, account.models, account.alarms, account.scaled, account.schedules)
    assert not any(left)


def test_removing_again_finds_nothing(settings: Settings, account: Account) -> None:
    deploy(settings, account)
    remove(settings, account)
    assert remove(settings, account) == []


def test_a_neighbour_whose_name_begins_alike_stays(settings: Settings, account: Account) -> None:
    deploy(settings, account)
    deploy(settings, account, endpoint="demo-staging")
    account.schedules["demo-staging-monitoring"] = schedule("demo-staging")
    remove(settings, account)
    assert list(account.endpoints) == ["demo-staging"]
    assert len(account.configs) == len(account.models) == 1
    assert sorted(account.alarms) == ["demo-staging-champion-5xx-errors", "demo-staging-champion-latency"]
    assert list(account.scaled) == ["endpoint/demo-staging/variant/champion"]
    assert list(account.schedules) == ["demo-staging-monitoring"]


def test_what_has_not_the_project_s_tags_or_names_stays(settings: Settings, account: Account) -> None:
    deploy(settings, account)
    account.alarms["operations"] = alarm("operations")
    account.models["demo-v1-abcdef00"] = {"ModelName": "demo-v1-abcdef00"}
    remove(settings, account)
    assert list(account.alarms) == ["operations"]
    assert list(account.models) == ["demo-v1-abcdef00"]


def test_another_project_s_endpoint_is_refused(settings: Settings, account: Account) -> None:
    deploy(settings, account)
    account.tags = {}
    with pytest.raises(UserError, match="does not belong to project 'demo', and stays"):
        endpoint_resources(settings, account.target, "demo")


def test_what_is_gone_in_the_meantime_is_no_error(settings: Settings, account: Account) -> None:
    deploy(settings, account)
    (config,) = account.configs
    found = endpoint_resources(settings, account.target, "demo")

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise Refused("ValidationException", f'Could not find endpoint configuration "{config}".')

    account.answers["DeleteEndpointConfig"] = refuse
    delete_resources(account.target, found)
    assert not account.models


def test_a_schedule_s_endpoint_is_found_in_json_too(settings: Settings, account: Account) -> None:
    account.schedules["demo-daily"] = {"Target": {"Arn": "arn", "Input": json.dumps({"parameters": ["demo"]})}}
    account.schedules["demo-other"] = {"Target": {"Arn": "arn", "Input": "{not json"}}
    assert [resource.name for resource in remove(settings, account)] == ["default/demo-daily"]
