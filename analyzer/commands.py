"""The analyzer as commands; each stands for the variables of the container contract, with the same result."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from analyzer import QualityError
from analyzer.container import FAILED, VIOLATIONS, run
from analyzer.reports import commands as report_commands

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Statistics, constraints and violations of data and of model quality, in Model Monitor's files. "
    "Exit status: 0 no violation, 3 violations (with --fail-on-violation), 1 failed. "
    "Without any argument the settings come as environment variables, by Model Monitor's container contract.",
)


class Format(StrEnum):
    """What records are written in."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    CAPTURES = "captures"
    MERGED = "merged"


class Side(StrEnum):
    """Which payload of captured inferences is meant."""

    INPUT = "input"
    OUTPUT = "output"
    BOTH = "both"


class ProblemType(StrEnum):
    """What a model predicts."""

    BINARY = "BinaryClassification"
    MULTICLASS = "MulticlassClassification"
    REGRESSION = "Regression"


class CategoricalDrift(StrEnum):
    """How categories are compared."""

    L_INFINITY = "LInfinity"
    CHI_SQUARED = "ChiSquared"


Source = Annotated[Path, typer.Argument(help="A file or a folder of records, plain or gzip.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The folder for the files of the result.")]
DataFormat = Annotated[Format, typer.Option("--format", help="What the records are written in.")]
Header = Annotated[bool, typer.Option(help="Whether CSV files begin with the columns' names.")]
Captured = Annotated[Side, typer.Option("--capture", help="Which payload of captures to read.")]
Statistics = Annotated[Path | None, typer.Option(help="statistics.json of the baseline.")]
Constraints = Annotated[Path | None, typer.Option(help="constraints.json of the baseline, edited or not.")]
Script = Annotated[Path | None, typer.Option(help="A Python file with preprocess_handler(inference_record).")]
Limit = Annotated[int, typer.Option(min=0, help="How many malformed records may be skipped.")]
Start = Annotated[str | None, typer.Option(help="The window's start: a time, or an offset to now like -PT3H.")]
End = Annotated[str | None, typer.Option(help="The window's end, likewise.")]
FailOnViolation = Annotated[bool, typer.Option("--fail-on-violation", help="Exit with 3 where there are violations.")]
Importance = Annotated[
    Path | None, typer.Option(help="model.txt, model.tar.gz or JSON, to rank drifted features by what matters.")
]
Categorical = Annotated[CategoricalDrift, typer.Option(help="How categories shall be compared with this baseline.")]


def _reported(command: Callable[..., int | None]) -> Callable[..., None]:
    """The command with its number of violations, if it counts them, as exit status and its errors as one line."""

    @wraps(command)
    def reported(*arguments: Any, **options: Any) -> None:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        try:
            violations = command(*arguments, **options)
        except (QualityError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(FAILED) from None
        if violations and options.get("fail_on_violation"):
            raise typer.Exit(VIOLATIONS)

    return reported


@app.command()
@_reported
def baseline(
    source: Source,
    output: Output,
    format: DataFormat = Format.CSV,
    header: Header = True,
    capture: Captured = Side.INPUT,
    categorical_drift_method: Categorical = CategoricalDrift.L_INFINITY,
    preprocessor: Script = None,
    malformed_records_limit: Limit = 100,
) -> int:
    """Make statistics and constraints of the data that later data shall be like.

    Example: python -m analyzer baseline train.csv -o baseline
    """
    return _run(
        dataset_source=source,
        dataset_format=_format(format, header, capture),
        output_path=output,
        categorical_drift_method=categorical_drift_method.value,
        record_preprocessor_script=preprocessor,
        malformed_records_limit=malformed_records_limit,
    )


@app.command()
@_reported
def check(
    source: Source,
    output: Output,
    statistics: Statistics = None,
    constraints: Constraints = None,
    format: DataFormat = Format.CSV,
    header: Header = True,
    capture: Captured = Side.INPUT,
    start: Start = None,
    end: End = None,
    importance: Importance = None,
    preprocessor: Script = None,
    malformed_records_limit: Limit = 100,
    fail_on_violation: FailOnViolation = False,
) -> int:
    """Check data against a baseline: types, completeness, columns, categories and drift.

    Example: python -m analyzer check captures/churn --format captures --start -PT1H
    --statistics baseline/statistics.json --constraints baseline/constraints.json -o check --fail-on-violation
    """
    _need_baseline(statistics, constraints)
    return _run(
        dataset_source=source,
        dataset_format=_format(format, header, capture),
        output_path=output,
        baseline_statistics=statistics,
        baseline_constraints=constraints,
        feature_importance=importance,
        record_preprocessor_script=preprocessor,
        malformed_records_limit=malformed_records_limit,
        **_window(start, end),
    )


@app.command()
@_reported
def model_quality(
    source: Source,
    output: Output,
    problem_type: Annotated[ProblemType, typer.Option(help="What the model predicts.")],
    ground_truth: Annotated[Path | None, typer.Option(help="Labels to merge with captures, by inferenceId.")] = None,
    label: Annotated[str | None, typer.Option(help="The label: a column's name, JSONPath or index.")] = None,
    inference: Annotated[str | None, typer.Option(help="The prediction, likewise.")] = None,
    probability: Annotated[str | None, typer.Option(help="The score of the positive class, likewise.")] = None,
    threshold: Annotated[float | None, typer.Option(help="The score from which a prediction is positive.")] = None,
    positive_label: Annotated[str | None, typer.Option(help="The positive class, if it is not 1.")] = None,
    statistics: Statistics = None,
    constraints: Constraints = None,
    format: DataFormat = Format.CSV,
    header: Header = True,
    start: Start = None,
    end: End = None,
    preprocessor: Script = None,
    malformed_records_limit: Limit = 100,
    fail_on_violation: FailOnViolation = False,
) -> int:
    """Measure how well predictions meet the labels, and check that against a baseline, if there is one.

    Example: python -m analyzer model-quality captures/churn --format captures --ground-truth labels
    --problem-type BinaryClassification --probability probability --constraints baseline/constraints.json -o quality
    """
    return _run(
        analysis_type="MODEL_QUALITY",
        dataset_source=source,
        dataset_format=_format(format, header, Side.OUTPUT),
        output_path=output,
        problem_type=problem_type.value,
        ground_truth_source=ground_truth,
        ground_truth_attribute=label,
        inference_attribute=inference,
        probability_attribute=probability,
        probability_threshold_attribute=threshold,
        positive_label=positive_label,
        baseline_statistics=statistics,
        baseline_constraints=constraints,
        record_preprocessor_script=preprocessor,
        malformed_records_limit=malformed_records_limit,
        **_window(start, end),
    )


@app.command()
@_reported
def merge(
    source: Annotated[Path, typer.Argument(help="A folder of partial profiles, profile-HOST.json.")],
    output: Output,
    statistics: Statistics = None,
    constraints: Constraints = None,
    importance: Importance = None,
    fail_on_violation: FailOnViolation = False,
) -> int:
    """Merge the profiles that several instances made of parts of a dataset, and check the whole.

    Example: python -m analyzer merge profiles -o check --statistics baseline/statistics.json
    """
    return _run(
        dataset_source=source,
        dataset_format={"profile": {}},
        output_path=output,
        baseline_statistics=statistics,
        baseline_constraints=constraints,
        feature_importance=importance,
    )


@app.command()
@_reported
def merge_ground_truth(
    source: Annotated[Path, typer.Argument(help="A file or folder of captured inferences.")],
    ground_truth: Annotated[Path, typer.Argument(help="A file or folder of labels.")],
    output: Output,
    start: Start = None,
    end: End = None,
    malformed_records_limit: Limit = 100,
) -> int:
    """Merge captured inferences with their labels, for model-quality --format merged.

    Example: python -m analyzer merge-ground-truth captures labels -o merged --start -P1D --end PT0S
    """
    return _run(
        dataset_source=source,
        ground_truth_source=ground_truth,
        output_path=output,
        malformed_records_limit=malformed_records_limit,
        **_window(start, end),
    )


for page in (report_commands.report, report_commands.trend):
    app.command()(_reported(page))


def _run(**variables: Any) -> int:
    """Run the container contract on the variables that are given; returns the number of violations."""
    texts = {
        name: json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in variables.items()
        if value is not None
    }
    message, violations = run(texts)
    print(message)
    return violations


def _format(format: Format, header: bool, capture: Side) -> dict[str, Any]:
    sides = {Side.INPUT: ["endpointInput"], Side.OUTPUT: ["endpointOutput"]}
    captured = {"captureIndexNames": sides.get(capture, ["endpointInput", "endpointOutput"])}
    formats: dict[Format, dict[str, Any]] = {
        Format.CSV: {"csv": {"header": header}},
        Format.JSON: {"json": {"lines": True}},
        Format.PARQUET: {"parquet": {}},
        Format.CAPTURES: {"sagemakerCaptureJson": captured},
        Format.MERGED: {"sagemakerMergeJson": captured},
    }
    return formats[format]


def _window(start: str | None, end: str | None) -> dict[str, str]:
    ends = {"start_time": start, "end_time": end}
    return {
        f"{name}_offset" if text.lstrip("+-").startswith("P") else name: text for name, text in ends.items() if text
    }


def _need_baseline(statistics: Path | None, constraints: Path | None) -> None:
    if statistics is None and constraints is None:
        raise QualityError("there is nothing to check against; give --statistics, --constraints, or both")
