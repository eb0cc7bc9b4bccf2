"""`python -m pipelines`: define, upsert, run and follow the training pipeline, and approve what it registers.

Exit codes: 0 the execution succeeded, 1 it failed or was stopped, 2 bad usage or settings.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from examples import EXAMPLES, write_example
from pipelines import runner
from pipelines.definition_diff import compare
from pipelines.display import (
    show_diff,
    show_failure,
    show_models,
    show_progress,
    show_results,
    steps_table,
)
from pipelines.latest_model import latest_model
from pipelines.results import Results, read_results
from pipelines.runner import Execution
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
from project.paths import DEFAULT_SETTINGS
from project.settings import Settings, load_settings
from project.target import Target

app = command_group(__doc__)

# stands in for the account's own where none is named, so that `definition` needs no account
_EXAMPLE_ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
_EXAMPLE_REGION = "us-east-1"

PipelineOption = Annotated[
    runner.PipelineName,
    typer.Option("--pipeline", help="Which of the project's pipelines."),
]
ExecutionOption = Annotated[
    str | None, typer.Option("--execution", help="ARN of an execution. Default: the newest one.")
]
VersionArgument = Annotated[int, typer.Argument(min=1, help="As `models` lists it.")]
CommentOption = Annotated[str, typer.Option(help="Kept with the decision.")]


@app.command()
def definition(
    settings_file: SettingsOption = DEFAULT_SETTINGS,
    role_arn: RoleOption = None,
    bucket: BucketOption = None,
    region: RegionOption = None,
    job_role_arn: JobRoleOption = None,
    pipeline: PipelineOption = "training",
) -> None:
    """Print the pipeline's definition; needs no credentials and no network.

    Example: python -m pipelines definition --settings examples/wine/settings.yaml
    """
    with errors_explained():
        region = region or _EXAMPLE_REGION
        role_arn = role_arn or _EXAMPLE_ROLE
        target = Target(role_arn, bucket or f"sagemaker-{region}-{role_arn.split(':')[4]}", region, job_role_arn)
        print(json.dumps(json.loads(runner.build_definition(load_settings(settings_file), target, pipeline)), indent=2))


@app.command()
@project_command
def diff(project: Project, pipeline: PipelineOption = "training", as_json: JsonOption = False) -> None:
    """Show what `upsert` would change of the deployed pipeline, without changing it.

    Example: python -m pipelines diff --settings examples/churn/settings.yaml
    """
    settings, target = project.settings, project.target
    new = json.loads(runner.build_definition(settings, target, pipeline))
    changes = compare(runner.deployed_definition(settings, target, pipeline), new)
    print_result(asdict(changes), as_json, lambda: show_diff(runner.pipeline_name(settings, pipeline), changes))


@app.command()
@project_command
def upsert(project: Project, pipeline: PipelineOption = "training", as_json: JsonOption = False) -> None:
    """Upload code and data and create or update the pipeline, without starting it.

    Example: python -m pipelines upsert --role-arn arn:aws:iam::123456789012:role/PipelineRole
    """
    arn = runner.upsert(project.settings, project.target, pipeline)
    print_result({"PipelineArn": arn}, as_json, lambda: output.print(arn))


@app.command()
@project_command
def run(
    project: Project,
    data: Annotated[
        str | None, typer.Option("--input", help="Data of this execution: a path, which is uploaded, or an s3:// URI.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="Name=Value, as often as needed.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the execution to its end.")] = True,
    timeout: Annotated[float, typer.Option(help="Longest wait in minutes; the execution goes on after it.")] = 360,
    pipeline: PipelineOption = "training",
    as_json: JsonOption = False,
) -> None:
    """Upsert the pipeline, start it and show it until it has ended.

    Example: python -m pipelines run --local --input my.csv -p NumLeaves=63
    """
    settings, target = project.settings, project.target
    parameters = _parameters(parameter or [])
    with console.status("Uploading code and data, updating the pipeline ..."):
        if pipeline == "batch-inference":
            parameters = {**latest_model(settings, target), **parameters}
        runner.upsert(settings, target, pipeline, with_data=data is None and "InputDataUri" not in parameters)
        if data is not None:
            parameters["InputDataUri"] = runner.upload_data(settings, target, data)
        arn = runner.start(settings, target, parameters, pipeline)
    if not wait:
        print_result({"PipelineExecutionArn": arn}, as_json, lambda: output.print(arn))
        return
    console.print(f"Execution {arn}", soft_wrap=True)
    states = runner.follow(target, arn, timeout * 60)
    execution = show_progress(states, runner.planned_steps(target, arn))
    _report(project, execution, as_json)
    raise typer.Exit(0 if execution.status == "Succeeded" else 1)


@app.command()
@project_command
def status(project: Project, execution_arn: ExecutionOption = None, as_json: JsonOption = False) -> None:
    """Show an execution as it is now, with what it has made so far.

    Example: python -m pipelines status --local
    """
    execution = _execution(project, execution_arn)
    console.print(f"Execution {execution.arn}: {execution.status}", soft_wrap=True)
    _report(project, execution, as_json)


@app.command()
@project_command
def steps(project: Project, execution_arn: ExecutionOption = None, as_json: JsonOption = False) -> None:
    """List the steps that an execution has reached.

    Example: python -m pipelines steps --local --json
    """
    execution = _execution(project, execution_arn)
    print_result(_steps_json(execution), as_json, lambda: output.print(steps_table(execution)))


@app.command()
@project_command
def logs(
    project: Project,
    step_name: Annotated[str, typer.Argument(metavar="STEP", help="Such as Train.")],
    execution_arn: ExecutionOption = None,
    last: Annotated[int, typer.Option(min=1, max=10000, help="How many lines from the end.")] = 200,
) -> None:
    """Print the log of a step's job.

    Example: python -m pipelines logs Train --local
    """
    execution = _execution(project, execution_arn)
    step = execution.step(step_name)
    if step is None:
        reached = ", ".join(step.name for step in execution.steps) or "none"
        raise UserError(f"the execution has not reached a step {step_name!r}; reached: {reached}")
    if not step.job:
        raise UserError(f"step {step_name} has no job and so no log; see `steps`")
    for line in runner.log_lines(project.target, step, last):
        print(line)


@app.command()
@project_command
def stop(project: Project, execution_arn: ExecutionOption = None) -> None:
    """Stop a running execution and its jobs.

    Example: python -m pipelines stop --local
    """
    execution = _execution(project, execution_arn)
    if execution.ended:
        raise UserError(f"{execution.arn} has already ended: {execution.status}")
    runner.stop(project.target, execution.arn)
    output.print(f"Stopping {execution.arn}")


@app.command()
@project_command
def models(project: Project, as_json: JsonOption = False) -> None:
    """List the registered versions, the newest first.

    Example: python -m pipelines models --local
    """
    group = project.settings.model_package_group
    packages = registry.list_versions(group, project.target)
    if not packages:
        console.print(f"No models in group {group} yet; `run` registers one.")
    print_result([asdict(package) for package in packages], as_json, lambda: show_models(packages))


@app.command()
@project_command
def approve(project: Project, version: VersionArgument, comment: CommentOption = "") -> None:
    """Approve a version for deployment.

    Example: python -m pipelines approve 3 --local --comment "better on new customers"
    """
    _decide(project, version, "Approved", comment)


@app.command()
@project_command
def reject(project: Project, version: VersionArgument, comment: CommentOption = "") -> None:
    """Reject a version.

    Example: python -m pipelines reject 2 --local
    """
    _decide(project, version, "Rejected", comment)


@app.command("example-data")
def example_data(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(EXAMPLES)}.")],
    destination: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
) -> None:
    """Write an example's data and settings to a folder, to start a project of one's own from.

    Example: python -m pipelines example-data churn --output my-project
    """
    with errors_explained():
        if name not in EXAMPLES:
            raise UserError(f"there is no example {name!r}; there are {', '.join(EXAMPLES)}")
        for path in write_example(name, destination):
            output.print(str(path))


def run_pipeline() -> None:
    """Entry point `run-pipeline`, the name that SageMaker's project templates call."""
    typer.run(run)


def get_pipeline_definition() -> None:
    """Entry point `get-pipeline-definition`, likewise."""
    typer.run(definition)


def _execution(project: Project, arn: str | None) -> Execution:
    return runner.describe(project.target, arn or runner.latest_execution(project.settings, project.target))


def _decide(project: Project, version: int, decision: str, comment: str) -> None:
    group = project.settings.model_package_group
    package = registry.set_approval(group, version, decision, comment, project.target)
    output.print(f"{group} version {package.version}: {package.approval_status}")


def _parameters(assignments: list[str]) -> dict[str, str]:
    pairs = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator or not name:
            raise UserError(f"--parameter {assignment!r} is not of the form Name=Value")
        pairs[name] = value
    return pairs


def _report(project: Project, execution: Execution, as_json: bool) -> None:
    settings, target = project.settings, project.target
    results = read_results(settings, target, execution)
    print_result(
        _steps_json(execution) | _results_json(settings, results),
        as_json,
        lambda: show_results(settings, execution, results),
    )
    if execution.ended and execution.status != "Succeeded":
        failed = next((step for step in execution.steps if step.status == "Failed"), None)
        show_failure(execution, failed, runner.log_lines(target, failed, last=20) if failed else [])


def _steps_json(execution: Execution) -> dict[str, Any]:
    return {
        "PipelineExecutionArn": execution.arn,
        "PipelineExecutionStatus": execution.status,
        "FailureReason": execution.reason,
        "Steps": [
            {
                "StepName": step.name,
                "StepStatus": step.status,
                "Cached": step.cached,
                "Seconds": step.seconds,
                "FailureReason": step.reason,
                "JobArn": step.job,
            }
            for step in execution.steps
        ],
    }


def _results_json(settings: Settings, results: Results) -> dict[str, Any]:
    return {
        "Metrics": results.metrics,
        "Quality": {"Metric": settings.quality.metric, "Threshold": results.threshold},
        "ReportUri": results.report_uri,
        "ModelPackage": asdict(results.package) if results.package else None,
        "Baselines": results.baselines,
        "Outputs": results.outputs,
    }


if __name__ == "__main__":
    app()
