"""`python -m local_sagemaker`: start, stop, status, reset and env of a local SageMaker."""

import shlex
import shutil
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from local_sagemaker.client_environment import client_environment
from local_sagemaker.containers.images.errors import ImageMapError
from local_sagemaker.containers.images.image_settings import remember
from local_sagemaker.data_dir import DataDir, default_data_dir
from local_sagemaker.http.background import (
    ServerError,
    ensure_server,
    find_server,
    is_held,
    run_schedule,
    stop_server,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""SageMaker on this machine: no AWS account, no Docker.

    A server on loopback speaks SageMaker's API, S3's and CloudWatch Logs' (and, through moto, those of STS, IAM, SNS,
    CloudWatch, EventBridge ..., whose state ends with the server) and runs pipelines and jobs as processes. All other
    state is in one folder, the data directory: --data-dir, else $LOCAL_SAGEMAKER_DIR, else ./.local_sagemaker; its
    objects in S3 are plain files below s3/BUCKET/.

    \b
    Examples:
      python -m local_sagemaker start
      eval "$(python -m local_sagemaker env)"
      aws sagemaker list-pipelines
      python -m local_sagemaker stop
    """,
)

TIMES = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]

Folder = Annotated[Path | None, typer.Option("--data-dir", help="The folder that holds all state.", show_default=False)]


@app.command()
def start(
    data_dir: Folder = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Where to listen; else where it did last, or any free port."),
    ] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Serve until Ctrl-C, logging here.")] = False,
    images: Annotated[
        Path | None,
        typer.Option(
            help="A file that says what runs images of your own; remembered. $LOCAL_SAGEMAKER_IMAGES names another.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    isolated: Annotated[
        bool | None,
        typer.Option(
            "--isolated/--no-isolated",
            help="Run jobs in environments made for their image and requirements.txt, which are downloaded, rather "
            "than on this Python; remembered. $LOCAL_SAGEMAKER_ISOLATED (1 or 0) says otherwise.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Start the server, in the background unless told otherwise; one that runs already is fine.

    \b
    Examples:
      python -m local_sagemaker start
      python -m local_sagemaker start --port 4566 --data-dir /tmp/sagemaker
      python -m local_sagemaker start --isolated
      python -m local_sagemaker start --images images.yaml

    \b
    An images file maps repositories, without registry and tag, to what runs their images:
      team/churn-*:
        as: sagemaker-scikit-learn     # does what SageMaker's image does,
        python: envs/churn/bin/python  # on this interpreter
      team/trainer:
        command: \\[python, train.py]    # has an entry point of its own,
        code: containers/trainer       # which runs in a copy of this folder
    """
    folder = _folder(data_dir)
    if images is not None or isolated is not None:
        if is_held(folder):
            raise ServerError(f"{folder} is served already; stop that server first, then start it with these options")
        remember(DataDir(folder), images, isolated)
    if foreground:
        import logging

        from local_sagemaker.http.server import serve

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        serve(folder, port)
        return
    server = ensure_server(folder, port)
    if port not in (None, server.port):
        raise ServerError(f"{folder} is served on port {server.port} already; stop that server first")
    typer.echo(f"serving {folder} at {server.url} (process {server.pid})")


@app.command()
def stop(data_dir: Folder = None) -> None:
    """End the server and every job that it runs; nothing that was acknowledged is lost."""
    folder = _folder(data_dir)
    typer.echo(f"stopped the server of {folder}" if stop_server(folder) else f"no server serves {folder}")


@app.command()
def status(data_dir: Folder = None) -> None:
    """Say whether the server runs, where, and how much it is doing; exit code 1 where it does not run."""
    folder = _folder(data_dir)
    if server := find_server(folder):
        typer.echo(
            f"serving {folder} at {server.url} (process {server.pid}); {server.busy} execution(s) and job(s) run"
        )
        return
    if is_held(folder):
        typer.echo(f"the server of {folder} is starting, or does not answer; see {DataDir(folder).server_log}")
    else:
        typer.echo(f"no server serves {folder}; `python -m local_sagemaker start` starts one")
    raise typer.Exit(1)


@app.command()
def reset(
    data_dir: Folder = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop the server and remove all state: pipelines, executions, models, logs and every object in S3."""
    folder = _folder(data_dir)
    if not folder.exists():
        typer.echo(f"there is no state in {folder}")
        return
    # never someone's home, for a slip of the hand
    unknown = DataDir(folder).foreign_entries()
    if unknown:
        raise ServerError(
            f"{folder} holds {unknown[0]!r}, which is not of a local SageMaker; remove the folder yourself"
        )
    if not yes:
        typer.confirm(f"Remove all state in {folder}?", abort=True)
    stop_server(folder)
    shutil.rmtree(folder)
    typer.echo(f"removed {folder}")


@app.command()
def env(data_dir: Folder = None) -> None:
    """Print the lines that point a shell's AWS clients here, starting the server if need be.

    HTTPS passes through the server, which answers for AWS's hosts and leaves all others alone: unset HTTPS_PROXY and
    https_proxy once the server is stopped.

    \b
    Example:
      eval "$(python -m local_sagemaker env)"
    """
    folder = _folder(data_dir)
    for name, value in client_environment(folder, ensure_server(folder).port).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command("run-now")
def run_now(
    schedule: Annotated[str, typer.Argument(help="The name of a monitoring schedule.", show_default=False)],
    data_dir: Folder = None,
    start: Annotated[
        datetime | None,
        typer.Option(formats=TIMES, help="Where the window begins, in UTC; else an hour before its end."),
    ] = None,
    end: Annotated[
        datetime | None, typer.Option(formats=TIMES, help="Where the window ends, in UTC; else now.")
    ] = None,
) -> None:
    """Run a monitoring schedule at once, and wait: for tests, and for those who would not wait for the hour.

    The exit code is 1 where the execution has failed or was stopped, and 0 with violations or without.

    \b
    Examples:
      python -m local_sagemaker run-now churn-data-quality
      python -m local_sagemaker run-now churn-data-quality --start 2026-11-21T09:00 --end 2026-11-21T12:00
    """
    execution = run_schedule(_folder(data_dir), schedule, start, end)
    status, reason = execution["MonitoringExecutionStatus"], execution.get("FailureReason")
    typer.echo(f"{schedule}: {status}{f': {reason}' if reason else ''}")
    if execution.get("OutputS3Uri"):
        typer.echo(f"results: {execution['OutputS3Uri']}")
    if status not in ("Completed", "CompletedWithViolations"):
        raise typer.Exit(1)


def _folder(data_dir: Path | None) -> Path:
    return (data_dir or default_data_dir()).absolute()


def main() -> None:
    try:
        app()
    except (ServerError, ImageMapError) as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
