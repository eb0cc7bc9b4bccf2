"""Options that the commands of `python -m analyzer` share, and the container's variables that they set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from analyzer.analysis import MODEL_QUALITY

Variables = dict[str, Any]


class Format(StrEnum):
    """File format of the records."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    CAPTURES = "captures"
    MERGED = "merged"


class CaptureKind(StrEnum):
    """Captured inferences, without or with ground truth."""

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
    schema: Annotated[
        Path | None,
        typer.Option(help="schema.json or model.tar.gz of the model, to read values as its endpoint does."),
    ] = None

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
            "model_schema": self.schema,
        }


@dataclass(frozen=True)
class WindowOptions:
    """Options for the time window of captured inferences."""

    start: Annotated[
        str | None, typer.Option(help="Start of the time window: a time, or an offset to now like -PT3H.")
    ] = None
    end: Annotated[str | None, typer.Option(help="End of the time window: a time, or an offset to now.")] = None
    include_test_requests: Annotated[
        bool, typer.Option("--include-test-requests", help="Also read requests that are marked as tests.")
    ] = False

    def variables(self) -> Variables:
        ends = {"start_time": self.start, "end_time": self.end}
        window: Variables = {"include_test_requests": "true"} if self.include_test_requests else {}
        return window | {
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
