"""The command line of the local SageMaker: `python -m local_sagemaker`."""

import shlex
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from local_sagemaker.client_environment import client_environment
from local_sagemaker.containers.images.image_settings import remember
from local_sagemaker.containers.strays import end_strays, job_mark
from local_sagemaker.data_dir import DataDir, default_data_dir
from local_sagemaker.errors import LocalSageMakerError, files_named
from local_sagemaker.http.background import (
    ServerError,
    ensure_server,
    find_server,
    is_held,
    run_schedule,
    stop_server,
)
from local_sagemaker.http.mlflow_app import start_default_app
from local_sagemaker.storage.database import DamagedDatabase
from local_sagemaker.storage.files import remove_tree

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Run SageMaker on this machine, without an AWS account or Docker.

    A server on 127.0.0.1 implements the APIs of SageMaker, S3, Lambda and CloudWatch Logs (and, through moto, those of
    IAM, SNS, CloudWatch, EventBridge ...), and runs pipelines and jobs as processes. All state is in one folder, the
    data directory: --data-dir, else $LOCAL_SAGEMAKER_DIR, else ./.local_sagemaker. S3 objects are plain files in it,
    below s3/BUCKET/.

    \b
    Examples:
      python -m local_sagemaker start
      eval "$(python -m local_sagemaker env)"
      aws sagemaker list-pipelines
      python -m local_sagemaker stop
    """,
)

TIMES = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]

Folder = Annotated[Path | None, typer.Option("--data-dir", help="The data directory.", show_default=False)]


@app.command()
def start(
    data_dir: Folder = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The port to listen on; by default the last one, or any free port."),
    ] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Serve until Ctrl-C; log to this terminal.")] = False,
    images: Annotated[
        Path | None,
        typer.Option(
            help="A file that maps container images to what runs them; saved for later starts. $LOCAL_SAGEMAKER_IMAGES "
            "overrides it.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    isolated: Annotated[
        bool | None,
        typer.Option(
            "--isolated/--no-isolated",
            help="Run jobs in Python environments with the packages of their image and requirements.txt (downloaded), "
            "not in this one; saved for later starts. $LOCAL_SAGEMAKER_ISOLATED (1 or 0) overrides it.",
            show_default=False,
        ),
    ] = None,
    mlflow: Annotated[
        bool,
        typer.Option(
            "--mlflow",
            help="Start MLflow for the account's default MLflow App, which is created if there is none; also if the "
            "server is running already.",
        ),
    ] = False,
) -> None:
    """Start the server in the background, unless it is running.

    \b
    Examples:
      python -m local_sagemaker start
      python -m local_sagemaker start --port 4566 --data-dir /tmp/sagemaker
      python -m local_sagemaker start --isolated
      python -m local_sagemaker start --mlflow
      python -m local_sagemaker start --images images.yaml

    \b
    An images file maps repositories, without registry and tag, to how their images run:
      team/churn-*:
        as: sagemaker-scikit-learn     # like this image of SageMaker's,
        python: envs/churn/bin/python  # with this interpreter
      team/trainer:
        command: \\[python, train.py]    # by an entry point of its own,
        code: containers/trainer       # in a copy of this folder
    """  # noqa: D301 - click reads \b
    folder = _folder(data_dir)
    if images is not None or isolated is not None:
        if is_held(folder):
            raise ServerError(
                f"a server is running for {folder}; stop that server first, then start it with these options"
            )
        remember(DataDir(folder), images, isolated)
    if foreground:
        if mlflow:
            raise typer.BadParameter("run `start --mlflow` in another terminal, without --foreground")
        import logging

        from local_sagemaker.http.server import serve

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        serve(folder, port)
        return
    server = ensure_server(folder, port)
    if port not in (None, server.port):
        raise ServerError(f"a server is running for {folder} on port {server.port}; stop it first")
    typer.echo(f"serving {folder} at {server.url} (process {server.pid})")
    if mlflow:
        arn, url = start_default_app(server)
        typer.echo(f"MLflow at {url} (tracking URI {arn})")


@app.command()
def stop(data_dir: Folder = None) -> None:
    """Stop the server and every job that it runs; no acknowledged request is lost."""
    folder = _folder(data_dir)
    typer.echo(f"stopped the server of {folder}" if stop_server(folder) else f"no server is running for {folder}")
    _end_strays(folder)


@app.command()
def status(data_dir: Folder = None) -> None:
    """Show whether the server is running, and how many executions and jobs; exit code 1 if it is not running."""
    folder = _folder(data_dir)
    if server := find_server(folder):
        typer.echo(
            f"serving {folder} at {server.url} (process {server.pid}); {server.busy} execution(s) and job(s) running"
        )
        for name, url in server.mlflow.items():
            typer.echo(f"MLflow at {url} ({name})")
        return
    if is_held(folder):
        typer.echo(f"the server of {folder} is starting, or does not answer; see {DataDir(folder).server_log}")
    else:
        typer.echo(f"no server is running for {folder}; start one with `python -m local_sagemaker start`")
    raise typer.Exit(1)


@app.command()
def reset(
    data_dir: Folder = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Stop the server and delete all state: pipelines, executions, models, logs and all objects in S3."""
    folder = _folder(data_dir)
    if not folder.exists():
        typer.echo(f"{folder} does not exist; nothing to delete")
        return
    # a mistyped path must not delete somebody's home directory
    unknown = DataDir(folder).foreign_entries()
    if unknown:
        raise ServerError(
            f"{folder} contains {unknown[0]!r}, which does not belong to a local SageMaker; delete the folder yourself"
        )
    if not yes:
        typer.confirm(f"Delete all state in {folder}?", abort=True)
    stop_server(folder)
    _end_strays(folder)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink()
    try:
        folder.resolve().rmdir()
        folder.unlink(missing_ok=True)
    except OSError as error:
        # a volume, or in a folder that this user cannot write
        typer.echo(f"deleted everything in {folder}; the folder itself remains: {error.strerror}")
        return
    typer.echo(f"deleted {folder}")


@app.command()
def env(data_dir: Folder = None) -> None:
    """Print the environment variables for AWS clients in a shell; start the server if it is not running.

    The server is also the HTTPS proxy: it answers requests to AWS's hosts and forwards all others. Unset HTTPS_PROXY
    and https_proxy after the server is stopped.

    \b
    Example:
      eval "$(python -m local_sagemaker env)"
    """  # noqa: D301 - click reads \b
    folder = _folder(data_dir)
    for name, value in client_environment(folder, ensure_server(folder).port).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command("run-now")
def run_now(
    schedule: Annotated[str, typer.Argument(help="The name of a monitoring schedule.", show_default=False)],
    data_dir: Folder = None,
    start: Annotated[
        datetime | None,
        typer.Option(formats=TIMES, help="Start of the window in UTC; by default an hour before its end."),
    ] = None,
    end: Annotated[
        datetime | None, typer.Option(formats=TIMES, help="End of the window in UTC; by default now.")
    ] = None,
) -> None:
    """Run a monitoring schedule now, and wait for its execution to end.

    The exit code is 1 if the execution failed or was stopped, and 0 otherwise, with or without violations.

    \b
    Examples:
      python -m local_sagemaker run-now churn-data-quality
      python -m local_sagemaker run-now churn-data-quality --start 2026-11-21T09:00 --end 2026-11-21T12:00
    """  # noqa: D301 - click reads \b
    execution = run_schedule(_folder(data_dir), schedule, start, end)
    status, reason = execution["MonitoringExecutionStatus"], execution.get("FailureReason")
    typer.echo(f"{schedule}: {status}{f': {reason}' if reason else ''}")
    if execution.get("OutputS3Uri"):
        typer.echo(f"results: {execution['OutputS3Uri']}")
    if status not in ("Completed", "CompletedWithViolations"):
        raise typer.Exit(1)


def _end_strays(folder: Path) -> None:
    """End what an earlier server has left running, and say so."""
    if ended := end_strays(job_mark(DataDir(folder))):
        typer.echo(f"ended {len(ended)} process(es) that outlived their server: {', '.join(ended)}")


def _folder(data_dir: Path | None) -> Path:
    folder = (data_dir or default_data_dir()).absolute()
    DataDir(folder).check()
    return folder


def main() -> None:
    try:
        with files_named():
            app()
    except (LocalSageMakerError, DamagedDatabase) as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
