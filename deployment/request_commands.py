"""`python -m deployment test`, `traffic` and `invoke`: commands that send requests to an endpoint."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deployment import display, endpoints, invocations
from deployment.checks import EndpointTest
from deployment.command_options import InputOption, StageOption, find_endpoint, find_variants, load_records
from deployment.drift import parse_drift
from deployment.feature_store import FeatureLookup
from deployment.progress import request_progress
from deployment.records import columns_for_fairness, non_feature_columns
from deployment.samples import find_samples
from deployment.traffic import send_traffic
from project.commands import EndpointOption, JsonOption, Project, command_group, project_command
from project.display import console
from project.errors import UserError

app = command_group(None)

_DEFAULT_CONCURRENCY = 8


@app.command()
@project_command
def test(
    project: Project,
    name: EndpointOption = None,
    stage: StageOption = None,
    data: InputOption = None,
    requests: Annotated[int, typer.Option(min=1, help="Number of requests of the load test.")] = 500,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            show_default=f"{_DEFAULT_CONCURRENCY}, or a serverless endpoint's maximum concurrency",
            help="Number of concurrent clients of the load test.",
        ),
    ] = None,
    report_file: Annotated[
        Path | None,
        typer.Option("--output", "-o", show_default="ENDPOINT-test.json", help="JSON file to write the results to."),
    ] = None,
) -> None:
    """Test an endpoint: one record, a batch, the predictions of the evaluation, invalid payloads, load, and captures.

    The requests have the custom attribute `test-request`, by which monitoring leaves them out.

    Example: python -m deployment test --local --requests 2000 --concurrency 16
    """
    endpoint = find_endpoint(project, name, stage)
    records = load_records(project, endpoint, data)
    variants = find_variants(project, endpoint)
    supported = min(
        (variant.serverless.get("MaxConcurrency", _DEFAULT_CONCURRENCY) for variant in variants),
        default=_DEFAULT_CONCURRENCY,
    )
    capture, samples = endpoints.capture_settings(endpoint, variants), find_samples(project.target, variants)
    with request_progress(requests, f"Testing {endpoint.name} ...") as report:
        clients = concurrency or supported
        endpoint_test = EndpointTest(project.target, endpoint, records, requests, clients, capture, samples, report)
        for check in endpoint_test.run():
            display.show_check(check)
    path = report_file or Path(f"{endpoint.name}-test.json")
    path.write_text(json.dumps(endpoint_test.report(), indent=2) + "\n", encoding="utf-8")
    if endpoint_test.load:
        console.print()
        display.show_load(endpoint_test.load)
    console.print(f"\nResults written to {path}", soft_wrap=True)
    raise typer.Exit(0 if endpoint_test.passed else 1)


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
            help="Change of a feature (repeatable): FEATURE=+2sd, =-3, =*1.5, =VALUE@0.8 or =missing@0.2, "
            "where @0.8 means 80 % of the records."
        ),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, max=10000, help="Requests per second.")] = 20,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Duration, instead of --requests.")] = None,
    requests: Annotated[
        int | None, typer.Option(min=1, show_default="every record once", help="Number of requests.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the records' order and of random changes.")] = 42,
    labels: Annotated[
        Path | None,
        typer.Option(
            show_default="ENDPOINT-labels-TIME.csv",
            help="CSV file for the inference ids and the records' labels, to upload as ground truth.",
        ),
    ] = None,
    mark_as_test: Annotated[
        bool, typer.Option("--mark-as-test", help="Have monitoring leave the requests out, as those of `test`.")
    ] = False,
) -> None:
    """Send records to an endpoint, optionally with simulated drift, and keep their inference ids and labels.

    With `deployment.unknown_features: ignore`, columns of the section `fairness` are sent, too, for the monitoring of
    bias.

    Example: python -m deployment traffic --local --input examples/breast-cancer/data.csv --drift mean_radius=+2sd
    """
    endpoint = find_endpoint(project, name, stage)
    if minutes is not None and requests is not None:
        raise UserError("--minutes and --requests exclude each other; give one of them")
    records = load_records(project, endpoint, data, columns_for_fairness(project.settings))
    drifts = parse_drift(drift or [], records.rows, project.settings)
    count = requests or (max(1, round(minutes * 60 * rate)) if minutes else len(records.rows))
    path = labels or Path(f"{endpoint.name}-labels-{datetime.now(UTC):%Y%m%d-%H%M%S}.csv")
    with request_progress(count, f"Sending {count} requests ...") as report:
        result = send_traffic(
            project.target,
            endpoint.name,
            records,
            drifts,
            requests=count,
            rate=rate,
            seed=seed,
            labels_file=path,
            custom_attributes=invocations.TEST_REQUEST if mark_as_test else "",
            report=report,
        )
    display.show_load(result)
    written = "ids and labels" if records.labels else "ids, without labels as the records have none,"
    console.print(f"\nInference {written} written to {path}", soft_wrap=True)
    raise typer.Exit(1 if result.failed else 0)


@app.command()
@project_command
def invoke(
    project: Project,
    name: EndpointOption = None,
    stage: StageOption = None,
    record: Annotated[str, typer.Option(help="Features as a JSON object.")] = "{}",
    record_id: Annotated[
        str | None,
        typer.Option(help="Id of a record in Feature Store; --record overrides its values."),
    ] = None,
    feature_group: Annotated[str | None, typer.Option(help="Feature group of --record-id.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how much each feature adds to the raw score (TreeSHAP).")
    ] = False,
    top: Annotated[int, typer.Option(min=1, max=100, help="Number of features that --explain lists.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Predict one record, given as JSON, looked up in Feature Store, or both; --explain shows the reasons as a table.

    Example: python -m deployment invoke --record-id C00042 --feature-group customers --record '{"amount": 12.5}'
    """
    endpoint = find_endpoint(project, name, stage)
    try:
        features = json.loads(record)
    except ValueError as error:
        raise UserError(f"--record is not valid JSON: {error}") from None
    if not isinstance(features, dict):
        raise UserError(f"--record is {record}; expected a JSON object of features by name")
    if (record_id is None) != (feature_group is None):
        raise UserError("--record-id and --feature-group are used together; give both or neither")
    if record_id is not None and feature_group is not None:
        lookup = FeatureLookup(project.target, feature_group, leave_out=non_feature_columns(project.settings))
        features = lookup(record_id) | features
    if not features:
        raise UserError("no features to send; give --record, or --record-id with --feature-group")
    client = invocations.runtime_client(project.target)
    accept = f"{invocations.JSON};explain={top}" if explain else invocations.JSON
    result = invocations.invoke(client, endpoint.name, invocations.as_json([features]), accept=accept)
    if not result.ok:
        refused = 400 <= result.status < 500
        advice = "; correct --record and send it again" if refused else "; see `python -m deployment status`"
        message = result.message.removeprefix("row 1: ")
        console.print(f"HTTP {result.status}: {message}{advice}", markup=False, soft_wrap=True)
        raise typer.Exit(1)
    if not explain or as_json:
        print(result.body.decode())
        return
    prediction = json.loads(result.body)["predictions"][0]
    if "explanation" not in prediction:
        raise UserError(
            f"the model of endpoint {endpoint.name!r} responds without an explanation: its inference code is older "
            "than --explain; run the pipeline and deploy the new version"
        )
    display.show_explanation(prediction)
