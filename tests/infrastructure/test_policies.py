"""What the roles may do: nothing that is not named, but for a short list with reasons."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.infrastructure.templates import NAMES, statements, template

STATEMENTS = [found for name in NAMES for found in statements(name)]

# actions that know no resources (or whose resources nobody knows beforehand), and why they are needed
ON_ANYTHING = {
    "ecr:GetAuthorizationToken": "every container's image is pulled with it",
    "cloudwatch:PutMetricData": "knows namespaces, which its condition names",
    "ec2:DescribeDhcpOptions": "jobs in a VPC",
    "ec2:DescribeNetworkInterfaces": "jobs in a VPC",
    "ec2:DescribeSecurityGroups": "jobs in a VPC",
    "ec2:DescribeSubnets": "jobs in a VPC",
    "ec2:DescribeVpcs": "jobs in a VPC",
    "ec2:DescribeVpcEndpoints": "jobs in a VPC",
    "sagemaker:ListModels": "what belongs to an endpoint",
    "sagemaker:ListEndpointConfigs": "what belongs to an endpoint",
    "sagemaker:ListMonitoringSchedules": "what belongs to an endpoint",
    "scheduler:ListSchedules": "what belongs to an endpoint",
    "cloudwatch:DescribeAlarms": "the alarms of an endpoint, by prefix",
    "application-autoscaling:DescribeScalableTargets": "the scaling of an endpoint",
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_there_are_policies_to_look_at() -> None:
    assert len(STATEMENTS) > 50


def test_nothing_but_the_key_itself_allows_all_of_a_service() -> None:
    wide = [
        (where, action)
        for where, statement in STATEMENTS
        for action in listed(statement["Action"])
        if "*" in action and statement["Effect"] == "Allow"
    ]
    # without it nobody could ever change the key
    assert wide == [("storage-and-roles: Key.KeyPolicy", "kms:*")]


def test_only_what_knows_no_resources_is_allowed_on_any() -> None:
    anywhere = {
        action
        for where, statement in STATEMENTS
        if statement["Effect"] == "Allow" and "*" in listed(statement.get("Resource", []))
        # the resource of a key's policy is the key
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
    passing = [(where, one) for where, one in STATEMENTS if "iam:PassRole" in listed(one["Action"])]
    assert len(passing) >= 3
    for where, statement in passing:
        assert statement["Condition"]["StringEquals"]["iam:PassedToService"] == "sagemaker.amazonaws.com", where
        for resource in listed(statement["Resource"]):
            assert re.search(r"Role(\.Arn|Arn)?\b", str(resource)), where
            assert "*" not in str(resource), where


@pytest.mark.parametrize("name", NAMES)
def test_no_role_has_a_policy_of_aws_own(name: str) -> None:
    for logical_id, resource in template(name)["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"].get("ManagedPolicyArns", []):
                assert "arn:" not in str(policy), logical_id


def test_roles_are_taken_on_by_one_service_for_this_account_alone() -> None:
    for name in NAMES:
        for logical_id, resource in template(name)["Resources"].items():
            if resource["Type"] != "AWS::IAM::Role":
                continue
            (trust,) = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            service = trust["Principal"].get("Service")
            # of GitHub's roles see below; Lambda does not say on whose behalf it takes a role on
            if service is not None and service != "lambda.amazonaws.com":
                assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}, logical_id


def test_github_gets_in_from_one_repository_and_by_a_pull_request_only_looks() -> None:
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
    actions = [one["Action"] for policy in policies for one in policy["PolicyDocument"]["Statement"]]
    assert actions == ["sagemaker:DescribePipeline"]
    assert "ManagedPolicyArns" not in resources["GitHubPullRequestRole"]["Properties"]
