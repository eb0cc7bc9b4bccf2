"""The terminal output of the deployment commands: tables and summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from deployment.batch import BatchResult
from deployment.checks import Check
from deployment.cost import Estimate
from deployment.endpoints import CaptureSettings, Endpoint, ServedVariant, capture_settings
from deployment.load_test import LoadResult
from deployment.resources import Resource
from project.display import console, is_local, output
from project.target import Target

_STYLES = {"InService": "green", "Failed": "bold red", "OK": "green", "ALARM": "bold red"}
_WIDTH = 14
# characters of the longest bar of an explanation
_BAR = 20


def show_endpoint(
    target: Target,
    endpoint: Endpoint,
    variants: Sequence[ServedVariant],
    scaling: Mapping[str, tuple[int, int]],
    alarms: Mapping[str, str],
    coming_capture: CaptureSettings | None,
) -> None:
    """Print an endpoint.

    Args:
        target: Where it runs.
        endpoint: The endpoint.
        variants: Its variants.
        scaling: Minimum and maximum instance count by variant.
        alarms: States by alarm name.
        coming_capture: Data capture that begins once the endpoint is in service.
    """
    _line("Endpoint", endpoint.name)
    _line("Status", endpoint.status, _STYLES.get(endpoint.status, "yellow"))
    if endpoint.reason:
        _line("Reason", endpoint.reason)
    for variant in variants:
        _line(
            "Variant",
            f"{variant.name}: version {variant.version}, {variant.share:.0%} of requests, {capacity(variant)}",
        )
    for name, (minimum, maximum) in scaling.items():
        effect = "; the local SageMaker does not scale" if is_local() else ""
        _line("Scaling", f"{name}: {minimum} to {maximum} instances{effect}")
    capture = coming_capture or capture_settings(endpoint, variants)
    when = ", once the endpoint is in service" if coming_capture else ""
    _line("Capture", f"{capture.percentage} % to {target.location(capture.uri)}{when}" if capture else "none")
    for name, state in sorted(alarms.items()):
        _line("Alarm", f"{name}: {state}", _STYLES.get(state, ""))
    _line("Changed", f"{endpoint.modified:%Y-%m-%d %H:%M:%S %Z}")


def show_endpoints(rows: Sequence[tuple[Endpoint, Sequence[ServedVariant]]]) -> None:
    table = _table("Endpoint", "Status", "Versions", "Capacity", "Created")
    for endpoint, variants in rows:
        table.add_row(
            endpoint.name,
            Text(endpoint.status, _STYLES.get(endpoint.status, "yellow")),
            ", ".join(f"{variant.version} ({variant.share:.0%})" for variant in variants),
            ", ".join(sorted({capacity(variant) for variant in variants})),
            f"{endpoint.created:%Y-%m-%d %H:%M}",
        )
    output.print(table)


def capacity(variant: ServedVariant) -> str:
    """Return a variant's instances, or the memory and concurrency of a serverless one, in words."""
    if variant.serverless:
        return f"serverless {variant.serverless['MemorySizeInMB']} MB x {variant.serverless['MaxConcurrency']}"
    return f"{variant.instance_count} x {variant.instance_type}"


def show_check(check: Check) -> None:
    """Print a line for a completed check."""
    mark = Text("passed", "green") if check.passed else Text("FAILED", "bold red")
    console.print(Text.assemble(mark, "  ", (f"{check.name:<39}", "bold"), _shortened(check.detail)), soft_wrap=True)


def show_load(load: LoadResult) -> None:
    table = _table(
        "Requests", "Concurrency", "Failed", "Requests/s", "p50 ms", "p95 ms", "p99 ms", "Slowest ms", right=True
    )
    times = ("-" if value is None else f"{value:.1f}" for value in (load.p50, load.p95, load.p99, load.slowest))
    table.add_row(str(load.requests), str(load.concurrency), str(load.failed), f"{load.throughput:.0f}", *times)
    output.print(table)
    for message, count in load.errors.items():
        output.print(f"{count} x {message}", markup=False, soft_wrap=True)


def show_batch(target: Target, result: BatchResult) -> None:
    _line("Transform job", result.job)
    _line("Input", target.location(result.input_uri))
    for uri in result.outputs:
        _line("Output", target.location(uri))
    _line("Captures", target.location(result.capture_uri))


def show_explanation(prediction: Mapping[str, Any]) -> None:
    """Print a prediction and what each feature adds to its raw score, with a bar for the size."""
    explanation = prediction["explanation"]
    if "label" in prediction:
        output.print(f"{prediction['label']}, probability {prediction['probability']:.4g}", style="bold", markup=False)
    else:
        output.print(f"prediction {prediction['prediction']:.6g}", style="bold", markup=False)
    what = f" of class {explanation['class']}" if "class" in explanation else ""
    output.print(f"Contributions to the raw score{what}\n", markup=False)
    listed = [
        (item["feature"], _value_text(item["value"]), item["contribution"]) for item in explanation["contributions"]
    ]
    rows = [*listed, ("other features", "", explanation["other_features"])]
    longest = max(abs(contribution) for _, _, contribution in rows) or 1.0
    table = _table("Feature", "Value", "Contribution", "")
    table.columns[1].justify = table.columns[2].justify = "right"
    for name, value, contribution in rows:
        bar = "█" * round(_BAR * abs(contribution) / longest)
        table.add_row(
            Text(name), Text(value), f"{contribution:+.4f}", Text(bar, "red" if contribution < 0 else "green")
        )
    table.add_row("base value", "", f"{explanation['base_value']:+.4f}")
    table.add_row("raw score", "", f"{explanation['raw_score']:+.4f}", style="bold")
    output.print(table)


def _value_text(value: Any) -> str:
    if value is None:
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else _shortened(str(value), 40)


def show_resources(resources: Sequence[Resource]) -> None:
    for resource in resources:
        console.print(Text.assemble("  ", (f"{resource.kind:<28}", "bold"), resource.name), soft_wrap=True)


def show_estimate(estimate: Estimate) -> None:
    table = _table("Per month", "USD", "Basis")
    for item in estimate.items:
        table.add_row(item.name, _range(item.low, item.high), item.basis)
    table.add_row("total", _range(estimate.low, estimate.high), "", style="bold")
    output.print(table)
    output.print(
        f"\nAn estimate for {estimate.region} with prices of {estimate.price_date}; see AWS's pricing pages.",
        soft_wrap=True,
    )


def show_log(lines: Sequence[str]) -> None:
    if lines:
        console.print("\nLast lines of the container's log:", style="bold")
        for line in lines:
            console.print(f"  {line}", markup=False, style="dim", soft_wrap=True)


def _range(low: float, high: float) -> str:
    return f"{low:,.2f}" if round(low, 2) == round(high, 2) else f"{low:,.2f} to {high:,.2f}"


def _shortened(text: str, length: int = 160) -> str:
    text = text.partition("\n")[0]
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _line(name: str, value: str, style: str = "") -> None:
    # not a table, which would wrap URIs and make them hard to copy
    output.print(Text.assemble((f"{name:<{_WIDTH}}", "bold"), (value, style)), soft_wrap=True)


def _table(*titles: str, right: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    return table
