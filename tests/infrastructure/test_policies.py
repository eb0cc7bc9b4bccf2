"""Least privilege: roles have permissions for named resources only, except for a short list with reasons."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from infrastructure.parameters import known_parameters
from project.settings import ImageSettings, Settings
from tests.infrastructure.templates import NAMES, statements, template

STATEMENTS = [found for name in NAMES for found in statements(name)]

# actions that support no resources, or whose resources are not known beforehand, and why they are needed
ON_ANYTHING = {
    "ecr:GetAuthorizationToken": "pulling container images",
    "cloudwatch:PutMetricData": "supports a condition on namespaces instead",
    "ec2:DescribeDhcpOptions": "jobs in a VPC",
    "ec2:DescribeNetworkInterfaces": "jobs in a VPC",
    "ec2:DescribeSecurityGroups": "jobs in a VPC",
    "ec2:DescribeSubnets": "jobs in a VPC",
    "ec2:DescribeVpcs": "jobs in a VPC",
    "ec2:DescribeVpcEndpoints": "jobs in a VPC",
    "sagemaker:ListMlflowApps": "finding an MLflow App by its name",
    "sagemaker:ListModels": "finding the resources of an endpoint",
    "sagemaker:ListEndpointConfigs": "finding the resources of an endpoint",
    "sagemaker:ListMonitoringSchedules": "finding the resources of an endpoint",
    "scheduler:ListSchedules": "finding the resources of an endpoint",
    "cloudwatch:DescribeAlarms": "finding the alarms of an endpoint, by prefix",
    "application-autoscaling:DescribeScalableTargets": "finding the autoscaling of an endpoint",
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_policies_are_found() -> None:
    assert len(STATEMENTS) > 50


def test_only_the_key_policy_allows_all_actions_of_a_service() -> None:
    wide = [
        (where, action)
        for where, statement in STATEMENTS
        for action in listed(statement["Action"])
        if "*" in action and statement["Effect"] == "Allow"
    ]
    # keeps the key manageable
    assert wide == [("storage-and-roles: Key.KeyPolicy", "kms:*")]


def test_only_actions_without_resources_are_allowed_on_all_resources() -> None:
    anywhere = {
        action
        for where, statement in STATEMENTS
        if statement["Effect"] == "Allow" and "*" in listed(statement.get("Resource", []))
        # in a key policy, "*" is the key
        if not where.endswith(".KeyPolicy")
        for action in listed(statement["Action"])
    }
    assert anywhere == ON_ANYTHING.keys()


def test_metrics_are_put_to_named_namespaces_only() -> None:
    (condition,) = (
        statement["Condition"]
        for _, statement in STATEMENTS
        if "cloudwatch:PutMetricData" in listed(statement["Action"])
    )
    assert "*" not in condition["StringLike"]["cloudwatch:namespace"]


def test_roles_are_passed_by_name_to_a_named_service() -> None:
    passing = [(where, statement) for where, statement in STATEMENTS if "iam:PassRole" in listed(statement["Action"])]
    assert len(passing) >= 3
    for where, statement in passing:
        assert statement["Condition"]["StringEquals"]["iam:PassedToService"] == "sagemaker.amazonaws.com", where
        for resource in listed(statement["Resource"]):
            assert re.search(r"Role(\.Arn|Arn)?\b", str(resource)), where
            assert "*" not in str(resource), where


@pytest.mark.parametrize("name", NAMES)
def test_no_role_has_an_aws_managed_policy(name: str) -> None:
    for logical_id, resource in template(name)["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"].get("ManagedPolicyArns", []):
                assert "arn:" not in str(policy), logical_id


def test_each_role_is_assumed_by_one_service_and_only_for_this_account() -> None:
    for name in NAMES:
        for logical_id, resource in template(name)["Resources"].items():
            if resource["Type"] != "AWS::IAM::Role":
                continue
            (trust,) = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            service = trust["Principal"].get("Service")
            # GitHub's roles have their own test; Lambda does not set aws:SourceAccount
            if service is not None and service != "lambda.amazonaws.com":
                assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}, logical_id


def test_github_workflows_of_one_repository_assume_roles_and_pull_requests_only_read() -> None:
    resources = template("build")["Resources"]
    subjects = {}
    for logical_id in ("GitHubRole", "GitHubPullRequestRole"):
        (trust,) = resources[logical_id]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        condition = trust["Condition"]["StringEquals"]
        assert condition["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
        subjects[logical_id] = condition["token.actions.githubusercontent.com:sub"]["Fn::Sub"]
    assert subjects == {
        "GitHubRole": "repo:${Repository}:ref:refs/heads/${Branch}",
        "GitHubPullRequestRole": "repo:${Repository}:pull_request",
    }
    policies = resources["GitHubPullRequestRole"]["Properties"]["Policies"]
    actions = [item["Action"] for policy in policies for item in policy["PolicyDocument"]["Statement"]]
    assert actions == ["sagemaker:DescribePipeline"]
    assert "ManagedPolicyArns" not in resources["GitHubPullRequestRole"]["Properties"]


def test_grants_on_keys_are_made_for_aws_services_only() -> None:
    grants = [statement for _, statement in STATEMENTS if "kms:CreateGrant" in listed(statement["Action"])]
    assert grants
    for statement in grants:
        assert statement["Action"] == "kms:CreateGrant"
        assert statement["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": True}}


def policies_of(role: str) -> list[dict[str, Any]]:
    """Return the statements of a role's own policies and of its managed policies, in the storage template."""
    resources = template("storage-and-roles")["Resources"]
    properties = resources[role]["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties["Policies"]]
    documents += [resources[item["Ref"]]["Properties"]["PolicyDocument"] for item in properties["ManagedPolicyArns"]]
    return [statement for document in documents for statement in document["Statement"]]


def written(role: str, effect: str) -> list[str]:
    return [
        resource["Fn::Sub"]
        for statement in policies_of(role)
        if statement.get("Effect") == effect and "s3:PutObject" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def test_endpoints_write_captures_and_predictions_and_cannot_overwrite_code_or_models() -> None:
    prefix = "${Bucket.Arn}/${ProjectName}"
    assert written("EndpointRole", "Allow") == [
        f"{prefix}/{name}/*" for name in ("captures", "batch-captures", "batch")
    ]


def test_jobs_cannot_overwrite_code() -> None:
    assert written("JobRole", "Deny") == ["${Bucket.Arn}/${ProjectName}/code/*"]


def test_logs_are_written_and_read_by_the_names_of_the_project_or_of_its_jobs() -> None:
    resources = [
        (where, str(resource))
        for where, statement in STATEMENTS
        if {"logs:PutLogEvents", "logs:GetLogEvents"} & {*listed(statement["Action"])}
        for resource in listed(statement["Resource"])
    ]
    assert len(resources) > 8
    for where, resource in resources:
        own = r"Log\.Arn|Log', 'Arn|Endpoints/(\$\{ProjectName\}-\$\{Stage\}|sm-clarify-)"
        assert re.search(
            rf"{own}|log-stream:(pipelines-|\*-Tune-|model-\*monitoring-|\$\{{ProjectName\}}-)", resource
        ), where


def test_log_groups_are_encrypted_with_the_key_whose_policy_names_them() -> None:
    (statement,) = (item for _, item in STATEMENTS if item.get("Sid") == "Logs")
    patterns = [item["Fn::Sub"] for item in statement["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]]
    groups = [
        resource["Properties"]
        for name in NAMES
        for resource in template(name)["Resources"].values()
        if resource["Type"] == "AWS::Logs::LogGroup"
    ]
    assert len(groups) == 5
    for group in groups:
        assert group["KmsKeyId"] == {"Fn::ImportValue": {"Fn::Sub": "${StorageStackName}-KeyArn"}}
        name = group["LogGroupName"]["Fn::Sub"]
        assert any(name.startswith(pattern.partition("log-group:")[2].rstrip("*")) for pattern in patterns), name


def test_the_images_of_the_settings_can_be_pulled() -> None:
    images = ImageSettings(
        processing="111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/train:1.2",
        training="111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/train@sha256:abc",
        inference="444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn/serve",
    )
    settings = Settings(
        name="demo",
        problem_type="Regression",
        data={"target_column": "y"},
        quality={"metric": "rmse", "threshold": 1},
        images=images,
    )
    arns = known_parameters(settings, Path("settings.yaml"), "staging")["ImageRepositoryArns"]
    assert arns.split(",") == [
        "arn:aws-cn:ecr:cn-north-1:444455556666:repository/serve",
        "arn:aws:ecr:eu-west-1:111122223333:repository/team/train",
    ]
    assert re.fullmatch(template("storage-and-roles")["Parameters"]["ImageRepositoryArns"]["AllowedPattern"], arns)
    (pull,) = (
        statement
        for _, statement in STATEMENTS
        if statement.get("Resource") == {"Fn::Split": [",", {"Ref": "ImageRepositoryArns"}]}
    )
    assert "ecr:BatchGetImage" in pull["Action"]


@pytest.mark.parametrize(
    ("tracking", "resource"),
    [
        (None, ""),
        ({}, "mlflow-app/*"),
        (
            {"mlflow": "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/team"},
            "mlflow-tracking-server/team",
        ),
        ({"mlflow": "https://mlflow.example.com"}, ""),
    ],
)
def test_jobs_log_runs_to_the_mlflow_of_the_settings_and_delete_none(
    tracking: dict[str, str] | None, resource: str
) -> None:
    settings = Settings.model_validate(
        {
            "name": "demo",
            "problem_type": "Regression",
            "data": {"input": "s3://bucket/data.csv", "target_column": "y"},
            "quality": {"metric": "rmse", "threshold": 3},
            "tracking": tracking,
        }
    )
    assert known_parameters(settings, Path("settings.yaml"), "staging")["MlflowResource"] == resource
    assert re.fullmatch(template("storage-and-roles")["Parameters"]["MlflowResource"]["AllowedPattern"], resource)
    actions = [
        action for where, item in STATEMENTS if "${MlflowResource}" in str(item) for action in listed(item["Action"])
    ]
    assert "sagemaker-mlflow:LogBatch" in actions
    assert not [action for action in actions if "Delete" in action or "*" in action]
