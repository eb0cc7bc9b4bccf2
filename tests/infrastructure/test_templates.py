"""Templates: they pass cfn-lint and can be deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from cfnlint.api import lint_file
from moto import mock_aws

from tests.infrastructure import moto_types
from tests.infrastructure.templates import NAMES, create_stack, create_storage, path, storage_stack, template

PROJECT = {"ProjectName": "demo", "Stage": "prod"}


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield boto3.client("cloudformation", region_name="eu-west-1")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_cfn_lint_reports_nothing(name: str) -> None:
    assert lint_file(path(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_has_a_description_and_constraints(name: str) -> None:
    limits = {"AllowedPattern", "AllowedValues", "MinValue"}
    for key, parameter in template(name)["Parameters"].items():
        assert parameter["Description"], key
        assert limits & parameter.keys() or parameter["Type"] == "Number", key
        if "AllowedPattern" in parameter and "Default" in parameter:
            assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"]), key


@pytest.mark.parametrize("name", NAMES)
def test_every_output_is_exported_under_the_stacks_name(name: str) -> None:
    for key, output in template(name)["Outputs"].items():
        assert output["Description"], key
        assert output["Export"]["Name"] == {"Fn::Sub": f"${{AWS::StackName}}-{key}"}


def test_the_bucket_is_private_encrypted_and_versioned_and_expires_objects() -> None:
    bucket = template("storage-and-roles")["Resources"]["Bucket"]
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    encryption = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    prefixes = {str(rule.get("Prefix")) for rule in properties["LifecycleConfiguration"]["Rules"]}
    assert {"{'Fn::Sub': '${ProjectName}/captures/'}", "{'Fn::Sub': '${ProjectName}/monitoring/'}"} <= prefixes


def test_the_storage_stack_exports_what_the_other_stacks_import(cloudformation: Any) -> None:
    outputs = create_storage(cloudformation)
    exports = {export["Name"] for export in cloudformation.list_exports()["Exports"]}
    assert exports >= {f"{storage_stack()}-{key}" for key in outputs}
    imports = {
        found
        for name in NAMES
        for found in re.findall(r"\$\{(?:StorageStackName|TrainingStackName)\}-([A-Za-z]+)", path(name).read_text())
    }
    assert imports <= {*outputs, "ModelsPolicyArn"}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        (
            "build",
            {
                "ProjectName": "demo",
                "ModelPackageGroupName": "demo",
                "SettingsFile": "settings.yaml",
                "Repository": "owner/name",
                "Source": "GitHubActions",
            },
        ),
        ("deploy-on-approval", {**PROJECT, "ModelPackageGroupName": "demo", "CodeKey": "code.zip"}),
        ("promote", {**PROJECT, "SettingsFile": "settings.yaml", "Repository": "demo", "Source": "CodeCommit"}),
        ("retrain-on-drift", {**PROJECT, "CodeKey": "code.zip", "RetrainingSchedule": "rate(30 days)"}),
        ("dashboard", {**PROJECT, "BuildProjectName": "demo-build"}),
    ],
)
def test_every_other_stack_can_be_deployed_after_the_storage_stack(
    cloudformation: Any, name: str, parameters: dict[str, str]
) -> None:
    create_storage(cloudformation)
    create_storage(cloudformation, "prod", TrainingStackName=storage_stack())
    assert create_stack(
        cloudformation, f"demo-prod-{name}", name, {**parameters, "StorageStackName": storage_stack("prod")}
    )


def test_production_requires_a_manual_approval_before_deployment_and_test(cloudformation: Any) -> None:
    create_storage(cloudformation)
    create_storage(cloudformation, "prod", TrainingStackName=storage_stack())
    parameters = {**PROJECT, "SettingsFile": "settings.yaml", "Repository": "demo", "Source": "CodeCommit"}
    create_stack(cloudformation, "demo-promote", "promote", {**parameters, "StorageStackName": storage_stack("prod")})
    pipeline = moto_types.kept["AWS::CodePipeline::Pipeline", "demo-promote"]
    assert [stage["Name"] for stage in pipeline["Stages"]] == ["Source", "Approval", "Deploy"]
    assert pipeline["Stages"][1]["Actions"][0]["ActionTypeId"]["Provider"] == "Manual"
    variables = json.loads(pipeline["Stages"][2]["Actions"][0]["Configuration"]["EnvironmentVariables"])
    assert variables == [{"name": "MODEL_PACKAGE_VERSION", "value": "#{variables.MODEL_PACKAGE_VERSION}"}]
    commands = moto_types.kept["AWS::CodeBuild::Project", "demo-prod-deploy"]["Source"]["BuildSpec"]
    assert "deployment deploy --stage prod" in commands
    assert commands.index("deployment deploy") < commands.index("deployment test")


def test_the_dashboard_is_valid_json_and_shows_the_endpoint_of_the_stage(cloudformation: Any) -> None:
    create_storage(cloudformation)
    parameters = {"ProjectName": "demo", "Stage": "staging", "BuildProjectName": "demo-build"}
    create_stack(cloudformation, "demo-dashboard", "dashboard", {**parameters, "StorageStackName": storage_stack()})
    cloudwatch = boto3.client("cloudwatch", region_name="eu-west-1")
    body = json.loads(cloudwatch.get_dashboard(DashboardName="demo-staging")["DashboardBody"])
    titles = [widget["properties"]["title"] for widget in body["widgets"]]
    assert len(titles) == len(set(titles)) == 8
    assert 'EndpointName="demo-staging"' in body["widgets"][0]["properties"]["metrics"][0][0]["expression"]
    assert "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:demo-staging-execution-failed" in str(body)
