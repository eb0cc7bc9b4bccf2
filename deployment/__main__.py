"""Deploy approved model packages to endpoints, test them, send traffic, and delete them.

Exit codes: 0 success; 1 a deployment, a check or a request failed, or AWS returned an error; 2 invalid usage or
settings.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import boto3
import typer

from deployment import display, endpoint_commands, request_commands
from deployment.cost import estimate_cost
from deployment.plan import EndpointMode
from project.commands import (
    JsonOption,
    RegionOption,
    SettingsOption,
    command_group,
    errors_explained,
    print_result,
)
from project.settings_file import open_settings

app = command_group(__doc__)
app.add_typer(endpoint_commands.app)
app.add_typer(request_commands.app)


@app.command()
def cost(
    settings_file: SettingsOption = None,
    region: RegionOption = None,
    mode: Annotated[EndpointMode, typer.Option(help="An endpoint on instances or a serverless one.")] = "real-time",
    requests_per_day: Annotated[int, typer.Option(min=0, help="Number of requests to the endpoint.")] = 10000,
    checks_per_day: Annotated[
        float, typer.Option(min=0, help="Number of monitoring executions (data and model quality).")
    ] = 24,
    as_json: JsonOption = False,
) -> None:
    """Estimate the monthly cost of endpoint, data capture and monitoring; needs neither credentials nor network.

    Example: python -m deployment cost --region eu-west-1 --requests-per-day 50000
    """
    with errors_explained():
        region = region or boto3.Session().region_name or "us-east-1"
        settings, _ = open_settings(settings_file)
        estimate = estimate_cost(settings, region, mode, requests_per_day, checks_per_day)
        content = {**asdict(estimate), "low": estimate.low, "high": estimate.high}
        print_result(content, as_json, lambda: display.show_estimate(estimate))


if __name__ == "__main__":
    app()
