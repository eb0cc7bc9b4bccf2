"""Versions and aliases of functions."""

import json
from typing import Any

import pytest

from tests.local_sagemaker.machine import Machine, Record
from tests.local_sagemaker.services.lambda_.test_functions import archive, create, invoke, refused

WHO = """
def handler(event, context):
    return "{answer}", context.function_version, context.invoked_function_arn.rpartition("function:")[2]
"""
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


def call(machine: Machine, operation: str, **members: Any) -> Record:
    return machine.functions.call(operation, {"FunctionName": "f", **members})


def change_code(machine: Machine, answer: str, **more: Any) -> Record:
    return call(machine, "UpdateFunctionCode", ZipFile=archive({"app.py": WHO.format(answer=answer)}), **more)


@pytest.fixture
def two_versions(machine: Machine) -> Machine:
    """A machine with a function that answers "one" in version 1, "two" in version 2 and "three" in $LATEST."""
    create(machine, WHO.format(answer="one"), Publish=True)
    change_code(machine, "two", Publish=True)
    change_code(machine, "three")
    return machine


def test_a_version_keeps_its_code_and_configuration(two_versions: Machine) -> None:
    call(two_versions, "UpdateFunctionConfiguration", Timeout=77)
    assert invoke(two_versions)["Payload"] == ["three", "$LATEST", "f"]
    assert invoke(two_versions, Qualifier="1")["Payload"] == ["one", "1", "f:1"]
    answer = invoke(two_versions, FunctionName=f"{ARN}:2")
    assert (answer["Payload"], answer["ExecutedVersion"]) == (["two", "2", "f:2"], "2")
    old = call(two_versions, "GetFunctionConfiguration", Qualifier="1")
    assert (old["Version"], old["FunctionArn"], old["Timeout"]) == ("1", f"{ARN}:1", 3)


def test_publishing_without_a_change_returns_the_last_version(two_versions: Machine) -> None:
    third = call(two_versions, "PublishVersion", Description="the third")
    assert (third["Version"], third["Description"]) == ("3", "the third")
    assert call(two_versions, "PublishVersion")["Version"] == "3"
    assert refused(two_versions, "PublishVersion", CodeSha256="other")[0] == "InvalidParameterValueException"
    assert refused(two_versions, "PublishVersion", RevisionId="old")[0] == "PreconditionFailedException"


def test_the_number_of_a_deleted_version_is_not_used_again(two_versions: Machine) -> None:
    call(two_versions, "DeleteFunction", Qualifier="2")
    assert refused(two_versions, "Invoke", Qualifier="2") == (
        "ResourceNotFoundException",
        f"Function not found: {ARN}:2",
    )
    assert call(two_versions, "PublishVersion")["Version"] == "3"


def test_versions_are_listed_in_pages(two_versions: Machine) -> None:
    first = call(two_versions, "ListVersionsByFunction", MaxItems=2)
    rest = call(two_versions, "ListVersionsByFunction", Marker=first["NextMarker"])
    assert [version["Version"] for version in first["Versions"] + rest["Versions"]] == ["$LATEST", "1", "2"]
    assert "NextMarker" not in rest
    everything = two_versions.functions.call("ListFunctions", {"FunctionVersion": "ALL"})["Functions"]
    assert [version["FunctionArn"] for version in everything] == [f"{ARN}:$LATEST", f"{ARN}:1", f"{ARN}:2"]


def test_an_alias_points_to_a_version_until_it_is_updated(two_versions: Machine) -> None:
    created = call(two_versions, "CreateAlias", Name="live", FunctionVersion="1")
    assert created["AliasArn"] == f"{ARN}:live"
    answer = invoke(two_versions, Qualifier="live")
    assert (answer["Payload"], answer["ExecutedVersion"]) == (["one", "1", "f:live"], "1")
    call(two_versions, "UpdateAlias", Name="live", FunctionVersion="2", RevisionId=created["RevisionId"])
    assert invoke(two_versions, FunctionName="f:live")["Payload"][0] == "two"
    stale = refused(two_versions, "UpdateAlias", Name="live", FunctionVersion="1", RevisionId=created["RevisionId"])
    assert stale[0] == "PreconditionFailedException"
    assert [alias["Name"] for alias in call(two_versions, "ListAliases", FunctionVersion="2")["Aliases"]] == ["live"]
    assert call(two_versions, "ListAliases", FunctionVersion="1")["Aliases"] == []


def test_an_alias_shares_invocations_between_two_versions_by_weight(two_versions: Machine) -> None:
    routing = {"AdditionalVersionWeights": {"2": 0.5}}
    call(two_versions, "CreateAlias", Name="canary", FunctionVersion="1", RoutingConfig=routing)
    answers = {invoke(two_versions, Qualifier="canary")["ExecutedVersion"] for _ in range(40)}
    assert answers == {"1", "2"}
    cleared = call(two_versions, "UpdateAlias", Name="canary", RoutingConfig={"AdditionalVersionWeights": {}})
    assert "RoutingConfig" not in cleared


def test_a_name_may_end_with_the_word_function(machine: Machine) -> None:
    create(machine, WHO.format(answer="one"), FunctionName="my-function", Publish=True)
    names = ("my-function:1", "123456789012:function:my-function:1", f"{ARN.removesuffix('f')}my-function:1")
    assert [invoke(machine, FunctionName=name)["ExecutedVersion"] for name in names] == ["1"] * 3


def test_a_version_with_an_alias_cannot_be_deleted(two_versions: Machine) -> None:
    call(two_versions, "CreateAlias", Name="live", FunctionVersion="1")
    assert refused(two_versions, "DeleteFunction", Qualifier="1") == (
        "ResourceConflictException",
        "Unable to delete version because the following aliases reference it: [live]",
    )
    assert refused(two_versions, "CreateAlias", Name="live", FunctionVersion="2")[0] == "ResourceConflictException"
    call(two_versions, "DeleteAlias", Name="live")
    assert refused(two_versions, "GetAlias", Name="live")[0] == "ResourceNotFoundException"
    call(two_versions, "DeleteFunction", Qualifier="1")


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"Name": "live", "FunctionVersion": "9"}, "ResourceNotFoundException"),
        ({"Name": "12", "FunctionVersion": "1"}, "ValidationException"),
        (
            {
                "Name": "live",
                "FunctionVersion": "$LATEST",
                "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}},
            },
            "InvalidParameterValueException",
        ),
    ],
)
def test_an_alias_that_is_not_valid_is_refused(two_versions: Machine, members: Record, error: str) -> None:
    assert refused(two_versions, "CreateAlias", **members)[0] == error


def test_each_alias_has_a_resource_policy_of_its_own(two_versions: Machine) -> None:
    call(two_versions, "CreateAlias", Name="live", FunctionVersion="1")
    permission = {"StatementId": "rule", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    call(two_versions, "AddPermission", Qualifier="live", **permission)
    policy = json.loads(call(two_versions, "GetPolicy", Qualifier="live")["Policy"])
    assert [statement["Resource"] for statement in policy["Statement"]] == [f"{ARN}:live"]
    assert refused(two_versions, "GetPolicy")[0] == "ResourceNotFoundException"
    call(two_versions, "AddPermission", **permission)
    call(two_versions, "RemovePermission", StatementId="rule", Qualifier="live")
    assert len(json.loads(call(two_versions, "GetPolicy")["Policy"])["Statement"]) == 1


def test_the_policy_of_an_alias_has_the_revision_of_the_alias_and_is_deleted_with_it(two_versions: Machine) -> None:
    alias = call(two_versions, "CreateAlias", Name="live", FunctionVersion="1")
    permission = {"StatementId": "rule", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    call(two_versions, "AddPermission", Qualifier="live", RevisionId=alias["RevisionId"], **permission)
    assert call(two_versions, "GetPolicy", Qualifier="live")["RevisionId"] == alias["RevisionId"]
    call(two_versions, "DeleteAlias", Name="live")
    call(two_versions, "CreateAlias", Name="live", FunctionVersion="2")
    assert refused(two_versions, "GetPolicy", Qualifier="live")[0] == "ResourceNotFoundException"
