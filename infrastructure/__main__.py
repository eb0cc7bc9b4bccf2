"""Deploy the CloudFormation stacks of a stage to an account, show them and delete them.

A stage, staging or prod, has its own bucket, key and roles, and the resources that turn commits into executions,
approvals into endpoints, and drift into new candidate models.

Exit codes: 0 success, 1 CloudFormation or another service returned an error, 2 invalid usage or settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from deployment.endpoints import find_endpoint
from infrastructure import stacks
from infrastructure.buckets import delete_bucket, empty_bucket
from infrastructure.display import show_changes, show_outputs, show_stacks
from infrastructure.environment_file import write_environment
from infrastructure.parameters import STORAGE
from infrastructure.stacks import ChangeSet
from infrastructure.stage import Stage, open_stage
from project.commands import JsonOption, YesOption, command_group, command_with, print_json, print_result
from project.display import console, output
from project.errors import UserError
from project.target import Target

app = command_group(__doc__)
stage_command = command_with(open_stage)

# until its deletion, the key can be restored; KMS allows 7 to 30 days
_KEY_DELETION_DAYS = 30

ParameterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-p",
        metavar="NAME=VALUE",
        help="Template parameter that the settings do not define (repeatable).",
    ),
]
TimeoutOption = Annotated[float, typer.Option(help="Maximum time to wait for each stack, in minutes.")]


@app.command()
@stage_command
def deploy(
    stage: Stage,
    parameter: ParameterOption = None,
    yes: YesOption = False,
    timeout: TimeoutOption = 30,
    env_file: Annotated[Path, typer.Option(help="File to write for the other commands' environment.")] = Path(".env"),
) -> None:
    """Create or update the stacks of a stage, after showing and confirming the changes of each.

    Parameters that follow from the settings are always updated; others keep the values of earlier deployments.

    Example: python -m infrastructure deploy --stage staging -p Repository=me/my-project -p ConnectionId=1234abcd-...
    """
    for template, parameters in stage.plan(parameter or []):
        if template.has_functions:
            stage.upload_functions(parameters)
        stack = stage.find_stack(template.name)
        if stack is not None and stack.is_rolled_back:
            stacks.delete_remains(stage.cloudformation, stack, timeout * 60, _print_progress)
        change_set = stage.create_change_set(template, parameters)
        if change_set is None:
            _print_unchanged(stage.stack_name(template.name))
            continue
        with _discarded_on_abort(stage, change_set):
            show_changes(change_set)
            if not yes:
                typer.confirm("Make these changes?", abort=True, err=True)
            show_outputs(stacks.execute(stage.cloudformation, change_set, timeout * 60, _print_progress))
    storage = stage.find_stack(STORAGE)
    if storage is not None and not stage.local:
        write_environment(env_file, stage.region, storage.outputs)
        console.print(f"\nWrote {env_file} for the other commands; load it with: source {env_file}", soft_wrap=True)


@app.command()
@stage_command
def diff(stage: Stage, parameter: ParameterOption = None, as_json: JsonOption = False) -> None:
    """Show what `deploy` would change.

    Example: python -m infrastructure diff --stage staging
    """
    changes = {}
    for template, parameters in stage.plan(parameter or []):
        name = stage.stack_name(template.name)
        if template.name != STORAGE and stage.find_stack(STORAGE) is None:
            console.print(f"Stack {name} is new and depends on {STORAGE}; deploy that stack to see the changes.")
            continue
        change_set = stage.create_change_set(template, parameters)
        if change_set is None:
            _print_unchanged(name)
            continue
        stacks.discard(stage.cloudformation, change_set)
        changes[name] = [asdict(change) for change in change_set.changes]
        if not as_json:
            show_changes(change_set)
    if as_json:
        print_json(changes)


@app.command()
@stage_command
def status(stage: Stage, as_json: JsonOption = False) -> None:
    """Show the stacks of a stage and their outputs.

    Example: python -m infrastructure status --stage prod --json
    """
    found = stage.find_stacks()
    if not found and not as_json:
        console.print(
            f"Project {stage.settings.name} has no stacks in {stage.name}; create them with "
            "`python -m infrastructure deploy`."
        )
        return
    print_result([asdict(stack) for stack in found], as_json, lambda: show_stacks(found))


@app.command()
@stage_command
def destroy(
    stage: Stage,
    yes: YesOption = False,
    yes_delete_data: Annotated[
        bool, typer.Option("--yes-delete-data", help="Also delete the bucket with all its objects, and the key.")
    ] = False,
    timeout: TimeoutOption = 30,
) -> None:
    """Delete the stacks of a stage. The bucket and its key are kept unless --yes-delete-data is given.

    Example: python -m infrastructure destroy --stage staging
    """
    found = stage.find_stacks()
    if not found:
        console.print(f"Project {stage.settings.name} has no stacks in {stage.name}.")
        return
    storage = next((stack for stack in found if stack.name == stage.stack_name(STORAGE)), None)
    if storage is not None:
        _check_no_endpoint(stage)
    for stack in found:
        output.print(f"Stack {stack.name}")
    # a stack whose creation has failed has neither
    bucket = storage.outputs.get("BucketName") if storage is not None else None
    key = storage.outputs.get("KeyArn") if storage is not None else None
    if bucket is not None:
        consequence = "will be deleted with all its objects" if yes_delete_data else "will be kept, with its key"
        output.print(f"Bucket {bucket} {consequence}", soft_wrap=True)
    if not yes:
        typer.confirm("Delete these stacks?", abort=True, err=True)
    for stack in reversed(found):
        if stack is storage and bucket is not None and yes_delete_data:
            empty_bucket(stage.s3, bucket, lambda deleted: _print_progress(f"{deleted} object versions deleted"))
        stacks.delete_stack(stage.cloudformation, stack.name, timeout * 60, _print_progress)
        output.print(f"Deleted {stack.name}")
    if bucket is not None and key is not None and yes_delete_data:
        delete_bucket(stage.s3, bucket)
        # an earlier attempt may have deleted the key
        with suppress(stage.kms.exceptions.NotFoundException):
            stage.kms.schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=_KEY_DELETION_DAYS)
        output.print(f"Deleted {bucket}; its key will be deleted in {_KEY_DELETION_DAYS} days")


@contextmanager
def _discarded_on_abort(stage: Stage, change_set: ChangeSet) -> Iterator[None]:
    try:
        yield
    except typer.Abort:
        stacks.discard(stage.cloudformation, change_set)
        raise


def _check_no_endpoint(stage: Stage) -> None:
    endpoint = f"{stage.settings.name}-{stage.name}"
    if find_endpoint(Target("", "", stage.region), endpoint) is not None:
        raise UserError(
            f"endpoint {endpoint!r} uses the roles of this stage; delete it first with "
            f"`python -m deployment delete --stage {stage.name}`"
        )


def _print_unchanged(stack: str) -> None:
    console.print(f"Stack {stack}: no changes.")


def _print_progress(line: str) -> None:
    console.print(Text(f"  {line}"), soft_wrap=True)


if __name__ == "__main__":
    app()
