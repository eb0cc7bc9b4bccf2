"""`python -m deployment`: put an approved model package behind an endpoint, try it, watch it, remove it.

Exit codes: 0 succeeded, 1 a deployment, a check or a request failed or AWS refused, 2 bad usage or settings.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import boto3
import typer
from rich.text import Text

from deployment import alarms, autoscaling, display, endpoints, invocations, resources
from deployment.batch import run_batch
from deployment.checks import EndpointTest
from deployment.cost import estimate_cost
from deployment.deploy import DeploymentFailed, carry_out, choose_variants
from deployment.drift import parse_drift
from deployment.endpoints import Endpoint, ServedVariant
from deployment.feature_store import FeatureLookup
from deployment.plan import EndpointMode, plan_endpoint
from deployment.records import Records, read_records, training_records
from deployment.traffic import send_traffic
from project import registry
from project.commands import (
    EndpointOption,
    JsonOption,
    Project,
    RegionOption,
    SettingsOption,
    command_group,
    errors_explained,
    print_result,
    project_command,
)
from project.display import console, output
from project.errors import UserError
from project.paths import DEFAULT_SETTINGS
from project.settings import load_settings

app = command_group(__doc__)

StageOption = Annotated[
    Literal["staging", "prod"] | None,
    typer.Option(help="The endpoint of a stage, which is called NAME-STAGE."),
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="CSV",
        show_default="the records the model was trained on",
        help="Records to send: a CSV file with a header, at a path or an s3:// URI.",
    ),
]


@app.command()
@project_command
def deploy(
    project: Project,
    version: Annotated[
        int | None,
        typer.Option("--model-package", min=1, metavar="VERSION", show_default="the latest approved one"),
    ] = None,
    mode: Annotated[
        Literal["real-time", "serverless", "batch"],
        typer.Option(help="An endpoint on instances, a serverless one, or a batch job."),
    ] = "real-time",
    name: EndpointOption = None,
    stage: StageOption = None,
    challenger: Annotated[
        int | None, typer.Option(min=1, metavar="VERSION", help="An approved version to try beside the first (A/B).")
    ] = None,
    weight: Annotated[float, typer.Option(min=0.01, max=0.99, help="The challenger's share of the requests.")] = 0.1,
    data: Annotated[
        str | None,
        typer.Option("--input", help="For batch: CSV or JSON lines, at a path or an s3:// URI."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Longest wait in minutes; what is under way goes on after it.")] = 120,
    as_json: JsonOption = False,
) -> None:
    """Make or update an endpoint from an approved model package, or run a batch job with it.

    Given again, it changes nothing. An update moves traffic step by step (blue/green), and back when an alarm rings.

    Example: python -m deployment deploy --local --mode serverless
    """
    settings, target = project.settings, project.target
    endpoint = _name(project, name, stage)
    if (mode == "batch") != (data is not None):
        raise UserError("--input goes with --mode batch, and --mode batch needs it")
    variants = choose_variants(settings, target, version, challenger, weight)
    with _failures_shown(), console.status("Waiting for SageMaker ..."):
        if mode == "batch":
            if data is None or challenger is not None:
                raise UserError("--mode batch runs one version; leave --challenger out")
            batch = run_batch(settings, target, endpoint, variants[0].package, data, timeout * 60, _say)
            print_result(asdict(batch), as_json, lambda: display.show_batch(batch))
            return
        plan = plan_endpoint(settings, target, endpoint, mode, variants)
        outcome = carry_out(settings, target, plan, timeout * 60, _say)
    said = {"created": "is deployed", "updated": "is updated", "unchanged": "is already deployed, nothing has changed"}
    console.print(f"{endpoint} {said[outcome.change]}.")
    _report(project, outcome.endpoint, as_json, change=outcome.change)


@app.command()
@project_command
def test(
    project: Project,
    name: EndpointOption = None,
    stage: StageOption = None,
    data: InputOption = None,
    requests: Annotated[int, typer.Option(min=1, help="Of the load test.")] = 500,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, max=256, show_default="8, of a serverless endpoint as many as it takes", help="At a time."),
    ] = None,
    report_file: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", show_default="ENDPOINT-test.json", help="Where the results are written as JSON."
        ),
    ] = None,
) -> None:
    """Check an endpoint: a record, a batch, malformed payloads, a load test, and that captures match what was sent.

    Example: python -m deployment test --local --requests 2000 --concurrency 16
    """
    target = project.target
    endpoint = _endpoint(project, name, stage)
    records = _records(project, endpoint, data)
    variants = _variants(project, endpoint)
    most = min((variant.serverless.get("MaxConcurrency", 8) for variant in variants), default=8)
    capture = endpoints.capture_settings(endpoint, variants)
    tested = EndpointTest(target, endpoint, records, requests, concurrency or most, capture)
    with console.status(f"Testing {endpoint.name} ..."):
        for check in tested.run():
            display.show_check(check)
    path = report_file or Path(f"{endpoint.name}-test.json")
    path.write_text(json.dumps(tested.report(), indent=2) + "\n", encoding="utf-8")
    if tested.load:
        console.print()
        display.show_load(tested.load)
    console.print(f"\nResults are in {path}", soft_wrap=True)
    raise typer.Exit(0 if tested.passed else 1)


@app.command()
@project_command
def traffic(
    project: Project,
    name: EndpointOption = None,
    stage: StageOption = None,
    data: InputOption = None,
    drift: Annotated[
        list[str] | None,
        typer.Option(
            help="A feature's change, as often as needed: FEATURE=+2sd, =-3, =*1.5, =VALUE@0.8 or =missing@0.2."
        ),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, max=10000, help="Requests a second.")] = 20,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="How long, in place of --requests.")] = None,
    requests: Annotated[int | None, typer.Option(min=1, show_default="every record once")] = None,
    seed: Annotated[int, typer.Option(help="Of the records' order and of drift that strikes at random.")] = 42,
    labels: Annotated[
        Path | None,
        typer.Option(
            show_default="ENDPOINT-labels-TIME.csv",
            help="Where inference ids are kept, each with its record's label: for ground truth later.",
        ),
    ] = None,
) -> None:
    """Send records to an endpoint, as they are or drifted, and keep their inference ids for later labels.

    Example: python -m deployment traffic --local --input examples/breast-cancer/data.csv --drift mean_radius=+2sd
    """
    endpoint = _endpoint(project, name, stage)
    if minutes is not None and requests is not None:
        raise UserError("--minutes and --requests say the same thing twice; give one of them")
    records = _records(project, endpoint, data)
    drifts = parse_drift(drift or [], records.rows)
    count = requests or (max(1, round(minutes * 60 * rate)) if minutes else len(records.rows))
    path = labels or Path(f"{endpoint.name}-labels-{datetime.now(UTC):%Y%m%d-%H%M%S}.csv")
    with console.status(f"Sending {count} requests ...") as status:
        sent = send_traffic(
            project.target,
            endpoint.name,
            records,
            drifts,
            requests=count,
            rate=rate,
            seed=seed,
            labels_file=path,
            report=lambda done: status.update(f"Sent {done} of {count} requests ..."),
        )
    display.show_load(sent)
    console.print(f"\nInference ids and labels are in {path}", soft_wrap=True)
    raise typer.Exit(1 if sent.failed else 0)


@app.command()
@project_command
def invoke(
    project: Project,
    name: EndpointOption = None,
    stage: StageOption = None,
    record: Annotated[str, typer.Option(help="Features as a JSON object.")] = "{}",
    record_id: Annotated[
        str | None, typer.Option(help="Take features from Feature Store by this id; --record's come on top.")
    ] = None,
    feature_group: Annotated[str | None, typer.Option(help="Where the record is looked up.")] = None,
) -> None:
    """Predict one record, with features given here, looked up in Feature Store, or both.

    Example: python -m deployment invoke --record-id C00042 --feature-group customers --record '{"amount": 12.5}'
    """
    endpoint = _endpoint(project, name, stage)
    try:
        features = json.loads(record)
    except ValueError as error:
        raise UserError(f"--record is not JSON: {error}") from None
    if not isinstance(features, dict):
        raise UserError(f"--record is {record}; it is an object of features by name")
    if (record_id is None) != (feature_group is None):
        raise UserError("--record-id and --feature-group go together: give both or neither")
    if record_id is not None and feature_group is not None:
        no_features = (project.settings.data.target_column, *project.settings.data.drop_columns)
        features = FeatureLookup(project.target, feature_group, leave_out=no_features)(record_id) | features
    if not features:
        raise UserError("there are no features to send; give --record, or --record-id with --feature-group")
    answer = invocations.invoke(
        invocations.runtime_client(project.target), endpoint.name, invocations.as_json([features])
    )
    if not answer.ok:
        console.print(f"HTTP {answer.status}: {answer.message}", markup=False, soft_wrap=True)
        raise typer.Exit(1)
    print(answer.body.decode())


@app.command()
@project_command
def status(
    project: Project, name: EndpointOption = None, stage: StageOption = None, as_json: JsonOption = False
) -> None:
    """Show an endpoint: variants, machines, scaling, capture, alarms.

    Example: python -m deployment status --local
    """
    _report(project, _endpoint(project, name, stage), as_json)


@app.command("list")
@project_command
def list_(project: Project, as_json: JsonOption = False) -> None:
    """List the project's endpoints, the newest first.

    Example: python -m deployment list --local
    """
    found = [
        (endpoint, _variants(project, endpoint))
        for endpoint in endpoints.own_endpoints(project.settings, project.target)
    ]
    if not found:
        console.print(f"Project {project.settings.name} has no endpoints; `deploy` makes one.")
    content = [_as_json(endpoint, variants) for endpoint, variants in found]
    print_result(content, as_json, lambda: display.show_endpoints(found) if found else None)


@app.command()
@project_command
def delete(
    project: Project,
    name: EndpointOption = None,
    stage: StageOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Remove an endpoint and all that belongs to it: schedules, scaling, alarms, configurations, models.

    Captures and model packages stay. What another project owns is never touched.

    Example: python -m deployment delete --local --yes
    """
    endpoint = _name(project, name, stage)
    found = resources.endpoint_resources(project.settings, project.target, endpoint)
    if not found:
        console.print(f"There is nothing of endpoint {endpoint} to remove.")
        return
    if not yes:
        display.show_resources(found)
        typer.confirm("Remove all of these?", abort=True, err=True)
    resources.delete_resources(project.target, found, lambda gone: output.print(f"Removed {gone.kind} {gone.name}"))


@app.command()
def cost(
    settings_file: SettingsOption = DEFAULT_SETTINGS,
    region: RegionOption = None,
    mode: Annotated[EndpointMode, typer.Option()] = "real-time",
    requests_per_day: Annotated[int, typer.Option(min=0)] = 10000,
    checks_per_day: Annotated[float, typer.Option(min=0, help="Of data and model quality.")] = 24,
    as_json: JsonOption = False,
) -> None:
    """Estimate what endpoint, captures and monitoring cost a month; needs no credentials and no network.

    Example: python -m deployment cost --region eu-west-1 --requests-per-day 50000
    """
    with errors_explained():
        region = region or boto3.Session().region_name or "us-east-1"
        settings = load_settings(settings_file)
        estimate = estimate_cost(settings, region, mode, requests_per_day, checks_per_day)
        content = {**asdict(estimate), "low": estimate.low, "high": estimate.high}
        print_result(content, as_json, lambda: display.show_estimate(estimate))


def _endpoint(project: Project, name: str | None, stage: str | None) -> Endpoint:
    return endpoints.own_endpoint(project.settings, project.target, _name(project, name, stage))


def _name(project: Project, name: str | None, stage: str | None) -> str:
    return "-".join(filter(None, [name or project.settings.name, stage]))


def _variants(project: Project, endpoint: Endpoint) -> list[ServedVariant]:
    return endpoints.served_variants(project.target, endpoint) if endpoint.config else []


def _records(project: Project, endpoint: Endpoint, location: str | None) -> Records:
    if location is not None:
        return read_records(project.settings, project.target, location)
    package = _variants(project, endpoint)[0].package
    if not package:
        raise UserError(f"the model package behind {endpoint.name} is not known; give records with --input")
    return training_records(project.settings, project.target, registry.describe_package(package, project.target))


def _report(project: Project, endpoint: Endpoint, as_json: bool, **more: str) -> None:
    target = project.target
    variants = _variants(project, endpoint)
    states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms.watching_alarms(target, endpoint.name)}
    scaling = autoscaling.scaled_variants(target, endpoint.name)
    content = {**_as_json(endpoint, variants), "scaling": scaling, "alarms": states, **more}
    print_result(content, as_json, lambda: display.show_endpoint(endpoint, variants, scaling, states))


def _as_json(endpoint: Endpoint, variants: list[ServedVariant]) -> dict[str, Any]:
    described = asdict(endpoint)
    del described["production_variants"]
    capture = endpoints.capture_settings(endpoint, variants)
    described["capture"] = asdict(capture) if capture else None
    return {**described, "variants": [asdict(variant) | {"version": variant.version} for variant in variants]}


@contextmanager
def _failures_shown() -> Iterator[None]:
    try:
        yield
    except DeploymentFailed as error:
        console.print("Failed:", style="bold red", end=" ")
        console.print(str(error), markup=False, soft_wrap=True)
        display.show_log(error.log)
        raise typer.Exit(1) from None


def _say(line: str) -> None:
    console.print(Text(f"{time.strftime('%H:%M:%S')}  {line}"), soft_wrap=True)


if __name__ == "__main__":
    app()
