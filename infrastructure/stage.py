"""A stage of a project: its templates with their parameter values, its stacks, and the clients to change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer

from deployment.plan import PROJECT_TAG
from infrastructure import package, stacks
from infrastructure.parameters import (
    ALL_TEMPLATES,
    STORAGE,
    TEMPLATES,
    StageName,
    Template,
    known_parameters,
    load_template,
    parse_parameters,
    settings_path,
    stack_name,
    template_parameters,
)
from infrastructure.stacks import ChangeSet, Stack
from project.commands import LocalOption, RegionOption, SettingsOption, command_options
from project.display import repeat_options
from project.errors import UserError
from project.settings import Settings
from project.settings_file import open_settings, remember_settings
from project.target import CLIENT_CONFIG, configured_region, local_target

StageOption = Annotated[
    StageName, typer.Option("--stage", help="staging trains and builds; prod serves promoted models.")
]
StackOption = Annotated[
    list[str] | None,
    typer.Option(
        "--stack", metavar="NAME", show_default="all of the stage", help="Template to use (repeatable), such as build."
    ),
]


@dataclass(frozen=True)
class Stage:
    """A stage in an AWS account, or in the local SageMaker.

    Attributes:
        selected: Templates that the user has selected; empty for all.
        local: Whether the stage is in the local SageMaker, where functions need no layer with libraries.
    """

    settings: Settings
    settings_file: Path
    name: StageName
    region: str
    selected: tuple[Template, ...]
    local: bool

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        """The templates to deploy, in order."""
        return self.selected or tuple(load_template(name) for name in TEMPLATES[self.name])

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

    def stack_name(self, template: str) -> str:
        return stack_name(self.settings, self.name, template)

    def find_stack(self, template: str) -> Stack | None:
        return stacks.find_stack(self.cloudformation, self.stack_name(template))

    def find_stacks(self) -> list[Stack]:
        """Return the existing stacks of the selected templates, by default of all templates."""
        names = [template.name for template in self.selected] or ALL_TEMPLATES
        return [stack for name in names if (stack := self.find_stack(name)) is not None]

    def create_change_set(self, template: Template, parameters: Mapping[str, str]) -> ChangeSet | None:
        """Create a change set for a template's stack; None if nothing changes."""
        tags = {**self.settings.tags, PROJECT_TAG: self.settings.name}
        name = self.stack_name(template.name)
        return stacks.create_change_set(self.cloudformation, name, template.body, parameters, tags)

    @cached_property
    def functions(self) -> bytes:
        """The archive of the functions' code."""
        return package.functions_archive(self.settings_file)

    @cached_property
    def libraries(self) -> bytes | None:
        """The archive of the layer; None if the functions find their libraries without one."""
        return None if self.local else package.libraries_archive()

    def plan(self, assignments: list[str]) -> list[tuple[Template, dict[str, str]]]:
        """Return the templates with the values of their parameters, all validated.

        Args:
            assignments: Values given by the user, as `NAME=VALUE`.

        Raises:
            UserError: An assignment is malformed or unknown, a required parameter has no value, or a template cannot be
                deployed to the local SageMaker.
        """
        builds = [template.name for template in self.templates if self.local and template.has_builds]
        if builds:
            others = " ".join(f"--stack {template.name}" for template in self.templates if not template.has_builds)
            raise UserError(
                f"{', '.join(builds)} needs CodeBuild and CodePipeline, which the local SageMaker does not have; "
                f"deploy the others with `python -m infrastructure deploy {others or f'--stack {STORAGE}'}`"
            )
        given = parse_parameters(assignments, self.templates)
        known = known_parameters(self.settings, self.settings_file, self.name)
        if any("SettingsFile" in template.defaults for template in self.templates):
            known["SettingsFile"] = settings_path(self.settings_file)
        if any(template.has_functions for template in self.templates):
            known["CodeKey"] = package.content_key(self.settings.name, "functions", self.functions)
            known["LibrariesKey"] = (
                package.content_key(self.settings.name, "libraries", self.libraries) if self.libraries else ""
            )
        plan = []
        for template in self.templates:
            stack = self.find_stack(template.name)
            plan.append((template, template_parameters(template, known, given, stack.parameters if stack else {})))
        return plan

    def upload_functions(self, parameters: Mapping[str, str]) -> None:
        """Upload the functions' code to the keys that the parameters of a template name.

        Raises:
            UserError: The stack with the bucket is not deployed.
        """
        storage = self.find_stack(STORAGE)
        if storage is None or "BucketName" not in storage.outputs:
            raise UserError(f"the functions' code needs the bucket of {STORAGE}; deploy that stack first")
        bucket = storage.outputs["BucketName"]
        self.s3.put_object(Bucket=bucket, Key=parameters["CodeKey"], Body=self.functions)
        if parameters.get("LibrariesKey") and self.libraries:
            self.s3.put_object(Bucket=bucket, Key=parameters["LibrariesKey"], Body=self.libraries)


def open_stage(
    stage: StageOption,
    stack: StackOption = None,
    settings_file: SettingsOption = None,
    local: LocalOption = False,
    region: RegionOption = None,
) -> Stage:
    """Load the settings and the templates that the options name."""
    repeat_options(command_options(settings_file, local), stage)
    settings, settings_file = open_settings(settings_file, local)
    region = local_target().region if local else configured_region(region)
    remember_settings(settings_file, local)
    selected = tuple(load_template(name) for name in stack or ())
    return Stage(settings, settings_file, stage, region, selected, local)
