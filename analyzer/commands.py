"""The analyzer's command line: every command sets variables of the container contract, with the same result."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from analyzer import QualityError
from analyzer.analysis import MODEL_QUALITY
from analyzer.container import FAILED, VIOLATIONS, run
from analyzer.reports import commands as report_commands

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

Variables = dict[str, Any]


class Format(StrEnum):
    """File format of the records."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    CAPTURES = "captures"
    MERGED = "merged"


class Payload(StrEnum):
    """Payload of captured inferences."""

    INPUT = "input"
    OUTPUT = "output"
    BOTH = "both"


class ProblemType(StrEnum):
    """Problem type of a model."""

    BINARY = "BinaryClassification"
    MULTICLASS = "MulticlassClassification"
    REGRESSION = "Regression"


class CategoricalDrift(StrEnum):
    """Drift measure for categories."""

    L_INFINITY = "LInfinity"
    CHI_SQUARED = "ChiSquared"


Source = Annotated[Path, typer.Argument(help="File or folder of records, plain or gzip.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the result files.")]
CapturedPayload = Annotated[Payload, typer.Option("--capture", help="Payload to read from captures.")]
Limit = Annotated[int, typer.Option(min=0, help="Number of malformed records that may be skipped.")]
Importance = Annotated[
    Path | None,
    typer.Option(help="model.txt, model.tar.gz or JSON file, to rank drifted features by their importance."),
]
FailOnViolation = Annotated[
    bool, typer.Option("--fail-on-violation", help="Exit with status 3 if there are violations.")
]


@dataclass(frozen=True)
class RecordOptions:
    """Options on how to read the records."""

    format: Annotated[Format, typer.Option("--format", help="File format of the records.")] = Format.CSV
    header: Annotated[bool, typer.Option(help="Whether CSV files have a header row.")] = True
    preprocessor: Annotated[
        Path | None, typer.Option(help="Python file that defines preprocess_handler(inference_record).")
    ] = None
    malformed_records_limit: Limit = 100

    def variables(self, payload: Payload) -> Variables:
        sides = {Payload.INPUT: ["endpointInput"], Payload.OUTPUT: ["endpointOutput"]}
        captured = {"captureIndexNames": sides.get(payload, ["endpointInput", "endpointOutput"])}
        formats: dict[Format, dict[str, Any]] = {
            Format.CSV: {"csv": {"header": self.header}},
            Format.JSON: {"json": {"lines": True}},
            Format.PARQUET: {"parquet": {}},
            Format.CAPTURES: {"sagemakerCaptureJson": captured},
            Format.MERGED: {"sagemakerMergeJson": captured},
        }
        return {
            "dataset_format": json.dumps(formats[self.format]),
            "record_preprocessor_script": self.preprocessor,
            "malformed_records_limit": self.malformed_records_limit,
        }


@dataclass(frozen=True)
class WindowOptions:
    """Options for the time window of captured inferences."""

    start: Annotated[
        str | None, typer.Option(help="Start of the time window: a time, or an offset to now like -PT3H.")
    ] = None
    end: Annotated[str | None, typer.Option(help="End of the time window: a time, or an offset to now.")] = None

    def variables(self) -> Variables:
        ends = {"start_time": self.start, "end_time": self.end}
        return {
            f"{name}_offset" if text.lstrip("+-").startswith("P") else name: text for name, text in ends.items() if text
        }


@dataclass(frozen=True)
class BaselineOptions:
    """Options for the baseline to check against."""

    statistics: Annotated[Path | None, typer.Option(help="statistics.json of the baseline.")] = None
    constraints: Annotated[Path | None, typer.Option(help="constraints.json of the baseline, possibly edited.")] = None

    def variables(self) -> Variables:
        return {"baseline_statistics": self.statistics, "baseline_constraints": self.constraints}


@dataclass(frozen=True)
class ModelOptions:
    """Options for the model and the columns of its labels and predictions."""

    problem_type: Annotated[ProblemType, typer.Option(help="Problem type of the model.")]
    ground_truth: Annotated[
        Path | None, typer.Option(help="File or folder of labels to merge with captures by inference id.")
    ] = None
    label: Annotated[str | None, typer.Option(help="Column of the labels: a name, JSONPath or index.")] = None
    inference: Annotated[str | None, typer.Option(help="Column of the predictions.")] = None
    probability: Annotated[str | None, typer.Option(help="Column of the positive class's scores.")] = None
    threshold: Annotated[float | None, typer.Option(help="Lowest score of a positive prediction.")] = None
    positive_label: Annotated[str | None, typer.Option(help="Label of the positive class, if it is not 1.")] = None

    def variables(self) -> Variables:
        return {
            "analysis_type": MODEL_QUALITY,
            "problem_type": self.problem_type.value,
            "ground_truth_source": self.ground_truth,
            "ground_truth_attribute": self.label,
            "inference_attribute": self.inference,
            "probability_attribute": self.probability,
            "probability_threshold_attribute": self.threshold,
            "positive_label": self.positive_label,
        }


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


_command(report_commands.report)
_command(report_commands.trend)


def _run(variables: Variables, **more: Any) -> int:
    """Run the analyzer on the variables that are set, print its message and return the number of violations."""
    environment = {name: str(value) for name, value in (variables | more).items() if value is not None}
    message, violations = run(environment)
    print(message)
    return violations
