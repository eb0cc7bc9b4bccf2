"""`python -m infrastructure` on moto: changes are shown before they are made, and data is deleted only on request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.models import CloudFormationBackend, cloudformation_backends
from moto.cloudformation.parsing import OutputMap
from moto.core import DEFAULT_ACCOUNT_ID
from moto.kms.models import Alias, kms_backends
from typer.testing import CliRunner, Result

from infrastructure import package, stacks
from infrastructure.__main__ import app
from infrastructure.parameters import TEMPLATES, load_template
from infrastructure.stage import Stage
from local_sagemaker.services.moto import change_set_patches, stack_patches
from project.errors import UserError
from project.paths import DEFAULT_SETTINGS
from project.settings import load_settings
from tests.infrastructure.moto_types import kept
from tests.infrastructure.templates import NAMES

Run = Callable[..., Result]

STORAGE = ("--stack", "storage-and-roles")
BUILD = ("-p", "Repository=me/demo", "-p", "Source=CodeCommit")
COMMANDS = ["deploy", "diff", "status", "destroy"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run commands for the project `demo`, in an account that is empty at first."""
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        "{name: demo, problem_type: Regression, data: {target_column: y}, quality: {metric: rmse, threshold: 1}}"
    )
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    # builds read the settings from the repository, and wheels are downloaded
    monkeypatch.setattr("infrastructure.parameters.REPOSITORY", tmp_path)
    monkeypatch.setattr(package, "libraries_archive", lambda: b"wheels")
    monkeypatch.chdir(tmp_path)
    stack_patches.patches.apply()
    change_set_patches.patches.apply()

    def invoke(command: str, *arguments: str, answer: str | None = None, stage: str = "staging") -> Result:
        whole = [command, "--stage", stage, "--settings", str(settings), *arguments]
        return CliRunner().invoke(app, whole, input=answer, env={"COLUMNS": "200"})

    with mock_aws():
        yield invoke


def stack_names() -> set[str]:
    stacks = boto3.client("cloudformation").describe_stacks()["Stacks"]
    return {stack["StackName"] for stack in stacks}


def buckets() -> list[str]:
    return [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert (result.exit_code, f"python -m infrastructure {command}" in result.output) == (0, True)


def test_every_template_belongs_to_a_stage() -> None:
    assert {name for names in TEMPLATES.values() for name in names} == set(NAMES)
    assert all(load_template(name).defaults for name in NAMES)


def test_a_stage_is_deployed_in_order_and_again_changes_nothing(run: Run) -> None:
    first = run("deploy", "--yes", *BUILD)
    assert first.exit_code == 0, first.output
    order = [line.split()[1] for line in first.stdout.splitlines() if line.endswith("is new:")]
    assert order == [f"demo-staging-{name}" for name in TEMPLATES["staging"]]
    assert "demo-staging-deploy-approved" in [
        function["FunctionName"] for function in boto3.client("lambda").list_functions()["Functions"]
    ]
    # parameters of earlier deployments are kept
    again = run("deploy", "--yes")
    assert again.exit_code == 0, again.output
    assert again.stderr.count(": no changes.") == len(TEMPLATES["staging"])
    assert ("AWS::CodePipeline::Pipeline", "demo-build") in kept


def test_changes_are_shown_first_and_nothing_is_created_without_confirmation(run: Run) -> None:
    result = run("deploy", *STORAGE, answer="n\n")
    assert result.exit_code == 1
    assert "Add" in result.stdout and "AWS::S3::Bucket" in result.stdout
    assert buckets() == []
    assert stack_names() == set()
    assert run("deploy", *STORAGE, answer="y\n").exit_code == 0
    assert len(buckets()) == 1


def test_the_other_commands_find_roles_and_bucket_in_the_env_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MINE=1\nexport AWS_REGION=elsewhere\n")
    run("deploy", *STORAGE, "--yes")
    lines = (tmp_path / ".env").read_text().splitlines()
    values = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    assert (values["MINE"], values["AWS_REGION"], values["SAGEMAKER_PIPELINE_BUCKET"]) == (
        "1",
        "eu-west-1",
        buckets()[0],
    )
    roles = {values[f"SAGEMAKER_{who}_ROLE_ARN"] for who in ("PIPELINE", "JOB", "ENDPOINT", "SCHEDULER")}
    assert len(roles) == 4
    assert all(role.startswith("arn:aws:iam::123456789012:role/demo-staging-") for role in roles)


def test_a_missing_parameter_is_named_before_anything_is_created(run: Run) -> None:
    result = run("deploy", "--yes")
    assert result.exit_code == 2
    assert "build needs the parameter Repository" in result.stderr
    assert "--parameter Repository=..." in result.stderr
    assert stack_names() == set()


def test_unknown_parameters_and_templates_are_refused(run: Run) -> None:
    assert "no template has a parameter 'Colour'" in run("diff", *STORAGE, "-p", "Colour=red").stderr
    assert "'Stage' is not of the form" in run("diff", *STORAGE, "-p", "Stage").stderr
    assert "unknown template 'castle'" in run("diff", "--stack", "castle").stderr


@pytest.mark.slow
def test_diff_shows_what_would_change_and_changes_nothing(run: Run) -> None:
    result = run("diff", *BUILD)
    assert result.exit_code == 0, result.output
    assert "Stack demo-staging-storage-and-roles is new:" in result.stdout
    assert "demo-staging-build is new and depends on storage-and-roles" in " ".join(result.stderr.split())
    assert stack_names() == set()
    run("deploy", *STORAGE, "--yes")
    changes = json.loads(run("diff", *BUILD, "--json").stdout)
    assert {"action": "Add", "logical_id": "Build", "type": "AWS::CodeBuild::Project", "replacement": ""} in changes[
        "demo-staging-build"
    ]
    assert stack_names() == {"demo-staging-storage-and-roles"}


@pytest.mark.slow
def test_production_uses_the_models_of_staging(run: Run) -> None:
    run("deploy", *STORAGE, "--yes")
    result = run("deploy", "--yes", *BUILD, stage="prod")
    assert result.exit_code == 0, result.output
    assert ("AWS::CodePipeline::Pipeline", "demo-promote") in kept
    assert "ModelsPolicyArn" in run("status", *STORAGE, stage="prod").stdout


def test_status_shows_stacks_and_outputs_as_text_and_json(run: Run) -> None:
    assert "demo has no stacks in staging" in run("status").stderr
    run("deploy", *STORAGE, "--yes")
    shown = run("status").stdout
    assert "demo-staging-storage-and-roles  CREATE_COMPLETE" in shown
    (stack,) = json.loads(run("status", "--json").stdout)
    assert stack["outputs"]["BucketName"] == buckets()[0]
    assert stack["outputs"]["BucketName"] in shown


def test_a_name_that_is_not_valid_in_arns_is_refused(run: Run, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(settings.read_text().replace("name: demo", "name: Demo"))
    result = run("diff", *STORAGE)
    assert (result.exit_code, "lower-case" in result.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("confirmed", [True, False])
def test_stacks_are_deleted_in_reverse_order_after_confirmation(run: Run, confirmed: bool) -> None:
    run("deploy", "--yes", *BUILD)
    result = run("destroy", "--yes-delete-data", answer="y\n" if confirmed else "n\n")
    assert result.exit_code == (0 if confirmed else 1), result.output
    assert len(stack_names()) == (0 if confirmed else 4)
    if confirmed:
        removed = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("Deleted demo-staging-")]
        assert removed[:4] == [f"demo-staging-{name}" for name in reversed(TEMPLATES["staging"])]


def test_a_stack_that_was_deployed_by_name_is_deleted_too(run: Run) -> None:
    run("deploy", *STORAGE, "--stack", "retrain-on-drift", "--yes")
    assert re.search("demo-staging-retrain-on-drift +CREATE_COMPLETE", run("status").stdout)
    result = run("destroy", "--yes")
    assert (result.exit_code, "will be kept, with its key" in result.stdout) == (0, True)
    assert stack_names() == set()
    assert len(buckets()) == 1


def test_all_versions_of_the_data_are_deleted_only_on_request(run: Run) -> None:
    run("deploy", *STORAGE, "--yes")
    s3 = boto3.client("s3")
    (bucket,) = buckets()
    for number in range(5):
        s3.put_object(Bucket=bucket, Key="demo/data.csv", Body=str(number).encode())
    s3.delete_object(Bucket=bucket, Key="demo/data.csv")
    key = json.loads(run("status", "--json").stdout)[0]["outputs"]["KeyArn"]
    result = run("destroy", "--yes", "--yes-delete-data")
    assert result.exit_code == 0, result.output
    assert "will be deleted with all its objects" in result.stdout
    assert buckets() == []
    # moto's DescribeKey fails on a policy that a template has given
    keys = kms_backends[key.split(":")[4]]["eu-west-1"].keys
    assert keys[key.rpartition("/")[2]].key_state == "PendingDeletion"
    assert "has no stacks in staging" in run("destroy", "--yes").stderr


@pytest.mark.slow
def test_stacks_are_kept_while_an_endpoint_uses_their_roles(run: Run) -> None:
    run("deploy", *STORAGE, "--yes")
    sagemaker: Any = boto3.client("sagemaker")
    role = json.loads(run("status", "--json").stdout)[0]["outputs"]["EndpointRoleArn"]
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": "i"})
    variant = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="demo-staging", EndpointConfigName="c")
    result = run("destroy", "--yes")
    assert result.exit_code == 2
    assert "python -m deployment delete --stage staging" in " ".join(result.stderr.split())
    assert stack_names()


def storage_stack() -> Any:
    """Return moto's storage stack."""
    stacks = cloudformation_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].stacks.values()
    return next(stack for stack in stacks if stack.name == "demo-staging-storage-and-roles")


def words(result: Result) -> str:
    """Return a message without line breaks and without the options that it repeats in commands."""
    return re.sub(r" --settings [^ `]+`", "`", " ".join(result.stderr.split()))


NEXT_MOVES = {
    "ROLLBACK_COMPLETE": "still has Key, ",
    "ROLLBACK_FAILED": "delete it with `python -m infrastructure destroy --stage staging` and deploy it again",
    "CREATE_FAILED": "delete it with `python -m infrastructure destroy --stage staging` and deploy it again",
    "DELETE_FAILED": "delete it with `python -m infrastructure destroy --stage staging` and deploy it again",
    "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback",
    "UPDATE_IN_PROGRESS": "wait until the operation ends",
    "DELETE_IN_PROGRESS": "wait until the operation ends",
}


def test_a_stack_that_cannot_be_updated_is_named_with_the_next_move(run: Run) -> None:
    run("deploy", *STORAGE, "--yes")
    for status, next_move in NEXT_MOVES.items():
        storage_stack().status = status
        result = run("deploy", *STORAGE, "--yes")
        assert (result.exit_code, f"demo-staging-storage-and-roles is {status}" in words(result)) == (2, True)
        assert next_move in words(result)


def test_a_stack_whose_creation_was_rolled_back_is_deleted_and_created_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **more: Any) -> None:
        raise ValueError("no keys today")

    with monkeypatch.context() as patch:
        patch.setattr(Alias, "create_from_cloudformation_json", fail)
        failed = run("deploy", *STORAGE, "--yes")
    assert failed.exit_code == 2
    assert "is ROLLBACK_COMPLETE: KeyAlias: ValueError: no keys today" in words(failed)
    assert buckets() == []
    diff = run("diff", *STORAGE)
    assert (
        diff.exit_code,
        "infrastructure deploy --stage staging` deletes it and creates it again" in words(diff),
    ) == (2, True)
    again = run("deploy", *STORAGE, "--yes")
    assert again.exit_code == 0, again.output
    assert "left no resources; it is deleted first" in words(again)
    assert (storage_stack().status, len(buckets())) == ("CREATE_COMPLETE", 1)


def test_a_stack_whose_creation_was_rolled_back_is_destroyed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("deploy", *STORAGE, "--yes")
    stack = storage_stack()
    stack.status, stack.output_map = "ROLLBACK_COMPLETE", OutputMap(stack.resource_map, {}, stack.stack_id)
    result = run("destroy", "--yes", "--yes-delete-data")
    assert (result.exit_code, result.stdout.strip()) == (
        0,
        "Stack demo-staging-storage-and-roles\nDeleted demo-staging-storage-and-roles",
    )


def test_a_stack_that_was_left_for_review_is_created(run: Run) -> None:
    template = load_template("storage-and-roles").body
    parameters = [
        {"ParameterKey": key, "ParameterValue": value}
        for key, value in (("ProjectName", "demo"), ("ModelPackageGroupName", "demo"), ("Stage", "staging"))
    ]
    boto3.client("cloudformation").create_change_set(
        StackName="demo-staging-storage-and-roles",
        ChangeSetName="left",
        ChangeSetType="CREATE",
        TemplateBody=template,
        Parameters=parameters,
    )
    assert "REVIEW_IN_PROGRESS" in run("status").stdout
    result = run("deploy", *STORAGE, "--yes")
    assert result.exit_code == 0, result.output
    assert storage_stack().status == "CREATE_COMPLETE"


def test_a_change_set_that_does_not_start_is_not_waited_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "_BEGIN_SECONDS", 0)
    monkeypatch.setattr(CloudFormationBackend, "execute_change_set", lambda *_, **more: None)
    result = run("deploy", *STORAGE, "--yes")
    assert (result.exit_code, "is still REVIEW_IN_PROGRESS" in words(result)) == (2, True)


def test_a_template_that_needs_builds_is_refused_locally_before_anything_is_created(tmp_path: Path) -> None:
    settings = load_settings(DEFAULT_SETTINGS)
    stage = Stage(settings, tmp_path / "settings.yaml", "staging", "us-east-1", (), local=True)
    with pytest.raises(UserError, match=r"^build needs CodeBuild") as refused:
        stage.plan([])
    assert "`python -m infrastructure deploy --stack storage-and-roles --stack deploy-on-approval" in str(refused.value)
