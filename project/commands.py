"""The frame of all commands: command groups, shared options, JSON output and error messages."""

from __future__ import annotations

import functools
import inspect
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError

from project.display import console, is_local, repeat_options
from project.errors import UserError
from project.settings import Settings
from project.settings_file import open_settings, remember_settings
from project.target import Target, aws_target, local_target

T = TypeVar("T")
Command = Callable[..., None]

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        "-s",
        envvar="PIPELINE_SETTINGS",
        help="Settings file of the project.",
        show_default="settings.yaml, or else that of the last command with --local, or else the example breast-cancer",
    ),
]
LocalOption = Annotated[
    bool, typer.Option("--local", help="Use the local SageMaker on this machine; no AWS account needed.")
]
RoleOption = Annotated[
    str | None,
    typer.Option(
        "--role-arn", envvar="SAGEMAKER_PIPELINE_ROLE_ARN", help="Execution role of the pipelines and their jobs."
    ),
]
JobRoleOption = Annotated[
    str | None,
    typer.Option(
        "--job-role-arn",
        envvar="SAGEMAKER_JOB_ROLE_ARN",
        show_default="--role-arn",
        help="Execution role of the jobs.",
    ),
]
EndpointRoleOption = Annotated[
    str | None,
    typer.Option(
        "--endpoint-role-arn",
        envvar="SAGEMAKER_ENDPOINT_ROLE_ARN",
        show_default="--role-arn",
        help="Execution role of the endpoints.",
    ),
]
BucketOption = Annotated[
    str | None,
    typer.Option(
        "--bucket",
        envvar="SAGEMAKER_PIPELINE_BUCKET",
        show_default="SageMaker's default bucket",
        help="S3 bucket for code, data and results.",
    ),
]
RegionOption = Annotated[
    str | None,
    typer.Option(
        "--region",
        # boto3 reads only AWS_DEFAULT_REGION
        envvar="AWS_REGION",
        show_default="the region of the AWS configuration",
        help="AWS region.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
EndpointOption = Annotated[
    str | None,
    typer.Option("--endpoint", "-e", metavar="NAME", show_default="the project's name", help="Name of the endpoint."),
]


@dataclass(frozen=True)
class Project:
    """The settings and the target that a command works with."""

    settings: Settings
    target: Target


def command_group(help: str | None) -> typer.Typer:
    """Create the command group of a package, or a subgroup of one."""
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def print_result(content: Any, as_json: bool, show: Callable[[], None]) -> None:
    """Print the result of a command.

    Args:
        content: The result as data; dates and paths are printed as text.
        as_json: Whether to print `content` as JSON.
        show: Prints the result for people.
    """
    if as_json:
        print_json(content)
    else:
        show()


def print_json(content: Any) -> None:
    print(json.dumps(content, indent=2, default=str))


def command_with(create: Callable[..., T]) -> Callable[[Command], Command]:
    """Give a command the options of `create`, and the object that it creates as the first argument.

    The options are the parameters of `create`, declared as Typer declares them. Errors of both functions end the
    command with a message.
    """

    def decorate(command: Command) -> Command:
        shared = inspect.signature(create, eval_str=True).parameters.values()
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

        def run(**options: Any) -> None:
            with errors_explained():
                created = create(**{item.name: options.pop(item.name) for item in shared})
                command(created, **options)

        parameters = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in (*own, *shared)]
        functools.update_wrapper(run, command)
        # Typer reads the signature and the annotations; __wrapped__ would make it read those of `command`
        del run.__wrapped__  # type: ignore[attr-defined]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {item.name: item.annotation for item in parameters}
        return run

    return decorate


def command_options(settings_file: Path | None, local: bool) -> str:
    """Return the options that commands in messages repeat."""
    return " --local" if local else f" --settings {shlex.quote(str(settings_file))}" if settings_file else ""


def open_project(
    settings_file: SettingsOption = None,
    local: LocalOption = False,
    role_arn: RoleOption = None,
    bucket: BucketOption = None,
    region: RegionOption = None,
    job_role_arn: JobRoleOption = None,
    endpoint_role_arn: EndpointRoleOption = None,
) -> Project:
    """Load the settings and connect to the target that the options name."""
    repeat_options(command_options(settings_file, local))
    settings, settings_file = open_settings(settings_file, local)
    target = local_target() if local else aws_target(role_arn, bucket, region, job_role_arn, endpoint_role_arn)
    remember_settings(settings_file, local)
    return Project(settings, target)


project_command = command_with(open_project)


@contextmanager
def errors_explained() -> Iterator[None]:
    """End the command with a message when the user can act on an error; others are bugs and show their traceback."""
    try:
        yield
    except UserError as error:
        _fail(str(error), exit_code=2)
    except ClientError as error:
        details = error.response["Error"]
        _fail(f"{error.operation_name}: {details['Code']}: {details['Message']}")
    except BotoCoreError as error:
        if is_local():
            _fail(f"{error}; the local SageMaker may have ended: see `python -m local_sagemaker status`")
        _fail(f"{error}; check the AWS credentials and the network, or use --local")
    except KeyboardInterrupt as interrupt:
        _fail(
            str(interrupt)
            or "interrupted; an execution or a deployment that has started continues: see "
            "`python -m pipelines status` and `python -m deployment status`"
        )


def _fail(message: str, exit_code: int = 1) -> None:
    console.print("Error:", style="bold red", end=" ")
    console.print(message, markup=False, soft_wrap=True)
    sys.exit(exit_code)
