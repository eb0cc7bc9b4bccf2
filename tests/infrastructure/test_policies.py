"""Least privilege: roles have permissions for named resources only, except for a short list with reasons."""

from __future__ import annotations

import re
from typing import Any

import pytest

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
