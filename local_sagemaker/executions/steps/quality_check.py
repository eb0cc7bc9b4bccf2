"""QualityCheck step: runs Model Monitor's analyzer as a processing job and compares the data with an earlier baseline.

SkipCheck and RegisterNewBaseline are documented in "Baseline calculation, drift detection and lifecycle with
ClarifyCheck and QualityCheck steps":

| SkipCheck | RegisterNewBaseline | drift check                    | BaselineUsedForDriftCheck |
| False     | False               | against the previous baseline  | the previous baseline     |
| False     | True                | against the previous baseline  | the calculated baseline   |
| True      | False               | none                           | the previous baseline     |
| True      | True                | none                           | the calculated baseline   |

The previous baseline is the supplied one or, by default, that in the DriftCheckBaselines of the group's latest approved
model package. Without a previous baseline the step fails, except in the last row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from local_sagemaker.executions.steps.job_step import run_job
from local_sagemaker.executions.steps.processing import Processing, output_uris
from local_sagemaker.executions.steps.step_type import (
    Outcome,
    StepFailed,
    StepRun,
    StepType,
    resolved_arguments,
)
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import without_nulls
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import split_uri

# member of a model package's DriftCheckBaselines, by CheckType
BASELINES = {"DATA_QUALITY": "ModelDataQuality", "MODEL_QUALITY": "ModelQuality"}
CACHE_KEY = (
    "CheckType",
    "SkipCheck",
    "RegisterNewBaseline",
    "ModelPackageGroupName",
    "SuppliedBaselineConstraints",
    "SuppliedBaselineStatistics",
)
# arguments that do not influence the result of the check
NOT_IN_CACHE_KEY = ("RoleArn", "Tags", "ExperimentConfig", "ProcessingJobName")

STATISTICS_FOLDER = "/opt/ml/processing/baseline/stats"
CONSTRAINTS_FOLDER = "/opt/ml/processing/baseline/constraints"


@dataclass(frozen=True)
class Baseline:
    """S3 URIs of a statistics.json and a constraints.json."""

    statistics: str
    constraints: str


class QualityCheck(StepType):
    operation = Processing.operation
    image_argument = Processing.image_argument
    job_kind = Processing.job_kind

    def run(self, run: StepRun) -> Outcome:
        settings = run.resolve({name: run.step.settings.get(name) for name in (*CACHE_KEY, "FailOnViolation")})
        skip, register_new = _is_true(settings["SkipCheck"]), _is_true(settings["RegisterNewBaseline"])
        metadata = {
            "CheckType": settings["CheckType"],
            "ModelPackageGroupName": settings["ModelPackageGroupName"],
            "SkipCheck": skip,
            "RegisterNewBaseline": register_new,
        }
        run.set_metadata(_metadata(metadata))
        previous = None if skip and register_new else _previous_baseline(run, settings)
        arguments = resolved_arguments(run)
        if previous is not None and not skip:
            arguments = _with_baseline(arguments, previous)
        description = run_job(run, "ProcessingJob", arguments, lambda arn: _metadata(metadata | {"CheckJobArn": arn}))
        folder = output_uris(description)[0].rstrip("/")
        calculated = Baseline(f"{folder}/statistics.json", f"{folder}/constraints.json")
        used = calculated if previous is None or register_new else previous
        properties = {
            "CalculatedBaselineStatistics": calculated.statistics,
            "CalculatedBaselineConstraints": calculated.constraints,
            "BaselineUsedForDriftCheckStatistics": used.statistics,
            "BaselineUsedForDriftCheckConstraints": used.constraints,
        }
        metadata |= properties | {"CheckJobArn": description["ProcessingJobArn"]}
        report = None if skip else _violation_report(run, f"{folder}/constraint_violations.json")
        if report is not None:
            metadata["ViolationReport"] = report
        run.set_metadata(_metadata(metadata))
        # null means the default, which is to fail
        if report is not None and _is_true(settings["FailOnViolation"], default=True):
            raise StepFailed(f"ClientError: Quality check failed. See violation report: {report}")
        return Outcome(properties, [calculated.statistics, calculated.constraints])

    def cache_key(self, run: StepRun) -> Record | None:
        arguments = {name: value for name, value in run.step.arguments.items() if name not in NOT_IN_CACHE_KEY}
        settings = {name: run.step.settings.get(name) for name in CACHE_KEY}
        resolved = run.resolve({"Arguments": arguments, **settings})
        return dict(without_nulls(resolved))


def _is_true(value: Any, default: bool = False) -> bool:
    return default if value is None else str(value).lower() == "true"


def _metadata(members: Record) -> Record:
    return {"QualityCheck": without_nulls(members)}


def _previous_baseline(run: StepRun, settings: Record) -> Baseline:
    """Return the supplied or registered baseline.

    Raises:
        StepFailed: There is neither.
    """
    supplied = [settings[f"SuppliedBaseline{part}"] or None for part in ("Statistics", "Constraints")]
    registered = [None, None] if all(supplied) else _registered_baseline(run, settings)
    statistics, constraints = (given or latest for given, latest in zip(supplied, registered, strict=True))
    if statistics is None or constraints is None:
        group = settings["ModelPackageGroupName"]
        why = f"no approved model package in group {group!r} has one" if group else "ModelPackageGroupName is not set"
        raise StepFailed(
            f"ClientError: No previous baseline of {settings['CheckType']} is available: none is supplied, and {why}; "
            "set SkipCheck and RegisterNewBaseline to true for the first run"
        )
    return Baseline(statistics, constraints)


def _registered_baseline(run: StepRun, settings: Record) -> list[str | None]:
    """Return the statistics and constraints of the latest approved model package, None for a missing one."""
    query = {
        "ModelPackageGroupName": settings["ModelPackageGroupName"],
        "ModelApprovalStatus": "Approved",
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": 1,
    }
    try:
        found = run.call("ListModelPackages", query)["ModelPackageSummaryList"]
    except ServiceError:
        # the group does not exist yet
        found = []
    if not settings["ModelPackageGroupName"] or not found:
        return [None, None]
    package = run.call("DescribeModelPackage", {"ModelPackageName": found[0]["ModelPackageArn"]})
    files = package.get("DriftCheckBaselines", {}).get(BASELINES[settings["CheckType"]], {})
    return [files.get(part, {}).get("S3Uri") for part in ("Statistics", "Constraints")]


def _with_baseline(arguments: Record, baseline: Baseline) -> Record:
    """Add the baseline to the inputs and the environment of the analyzer's job."""
    files = {
        "baseline_statistics": (STATISTICS_FOLDER, baseline.statistics),
        "baseline_constraints": (CONSTRAINTS_FOLDER, baseline.constraints),
    }
    inputs = [
        {
            "InputName": name,
            "S3Input": {"S3Uri": uri, "LocalPath": folder, "S3DataType": "S3Prefix", "S3InputMode": "File"},
        }
        for name, (folder, uri) in files.items()
    ]
    environment = {name: f"{folder}/{uri.rpartition('/')[2]}" for name, (folder, uri) in files.items()}
    return {
        **arguments,
        "ProcessingInputs": [*arguments.get("ProcessingInputs", []), *inputs],
        "Environment": {**arguments.get("Environment", {}), **environment},
    }


def _violation_report(run: StepRun, uri: str) -> str | None:
    """Return the URI of the job's violation report, or None if it lists no violations.

    Raises:
        StepFailed: The report is missing or unreadable.
    """
    try:
        violations = json.loads(run.objects.read(*split_uri(uri)))["violations"]
    except KeyError as error:
        raise StepFailed(f"ClientError: The check has not written a valid report to {uri}: {error}") from error
    except (ValueError, TypeError) as error:
        raise StepFailed(f"ClientError: The violation report {uri} is not JSON: {error}") from error
    return uri if violations else None
