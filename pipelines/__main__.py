"""Define, upsert, run and follow the pipelines of a project, and approve the models they register.

Exit codes: 0 success, 1 the execution failed or was stopped, or AWS returned an error, 2 invalid usage or settings.
"""

from __future__ import annotations

import json
import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.text import Text

from pipelines import data_commands, runner
from pipelines.definition_diff import compare
from pipelines.display import (
    show_comparison,
    show_diff,
    show_failure,
    show_models,
    show_progress,
    show_results,
    steps_table,
)
from pipelines.latest_model import latest_model
from pipelines.model_versions import model_versions
from pipelines.result_json import execution_json, results_json
from pipelines.results import download, read_results, report_uri, tracked_run
from pipelines.runner import PipelineExecution
from pipelines.training_progress import TrainingProgress
from pipelines.version_comparison import compare_versions
from pipelines.violations import with_violations
from project import registry
from project.commands import (
    BucketOption,
    JobRoleOption,
    JsonOption,
    Project,
    RegionOption,
    RoleOption,
    SettingsOption,
    command_group,
    errors_explained,
    print_result,
    project_command,
)
from project.display import console, output
from project.errors import UserError
from project.settings_file import open_settings
from project.target import Target, readable_path

app = command_group(__doc__)
app.command("init")(data_commands.init)
app.command("check-data")(data_commands.check_data)
app.command("predict")(data_commands.predict)
app.command("example-data")(data_commands.example_data)

# placeholders, so that `definition` needs no account
_EXAMPLE_ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
_EXAMPLE_REGION = "us-east-1"

# in minutes
DEFAULT_TIMEOUT = 360.0

PipelineOption = Annotated[
    runner.PipelineName,
    typer.Option("--pipeline", help="Pipeline of the project."),
]
ExecutionOption = Annotated[
    str | None,
    typer.Option(
        "--execution", metavar="ARN", show_default="the latest of the training pipeline", help="ARN of the execution."
    ),
]
VersionArgument = Annotated[int, typer.Argument(min=1, help="Version number; see `models`.")]
CommentOption = Annotated[str, typer.Option(help="Approval description to store with the version.")]


@app.command()
def definition(
    settings_file: SettingsOption = None,
    role_arn: RoleOption = None,
    bucket: BucketOption = None,
    region: RegionOption = None,
    job_role_arn: JobRoleOption = None,
    pipeline: PipelineOption = "training",
) -> None:
    """Print the definition of a pipeline. Needs no credentials and no network.

    Example: python -m pipelines definition --settings examples/wine/settings.yaml
    """
    with errors_explained():
        region = region or _EXAMPLE_REGION
        role_arn = role_arn or _EXAMPLE_ROLE
        target = Target(role_arn, bucket or f"sagemaker-{region}-{role_arn.split(':')[4]}", region, job_role_arn)
        settings, _ = open_settings(settings_file)
        print(json.dumps(json.loads(runner.build_definition(settings, target, pipeline)), indent=2))


@app.command()
@project_command
def diff(project: Project, pipeline: PipelineOption = "training", as_json: JsonOption = False) -> None:
    """Show what `upsert` would change in the deployed pipeline.

    Example: python -m pipelines diff --settings examples/churn/settings.yaml
    """
    settings, target = project.settings, project.target
    new = json.loads(runner.get_definition(settings, target, pipeline))
    changes = compare(runner.deployed_definition(settings, target, pipeline), new)
    print_result(asdict(changes), as_json, lambda: show_diff(runner.pipeline_name(settings, pipeline), changes))


@app.command()
@project_command
def upsert(project: Project, pipeline: PipelineOption = "training", as_json: JsonOption = False) -> None:
    """Upload code and data, and create or update the pipeline without starting it.

    Example: python -m pipelines upsert --role-arn arn:aws:iam::123456789012:role/PipelineRole
    """
    arn = runner.upsert(project.settings, project.target, pipeline)
    print_result({"PipelineArn": arn}, as_json, lambda: output.print(arn))


@app.command()
@project_command
def run(
    project: Project,
    data: Annotated[
        str | None, typer.Option("--input", help="Data for this execution: a local path to upload, or an s3:// URI.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Pipeline parameter (repeatable)."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the execution ends.")] = True,
    timeout: Annotated[
        float, typer.Option(help="Maximum time to wait, in minutes; the execution keeps running after it.")
    ] = DEFAULT_TIMEOUT,
    pipeline: PipelineOption = "training",
    as_json: JsonOption = False,
) -> None:
    """Upsert the pipeline, start it and wait until the execution ends.

    Example: python -m pipelines run --local --input my.csv -p NumLeaves=63
    """
    settings, target = project.settings, project.target
    parameters = _parse_parameters(parameter or [])
    with console.status("Preparing ...") as status:
        if pipeline == "batch-inference":
            parameters = {**latest_model(settings, target), **parameters}
        runner.upsert(
            settings,
            target,
            pipeline,
            with_data=data is None and "InputDataUri" not in parameters,
            progress=lambda phase: status.update(f"{phase} ..."),
        )
        if data is not None:
            parameters["InputDataUri"] = runner.upload_data(settings, target, data)
        arn = runner.start(settings, target, parameters, pipeline)
    if not wait:
        print_result({"PipelineExecutionArn": arn}, as_json, lambda: output.print(arn))
        return
    console.print(f"Execution {arn}", soft_wrap=True)
    _follow(project, arn, timeout, as_json)


@app.command()
@project_command
def status(
    project: Project,
    execution_arn: ExecutionOption = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show the progress until the execution ends.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the state and the results of an execution.

    Example: python -m pipelines status --follow --local
    """
    execution = _find_execution(project, execution_arn)
    if follow and not execution.ended:
        _follow(project, execution.arn, DEFAULT_TIMEOUT, as_json)
    console.print(f"Execution {execution.arn}: {execution.status}", soft_wrap=True)
    _print_execution(project, execution, as_json)


@app.command()
@project_command
def report(
    project: Project,
    execution_arn: ExecutionOption = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Print where the evaluation report of an execution is; on an AWS account, download it to the current folder.

    Example: python -m pipelines report --open --local
    """
    execution = _find_execution(project, execution_arn)
    uri = report_uri(project.target, execution)
    path = project.target.local_path(uri)
    if path is None:
        path = download(project.target, uri, Path(f"{project.settings.name}-evaluation-{execution.id}.html"))
    output.print(Text(readable_path(path)), soft_wrap=True)
    if open_browser and not webbrowser.open(path.resolve().as_uri()):
        raise UserError(f"no browser can be started; open {path.resolve()} yourself")


@app.command()
@project_command
def mlflow(
    project: Project,
    execution_arn: ExecutionOption = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Print the address of an execution's MLflow run; for SageMaker's MLflow it is presigned and expires in minutes.

    Example: python -m pipelines mlflow --open --local
    """
    execution = _find_execution(project, execution_arn)
    run = tracked_run(project.target, execution)
    if run is None:
        raise UserError(
            f"execution {execution.arn} has not been tracked; set `tracking: {{}}` in the settings, and see the step "
            "Track with `python -m pipelines status`"
        )
    address = run.address(project.target)
    output.print(Text(address), soft_wrap=True)
    if open_browser and not webbrowser.open(address):
        raise UserError("no browser can be started; open the address yourself")


@app.command()
@project_command
def steps(project: Project, execution_arn: ExecutionOption = None, as_json: JsonOption = False) -> None:
    """List the steps of an execution that have started.

    Example: python -m pipelines steps --local --json
    """
    execution = _find_execution(project, execution_arn)
    print_result(execution_json(execution), as_json, lambda: output.print(steps_table(execution)))


@app.command()
@project_command
def logs(
    project: Project,
    step_name: Annotated[str, typer.Argument(metavar="STEP", help="Name of the step, such as Train.")],
    execution_arn: ExecutionOption = None,
    last: Annotated[int, typer.Option(min=1, max=10000, help="Number of lines to print, from the end.")] = 200,
) -> None:
    """Print the log of a step's job.

    Example: python -m pipelines logs Train --local
    """
    execution = _find_execution(project, execution_arn)
    step = execution.step(step_name)
    if step is None:
        started = ", ".join(step.name for step in execution.steps) or "none"
        raise UserError(f"step {step_name!r} has not started in this execution; steps that have: {started}")
    if not step.job:
        raise UserError(f"step {step_name!r} has no job and therefore no log; see `steps`")
    for line in runner.log_lines(project.target, step, last):
        print(line)


@app.command()
@project_command
def stop(project: Project, execution_arn: ExecutionOption = None) -> None:
    """Stop a running execution and its jobs.

    Example: python -m pipelines stop --local
    """
    execution = _find_execution(project, execution_arn)
    if execution.ended:
        raise UserError(f"execution {execution.arn} has already ended with status {execution.status}")
    runner.stop(project.target, execution.arn)
    output.print(f"Stopping {execution.arn}")


@app.command()
@project_command
def models(project: Project, as_json: JsonOption = False) -> None:
    """List the registered model versions, newest first, with the parameters that changed and where they are deployed.

    Example: python -m pipelines models --local
    """
    group = project.settings.model_package_group
    versions = model_versions(project.settings, project.target)
    if not versions:
        console.print(f"Model package group {group} has no versions; `python -m pipelines run` registers one.")
    content = [
        asdict(version.package)
        | {
            "endpoints": version.endpoints,
            "changes": {name: {"before": before, "now": now} for name, (before, now) in version.changes.items()},
        }
        for version in versions
    ]
    print_result(content, as_json, lambda: show_models(versions))


@app.command("compare")
@project_command
def compare_models(
    project: Project, first: VersionArgument, second: VersionArgument, as_json: JsonOption = False
) -> None:
    """Compare two model versions by their stored evaluations: metrics with 95 % intervals, and parameters.

    Example: python -m pipelines compare 3 5 --local
    """
    comparison = compare_versions(project.settings, project.target, first, second)
    print_result(comparison.to_json(), as_json, lambda: show_comparison(comparison))


@app.command()
@project_command
def approve(project: Project, version: VersionArgument, comment: CommentOption = "") -> None:
    """Approve a model version for deployment.

    Example: python -m pipelines approve 3 --local --comment "better on new customers"
    """
    _set_approval(project, version, "Approved", comment)


@app.command()
@project_command
def reject(project: Project, version: VersionArgument, comment: CommentOption = "") -> None:
    """Reject a model version.

    Example: python -m pipelines reject 2 --local
    """
    _set_approval(project, version, "Rejected", comment)


def run_pipeline() -> None:
    """Run the command `run-pipeline`, as SageMaker's project templates do."""
    typer.run(run)


def get_pipeline_definition() -> None:
    """Run the command `get-pipeline-definition`, as SageMaker's project templates do."""
    typer.run(definition)


def _find_execution(project: Project, arn: str | None) -> PipelineExecution:
    return runner.describe(project.target, arn or runner.latest_execution(project.settings, project.target))


def _follow(project: Project, arn: str, timeout: float, as_json: bool) -> NoReturn:
    """Show the progress and the results of an execution, and end the command with its outcome."""
    try:
        progress = TrainingProgress(project.target)
        states = map(progress.add_to, runner.follow(project.target, arn, timeout * 60))
        execution = show_progress(states, runner.planned_steps(project.target, arn))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted, and the execution continues; follow it with `python -m pipelines status --follow`, or end it "
            "with `python -m pipelines stop`"
        ) from None
    _print_execution(project, execution, as_json)
    raise typer.Exit(0 if execution.status == "Succeeded" else 1)


def _set_approval(project: Project, version: int, status: str, comment: str) -> None:
    group = project.settings.model_package_group
    package = registry.find_version(group, version, project.target)
    before = package.approval_status
    if before == status and not comment:
        output.print(f"{group} version {version}: already {status}; nothing has changed")
        return
    registry.set_approval(package.arn, status, comment, project.target)
    output.print(f"{group} version {version}: {status}, was {before}")


def _parse_parameters(assignments: list[str]) -> dict[str, str]:
    pairs = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator or not name:
            raise UserError(f"--parameter {assignment!r} is not of the form NAME=VALUE")
        pairs[name] = value
    return pairs


def _print_execution(project: Project, execution: PipelineExecution, as_json: bool) -> None:
    settings, target = project.settings, project.target
    results = read_results(settings, target, execution)
    print_result(
        execution_json(execution) | results_json(settings, results),
        as_json,
        lambda: show_results(settings, target, execution, results),
    )
    if execution.ended and execution.status != "Succeeded":
        failed = next((step for step in execution.steps if step.status == "Failed"), None)
        failed = with_violations(target, failed) if failed else None
        show_failure(execution, failed, runner.log_lines(target, failed, last=20) if failed else [])


if __name__ == "__main__":
    app()
