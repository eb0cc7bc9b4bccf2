"""What the commands of all packages have in common: which project, where, and how errors are told."""

from __future__ import annotations

import functools
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from pipelines.bundles import REPOSITORY
from pipelines.display import console
from project.errors import UserError
from project.settings import Settings, load_settings
from project.target import Target, aws_target, local_target

DEFAULT_SETTINGS = REPOSITORY / "examples" / "breast-cancer" / "settings.yaml"

SettingsOption = Annotated[
    Path,
    typer.Option(
        "--settings",
        "-s",
        envvar="PIPELINE_SETTINGS",
        help="The project's settings file.",
        show_default="examples/breast-cancer/settings.yaml",
    ),
]
LocalOption = Annotated[bool, typer.Option("--local", help="Use the SageMaker on this machine: no AWS account needed.")]
RoleOption = Annotated[
    str | None,
    typer.Option("--role-arn", envvar="SAGEMAKER_PIPELINE_ROLE_ARN", help="Execution role of pipeline and jobs."),
]
JobRoleOption = Annotated[
    str | None,
    typer.Option("--job-role-arn", envvar="SAGEMAKER_JOB_ROLE_ARN", help="Role of the jobs. Default: --role-arn."),
]
EndpointRoleOption = Annotated[
    str | None,
    typer.Option(
        "--endpoint-role-arn", envvar="SAGEMAKER_ENDPOINT_ROLE_ARN", help="Role of endpoints. Default: --role-arn."
    ),
]
BucketOption = Annotated[
    str | None,
    typer.Option("--bucket", envvar="SAGEMAKER_PIPELINE_BUCKET", help="Default: SageMaker's default bucket."),
]
RegionOption = Annotated[str | None, typer.Option("--region", help="Default: the one of the AWS configuration.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
EndpointOption = Annotated[
    str | None,
    typer.Option("--endpoint", "-e", metavar="NAME", show_default="the project's name", help="The endpoint's name."),
]


@dataclass(frozen=True)
class Project:
    """The settings and the place that a command works on."""

    settings: Settings
    target: Target


def command_group(help: str | None) -> typer.Typer:
    """The commands of a package, or a group of them."""
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def print_result(content: Any, as_json: bool, show: Callable[[], None]) -> None:
    """Print what a command has found: as JSON, or by `show` as a person reads it."""
    if as_json:
        print(json.dumps(content, indent=2, default=str))
    else:
        show()


def project_command(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which project and where; `command` gets the Project as its first argument."""

    def with_options(
        settings_file: SettingsOption = DEFAULT_SETTINGS,
        local: LocalOption = False,
        role_arn: RoleOption = None,
        bucket: BucketOption = None,
        region: RegionOption = None,
        job_role_arn: JobRoleOption = None,
        endpoint_role_arn: EndpointRoleOption = None,
        **own: Any,
    ) -> None:
        with errors_explained():
            settings = load_settings(settings_file)
            target = local_target() if local else aws_target(role_arn, bucket, region, job_role_arn, endpoint_role_arn)
            command(Project(settings, target), **own)

    common = list(inspect.signature(with_options, eval_str=True).parameters.values())[:-1]
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    parameters = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in (*own, *common)]
    functools.update_wrapper(with_options, command)
    # Typer reads signature and annotations; __wrapped__ would lead it past both
    del with_options.__wrapped__  # type: ignore[attr-defined]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {item.name: item.annotation for item in parameters}
    return with_options


@contextmanager
def errors_explained() -> Iterator[None]:
    """End the command with a message for what a person can act on; anything else is a bug and shows its trace."""
    try:
        yield
    except UserError as error:
        _fail(str(error), exit_code=2)
    except ClientError as error:
        details = error.response["Error"]
        _fail(f"{error.operation_name}: {details['Code']}: {details['Message']}")
    except BotoCoreError as error:
        _fail(f"{error}; check the AWS credentials and the network, or use --local")
    except KeyboardInterrupt:
        _fail("interrupted; what was started on SageMaker goes on, `status` shows it")


def _fail(message: str, exit_code: int = 1) -> None:
    console.print("Error:", style="bold red", end=" ")
    console.print(message, markup=False, soft_wrap=True)
    sys.exit(exit_code)
