"""The analyzer's command line: every command sets variables of the container contract, with the same result."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from analyzer import QualityError
from analyzer.command_options import (
    BaselineOptions,
    CapturedPayload,
    CaptureKind,
    CategoricalDrift,
    FailOnViolation,
    Importance,
    Limit,
    ModelOptions,
    Output,
    Payload,
    RecordOptions,
    Source,
    Variables,
    WindowOptions,
)
from analyzer.container import FAILED, VIOLATIONS, run
from analyzer.datasets.dataset import CAPTURES, MERGED
from analyzer.reports import commands as report_commands
from analyzer.window import window_of

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Analyze data quality and model quality, and write Model Monitor's statistics, constraints and violations. "
    "Exit status: 0 completed, 1 failed, 3 violations (with --fail-on-violation). "
    "Without arguments, settings are read from environment variables, as in Model Monitor's container.",
)


def _command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Register a command.

    Parameters that are dataclasses become one option per field. Errors are printed as one line. With
    --fail-on-violation, a nonzero number of violations that the function returns sets the exit status.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    @functools.wraps(function)
    def command(**values: Any) -> None:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        arguments = {
            name: group(**{item.name: values.pop(item.name) for item in fields(group)})
            for name, group in groups.items()
        }
        try:
            violations = function(**values, **arguments)
        except (QualityError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(FAILED) from None
        if violations and values.get("fail_on_violation"):
            raise typer.Exit(VIOLATIONS)

    def parameters() -> Iterator[inspect.Parameter]:
        for name, parameter in inspect.signature(function).parameters.items():
            source = inspect.signature(groups[name]).parameters if name in groups else {name: parameter}
            types = typing.get_type_hints(groups[name], include_extras=True) if name in groups else hints
            for item in source.values():
                yield item.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=types[item.name])

    # Typer reads the signature and the annotations; __wrapped__ would lead it past both.
    del command.__wrapped__
    command.__signature__ = inspect.Signature(list(parameters()))  # type: ignore[attr-defined]
    command.__annotations__ = {item.name: item.annotation for item in parameters()}
    app.command()(command)
    return command


@_command
def baseline(
    source: Source,
    output: Output,
    records: RecordOptions,
    capture: CapturedPayload = Payload.INPUT,
    categorical_drift_method: Annotated[
        CategoricalDrift, typer.Option(help="Drift measure for categories in checks against this baseline.")
    ] = CategoricalDrift.L_INFINITY,
) -> None:
    """Create the statistics and constraints of a baseline dataset.

    Example: python -m analyzer baseline train.csv -o baseline
    """
    _run(
        records.variables(capture),
        dataset_source=source,
        output_path=output,
        categorical_drift_method=categorical_drift_method.value,
    )


@_command
def check(
    source: Source,
    output: Output,
    baseline: BaselineOptions,
    records: RecordOptions,
    window: WindowOptions,
    capture: CapturedPayload = Payload.INPUT,
    importance: Importance = None,
    fail_on_violation: FailOnViolation = False,
) -> int:
    """Check data against a baseline: types, completeness, columns, categories and drift.

    Example: python -m analyzer check captures/churn --format captures --start -PT1H
    --statistics baseline/statistics.json --constraints baseline/constraints.json -o check --fail-on-violation
    """
    if baseline.statistics is None and baseline.constraints is None:
        raise QualityError("no baseline to check against; pass --statistics, --constraints, or both")
    return _run(
        records.variables(capture) | baseline.variables() | window.variables(),
        dataset_source=source,
        output_path=output,
        feature_importance=importance,
    )


@_command
def model_quality(
    source: Source,
    output: Output,
    model: ModelOptions,
    baseline: BaselineOptions,
    records: RecordOptions,
    window: WindowOptions,
    fail_on_violation: FailOnViolation = False,
) -> int:
    """Compute model quality metrics from predictions and labels, and check them against a baseline if one is given.

    Example: python -m analyzer model-quality captures/churn --format captures --ground-truth labels
    --problem-type BinaryClassification --probability probability --constraints baseline/constraints.json -o quality
    """
    return _run(
        model.variables() | records.variables(Payload.OUTPUT) | baseline.variables() | window.variables(),
        dataset_source=source,
        output_path=output,
    )


@_command
def merge(
    source: Annotated[Path, typer.Argument(help="Folder of partial profiles, profile-HOST.json.")],
    output: Output,
    baseline: BaselineOptions,
    importance: Importance = None,
    schema: Annotated[
        Path | None, typer.Option(help="schema.json or model.tar.gz of the model, as given for the profiles.")
    ] = None,
    fail_on_violation: FailOnViolation = False,
) -> int:
    """Merge the partial profiles that several instances wrote, and check the whole dataset.

    Example: python -m analyzer merge profiles -o check --statistics baseline/statistics.json
    """
    return _run(
        baseline.variables(),
        dataset_source=source,
        dataset_format='{"profile": {}}',
        output_path=output,
        feature_importance=importance,
        model_schema=schema,
    )


@_command
def merge_ground_truth(
    source: Annotated[Path, typer.Argument(help="File or folder of captured inferences.")],
    ground_truth: Annotated[Path, typer.Argument(help="File or folder of labels.")],
    output: Output,
    window: WindowOptions,
    malformed_records_limit: Limit = 100,
) -> None:
    """Merge captured inferences with their labels, for model-quality --format merged.

    Example: python -m analyzer merge-ground-truth captures labels -o merged --start -P1D --end PT0S
    """
    _run(
        window.variables(),
        dataset_source=source,
        ground_truth_source=ground_truth,
        output_path=output,
        malformed_records_limit=malformed_records_limit,
    )


@_command
def clarify(
    config: Annotated[Path, typer.Option("--config", help="Clarify's analysis_config.json.")],
    dataset: Annotated[Path, typer.Option("--dataset", help="File or folder of records, or of captured inferences.")],
    output: Output,
    window: WindowOptions,
    model: Annotated[
        Path | None, typer.Option("--model", help="model.tar.gz of this project that predicts and explains.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="analysis.json of an earlier job to compare with.")
    ] = None,
    captures: Annotated[
        CaptureKind | None,
        typer.Option("--captures", help="Whether the dataset is captured inferences, or such with ground truth."),
    ] = None,
    metric_tolerance: Annotated[
        float, typer.Option(min=0, max=10, help="Standard errors by which bias metrics may be worse than the baseline.")
    ] = 0.0,
    malformed_records_limit: Limit = 100,
    fail_on_violation: FailOnViolation = False,
) -> int:
    """Compute bias metrics and explanations by Clarify's configuration, and check them against a baseline.

    Example: python -m analyzer clarify --config analysis_config.json --dataset test.csv --model model.tar.gz -o bias
    """
    # Imported here because the other commands need none of it.
    from analyzer.clarify.job import ClarifyJob, run

    formats = {CaptureKind.CAPTURES: CAPTURES, CaptureKind.MERGED: MERGED}
    result = run(
        ClarifyJob(
            config=config,
            dataset=dataset,
            output=output,
            model=model,
            baseline=baseline,
            dataset_format=None if captures is None else {formats[captures]: {}},
            window=window_of({name: str(value) for name, value in window.variables().items()}, datetime.now(UTC)),
            metric_tolerance=metric_tolerance,
            malformed_records_limit=malformed_records_limit,
        )
    )
    print(result.message)
    return len(result.violations)


_command(report_commands.report)
_command(report_commands.trend)


def _run(variables: Variables, **more: Any) -> int:
    """Run the analyzer on the variables that are set, print its message and return the number of violations."""
    environment = {name: str(value) for name, value in (variables | more).items() if value is not None}
    message, violations = run(environment)
    print(message)
    return violations
