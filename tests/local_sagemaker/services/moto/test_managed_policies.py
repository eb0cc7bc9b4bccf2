"""The managed policies of AWS exist in IAM, and are loaded once a request names them."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_sagemaker.http.background import ensure_server, stop_server
from tests.local_sagemaker.conftest import MakeClient, make_client

FULL_ACCESS = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
LAMBDA_ROLE = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
LINKED = "arn:aws:iam::aws:policy/aws-service-role/AmazonSageMakerNotebooksServiceRolePolicy"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}})


def make_role(iam: Any, *policies: str) -> str:
    name = f"role-{uuid.uuid4()}"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return name


def attached(iam: Any, role: str) -> set[str]:
    return {policy["PolicyArn"] for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]}


def test_policies_are_attached_to_a_role_and_detached(client: MakeClient) -> None:
    iam = client("iam")
    role = make_role(iam, FULL_ACCESS, LAMBDA_ROLE)
    assert attached(iam, role) == {FULL_ACCESS, LAMBDA_ROLE}
    iam.detach_role_policy(RoleName=role, PolicyArn=FULL_ACCESS)
    assert attached(iam, role) == {LAMBDA_ROLE}


@pytest.mark.parametrize("arn", [FULL_ACCESS, LAMBDA_ROLE, LINKED])
def test_a_policy_has_its_document_in_its_default_version(client: MakeClient, arn: str) -> None:
    iam = client("iam")
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert policy["Arn"] == arn
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Version"] == "2012-10-17"
    assert [item["VersionId"] for item in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == [version["VersionId"]]


@pytest.mark.parametrize("name", ["AmazonSageMakerFullestAccess", "service-role/AmazonSageMakerFullAccess"])
def test_a_policy_that_aws_does_not_have_does_not_exist(client: MakeClient, name: str) -> None:
    with pytest.raises(ClientError, match="NoSuchEntity"):
        client("iam").get_policy(PolicyArn=f"arn:aws:iam::aws:policy/{name}")


def test_policies_of_aws_are_listed_once_each_beside_those_of_the_account(client: MakeClient) -> None:
    iam = client("iam")
    make_role(iam, FULL_ACCESS)
    own = iam.create_policy(PolicyName="own-beside-those-of-aws", PolicyDocument=ALLOW)["Policy"]["Arn"]
    pages = iam.get_paginator("list_policies")
    listed = [
        policy["Arn"]
        for page in pages.paginate(Scope="AWS", PaginationConfig={"PageSize": 1000})
        for policy in page["Policies"]
    ]
    assert len(listed) == len(set(listed)) > 1000
    assert {FULL_ACCESS, LAMBDA_ROLE, LINKED} <= set(listed)
    assert own not in listed
    local = [policy["Arn"] for page in pages.paginate(Scope="Local") for policy in page["Policies"]]
    assert own in local
    assert FULL_ACCESS not in local


@pytest.mark.slow
def test_policies_are_attached_after_a_restart_and_ids_are_the_same(tmp_path: Path) -> None:
    try:
        iam = make_client(ensure_server(tmp_path), "iam")
        # the policy is loaded by a request that is not replayed
        policy = iam.get_policy(PolicyArn=FULL_ACCESS)["Policy"]
        role = make_role(iam, FULL_ACCESS)
        own = iam.create_policy(PolicyName="own", PolicyDocument=ALLOW)["Policy"]
        stop_server(tmp_path)
        iam = make_client(ensure_server(tmp_path), "iam")
        assert attached(iam, role) == {FULL_ACCESS}
        assert iam.get_policy(PolicyArn=FULL_ACCESS)["Policy"]["PolicyId"] == policy["PolicyId"]
        assert iam.get_policy(PolicyArn=own["Arn"])["Policy"]["PolicyId"] == own["PolicyId"]
    finally:
        stop_server(tmp_path)
