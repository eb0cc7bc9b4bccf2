"""`python -m infrastructure`: bring a stage's CloudFormation stacks to an account, look at them, remove them.

A stage, staging or prod, has a bucket, a key and roles of its own, and what makes a commit an execution, an approval an
endpoint, and drift a new candidate. Exit codes: 0 succeeded, 1 CloudFormation refused, 2 bad usage or settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from rich.text import Text

from deployment.endpoints import find_endpoint
from deployment.plan import PROJECT_TAG
from infrastructure import package, stacks
from infrastructure.buckets import delete_bucket, empty_bucket
from infrastructure.display import show_changes, show_outputs, show_stacks
from infrastructure.environment_file import write_environment
from infrastructure.parameters import (
    ALL_TEMPLATES,
    STORAGE,
    TEMPLATES,
    Stage,
    Template,
    known_parameters,
    load_template,
    parse_parameters,
    settings_path,
    stack_name,
    template_parameters,
)
from infrastructure.stacks import ChangeSet, Stack
from project.commands import (
    JsonOption,
    LocalOption,
    RegionOption,
    SettingsOption,
    YesOption,
    command_group,
    errors_explained,
)
from project.display import console, output
from project.errors import UserError
from project.paths import DEFAULT_SETTINGS
from project.settings import Settings, load_settings
from project.target import CLIENT_CONFIG, Target, local_target

app = command_group(__doc__)

# the shortest that KMS allows is 7; until then the deletion can be taken back
_KEY_DELETION_DAYS = 30

StageOption = Annotated[Stage, typer.Option(help="staging trains and builds; prod serves what is promoted.")]
StackOption = Annotated[
    list[str] | None,
    typer.Option("--stack", metavar="NAME", show_default="all of the stage", help="One template, as often as needed."),
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Of the templates, where settings don't say it."),
]
TimeoutOption = Annotated[float, typer.Option(help="Longest wait for each stack in minutes.")]


@app.command()
def deploy(
    stage: StageOption,
    stack: StackOption = None,
    parameter: ParameterOption = None,
    yes: YesOption = False,
    timeout: TimeoutOption = 30,
    env_file: Annotated[Path, typer.Option(help="Gets what the other commands need to know.")] = Path(".env"),
    settings_file: SettingsOption = DEFAULT_SETTINGS,
    local: LocalOption = False,
    region: RegionOption = None,
) -> None:
    """Make or update a stage's stacks, each after its changes have been shown and agreed to.

    Parameters that follow from the settings are set anew; others that were given once are remembered by the stacks.

    Example: python -m infrastructure deploy --stage staging -p Repository=me/my-project -p ConnectionId=1234abcd-...
    """
    with errors_explained():
        place = _place(stage, stack, settings_file, local, region)
        todo = _plan(place, parameter or [])
        for template, parameters in todo:
            if template.has_functions:
                _upload(place, parameters)
            change_set = place.change_set(template, parameters)
            name = place.stack_name(template)
            if change_set is None:
                console.print(f"Stack {name} is as it should be.")
                continue
            with _discarded_unless_executed(place, change_set):
                show_changes(change_set)
                if not yes:
                    typer.confirm("Make these changes?", abort=True, err=True)
                show_outputs(stacks.execute(place.cloudformation, change_set, timeout * 60, _say))
        storage = place.find(STORAGE)
        if storage is not None and not local:
            write_environment(env_file, place.region, storage.outputs)
            console.print(f"\n{env_file} has what the other commands need: source {env_file}", soft_wrap=True)


@app.command()
def diff(
    stage: StageOption,
    stack: StackOption = None,
    parameter: ParameterOption = None,
    settings_file: SettingsOption = DEFAULT_SETTINGS,
    local: LocalOption = False,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what `deploy` would change, and change nothing.

    Example: python -m infrastructure diff --stage staging
    """
    with errors_explained():
        place = _place(stage, stack, settings_file, local, region)
        found = {}
        for template, parameters in _plan(place, parameter or []):
            name = place.stack_name(template)
            if template.name != STORAGE and place.find(STORAGE) is None:
                console.print(f"Stack {name} is new, and stands on {STORAGE}: its changes can be shown after that.")
                continue
            change_set = place.change_set(template, parameters)
            if change_set is None:
                console.print(f"Stack {name} is as it should be.")
                continue
            stacks.discard(place.cloudformation, change_set)
            found[name] = [asdict(change) for change in change_set.changes]
            if not as_json:
                show_changes(change_set)
        if as_json:
            print(json.dumps(found, indent=2))


@app.command()
def status(
    stage: StageOption,
    stack: StackOption = None,
    settings_file: SettingsOption = DEFAULT_SETTINGS,
    local: LocalOption = False,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a stage's stacks and their outputs.

    Example: python -m infrastructure status --stage prod --json
    """
    with errors_explained():
        # of whichever templates, as any may have been deployed by name
        place = _place(stage, stack or list(ALL_TEMPLATES), settings_file, local, region)
        found = [found for template in place.templates if (found := place.find(template.name)) is not None]
        if as_json:
            print(json.dumps([asdict(item) for item in found], indent=2, default=str))
        elif found:
            show_stacks(found)
        else:
            console.print(f"{place.settings.name} has no stacks in {stage}; `deploy` makes them.")


@app.command()
def destroy(
    stage: StageOption,
    stack: StackOption = None,
    yes: YesOption = False,
    yes_delete_data: Annotated[
        bool,
        typer.Option("--yes-delete-data", help="Delete the bucket with all that is in it, and the key."),
    ] = False,
    timeout: TimeoutOption = 30,
    settings_file: SettingsOption = DEFAULT_SETTINGS,
    local: LocalOption = False,
    region: RegionOption = None,
) -> None:
    """Remove a stage's stacks. The bucket and its key stay, unless --yes-delete-data is given.

    Example: python -m infrastructure destroy --stage staging
    """
    with errors_explained():
        # of whichever templates, as any may have been deployed by name
        place = _place(stage, stack or list(ALL_TEMPLATES), settings_file, local, region)
        found = [found for template in place.templates if (found := place.find(template.name)) is not None]
        if not found:
            console.print(f"{place.settings.name} has no stacks in {stage} to remove.")
            return
        storage = next((item for item in found if item.name == stack_name(place.settings, stage, STORAGE)), None)
        if storage is not None:
            _check_no_endpoint(place)
        for item in found:
            output.print(f"Stack {item.name}")
        if storage is not None:
            bucket, key = storage.outputs.get("BucketName", ""), storage.outputs.get("KeyArn", "")
            fate = "is deleted with all that is in it" if yes_delete_data else "stays, and so does its key"
            output.print(f"Bucket {bucket} {fate}", soft_wrap=True)
        if not yes:
            typer.confirm("Remove them?", abort=True, err=True)
        for item in reversed(found):
            if item is storage and yes_delete_data:
                empty_bucket(place.s3, bucket, lambda gone: _say(f"{gone} objects are deleted"))
            stacks.delete_stack(place.cloudformation, item.name, timeout * 60, _say)
            output.print(f"Removed {item.name}")
        if storage is not None and yes_delete_data:
            delete_bucket(place.s3, bucket)
            with suppress(place.kms.exceptions.NotFoundException):  # gone already
                place.kms.schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=_KEY_DELETION_DAYS)
            output.print(f"Removed {bucket}; its key is deleted in {_KEY_DELETION_DAYS} days")


@dataclass(frozen=True)
class _Place:
    """The stacks that a command works on, and where."""

    settings: Settings
    settings_file: Path
    stage: Stage
    region: str
    templates: list[Template]
    has_libraries: bool

    @cached_property
    def cloudformation(self) -> Any:
        return self._client("cloudformation")

    @cached_property
    def s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def kms(self) -> Any:
        return self._client("kms")

    def _client(self, service: str) -> Any:
        return boto3.client(service, region_name=self.region, config=CLIENT_CONFIG)

    def stack_name(self, template: Template) -> str:
        return stack_name(self.settings, self.stage, template.name)

    def find(self, template: str) -> Stack | None:
        return stacks.find_stack(self.cloudformation, stack_name(self.settings, self.stage, template))

    def change_set(self, template: Template, parameters: Mapping[str, str]) -> ChangeSet | None:
        tags = {**self.settings.tags, PROJECT_TAG: self.settings.name}
        return stacks.create_change_set(self.cloudformation, self.stack_name(template), template.body, parameters, tags)

    @cached_property
    def functions(self) -> bytes:
        return package.functions_archive(self.settings_file)

    @cached_property
    def libraries(self) -> bytes | None:
        """The layer; None where functions run with the libraries that are there, as on this machine."""
        return None if self.has_libraries else package.libraries_archive()


def _place(stage: Stage, names: list[str] | None, settings_file: Path, local: bool, region: str | None) -> _Place:
    settings = load_settings(settings_file)
    region = local_target().region if local else region or boto3.Session().region_name
    if not region:
        raise UserError("the AWS region is not known; give --region or set AWS_REGION, or use --local")
    templates = [load_template(name) for name in names or TEMPLATES[stage]]
    return _Place(settings, settings_file, stage, region, templates, has_libraries=local)


def _plan(place: _Place, given: list[str]) -> list[tuple[Template, dict[str, str]]]:
    """Each template with the values of its parameters, all of them checked before anything is changed."""
    overrides = parse_parameters(given, place.templates)
    known = known_parameters(place.settings, place.settings_file, place.stage)
    if any("SettingsFile" in template.defaults for template in place.templates):
        known["SettingsFile"] = settings_path(place.settings_file)
    if any(template.has_functions for template in place.templates):
        known["CodeKey"] = package.content_key(place.settings.name, "functions", place.functions)
        known["LibrariesKey"] = (
            package.content_key(place.settings.name, "libraries", place.libraries) if place.libraries else ""
        )
    plan = []
    for template in place.templates:
        stack = place.find(template.name)
        plan.append((template, template_parameters(template, known, overrides, stack.parameters if stack else {})))
    return plan


def _upload(place: _Place, parameters: Mapping[str, str]) -> None:
    """Put the functions' code where the templates expect it."""
    storage = place.find(STORAGE)
    if storage is None or "BucketName" not in storage.outputs:
        raise UserError(f"the functions' code needs the bucket of {STORAGE}; deploy that first")
    bucket = storage.outputs["BucketName"]
    place.s3.put_object(Bucket=bucket, Key=parameters["CodeKey"], Body=place.functions)
    if parameters.get("LibrariesKey") and place.libraries:
        place.s3.put_object(Bucket=bucket, Key=parameters["LibrariesKey"], Body=place.libraries)


@contextmanager
def _discarded_unless_executed(place: _Place, change_set: ChangeSet) -> Iterator[None]:
    try:
        yield
    except typer.Abort:
        stacks.discard(place.cloudformation, change_set)
        raise


def _check_no_endpoint(place: _Place) -> None:
    endpoint = f"{place.settings.name}-{place.stage}"
    if find_endpoint(Target("", "", place.region), endpoint) is not None:
        raise UserError(
            f"endpoint {endpoint} runs with the roles of this stage; remove it first: "
            f"python -m deployment delete --stage {place.stage}"
        )


def _say(line: str) -> None:
    console.print(Text(f"  {line}"), soft_wrap=True)


if __name__ == "__main__":
    app()
