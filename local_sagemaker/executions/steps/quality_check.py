"""QualityCheck: Model Monitor's analyzer as a processing job, its result compared with an earlier baseline.

What the switches mean is documented in "Baseline calculation, drift detection and lifecycle with ClarifyCheck and
QualityCheck steps":

| SkipCheck | RegisterNewBaseline | the check             | BaselineUsedForDriftCheck |
| False     | False               | against the previous  | the previous baseline     |
| False     | True                | against the previous  | the calculated baseline   |
| True      | False               | none                  | the previous baseline     |
| True      | True                | none                  | the calculated baseline   |

The previous baseline is the supplied one, else the DriftCheckBaselines of the group's latest approved package. Only in
the last row may there be none: the step fails in the others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from local_sagemaker.executions.steps.job_step import run_job
from local_sagemaker.executions.steps.processing import outputs_of
from local_sagemaker.executions.steps.step_type import Outcome, StepFailed, StepRun, StepType, without_nulls
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import split_uri

# where a model package keeps the baseline of a check, by CheckType
BASELINES = {"DATA_QUALITY": "ModelDataQuality", "MODEL_QUALITY": "ModelQuality"}
CACHE_KEY = (
    "CheckType",
    "SkipCheck",
    "RegisterNewBaseline",
    "ModelPackageGroupName",
    "SuppliedBaselineConstraints",
    "SuppliedBaselineStatistics",
)
# who runs the check and what for is not what it comes to
NOT_IN_CACHE_KEY = ("RoleArn", "Tags", "ExperimentConfig", "ProcessingJobName")

STATISTICS_FOLDER = "/opt/ml/processing/baseline/stats"
CONSTRAINTS_FOLDER = "/opt/ml/processing/baseline/constraints"


@dataclass(frozen=True)
class Baseline:
    """S3 URIs of a statistics.json and a constraints.json."""

    statistics: str
    constraints: str


class QualityCheck(StepType):
    def run(self, run: StepRun) -> Outcome:
        settings = run.resolve({name: run.step.settings.get(name) for name in (*CACHE_KEY, "FailOnViolation")})
        skip, renew = _is_true(settings["SkipCheck"]), _is_true(settings["RegisterNewBaseline"])
        metadata = {
            "CheckType": settings["CheckType"],
            "ModelPackageGroupName": settings["ModelPackageGroupName"],
            "SkipCheck": skip,
            "RegisterNewBaseline": renew,
        }
        run.report(_shown(metadata))
        previous = None if skip and renew else _previous(run, settings)
        arguments = without_nulls(run.resolve(run.step.arguments))
        if previous is not None and not skip:
            arguments = _compared_with(previous, arguments)
        description = run_job(run, "ProcessingJob", arguments, lambda arn: _shown(metadata | {"CheckJobArn": arn}))
        folder = outputs_of(description)[0].rstrip("/")
        calculated = Baseline(f"{folder}/statistics.json", f"{folder}/constraints.json")
        used = calculated if previous is None or renew else previous
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
        run.report(_shown(metadata))
        # null stands for the default, which is to fail
        if report is not None and _is_true(settings["FailOnViolation"], default=True):
            raise StepFailed(f"ClientError: Quality check failed. See violation report: {report}")
        return Outcome(properties, [calculated.statistics, calculated.constraints])

    def cache_key(self, run: StepRun) -> Record | None:
        arguments = {name: value for name, value in run.step.arguments.items() if name not in NOT_IN_CACHE_KEY}
        settings = {name: run.step.settings.get(name) for name in CACHE_KEY}
        resolved = run.resolve({"Arguments": arguments, **settings})
        return dict(without_nulls(resolved))


def _is_true(switch: Any, default: bool = False) -> bool:
    return default if switch is None else str(switch).lower() == "true"


def _shown(metadata: Record) -> Record:
    return {"QualityCheck": without_nulls(metadata)}


def _previous(run: StepRun, settings: Record) -> Baseline:
    """The baseline to compare with or to carry over. Raises StepFailed where there is none."""
    supplied = [settings[f"SuppliedBaseline{part}"] or None for part in ("Statistics", "Constraints")]
    registered = [None, None] if all(supplied) else _registered(run, settings)
    statistics, constraints = (one or other for one, other in zip(supplied, registered, strict=True))
    if statistics is None or constraints is None:
        group = settings["ModelPackageGroupName"]
        why = f"no approved model package in group {group!r} has one" if group else "no ModelPackageGroupName is given"
        raise StepFailed(
            f"ClientError: No previous baseline of {settings['CheckType']} is available: none is supplied, and {why}; "
            "set SkipCheck and RegisterNewBaseline to true for the first run"
        )
    return Baseline(statistics, constraints)


def _registered(run: StepRun, settings: Record) -> list[str | None]:
    """The baseline of the group's latest approved model package, None for what it has not."""
    query = {
        "ModelPackageGroupName": settings["ModelPackageGroupName"],
        "ModelApprovalStatus": "Approved",
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": 1,
    }
    try:
        found = run.call("ListModelPackages", query)["ModelPackageSummaryList"]
    except ServiceError:  # there is no such group yet
        found = []
    if not settings["ModelPackageGroupName"] or not found:
        return [None, None]
    package = run.call("DescribeModelPackage", {"ModelPackageName": found[0]["ModelPackageArn"]})
    files = package.get("DriftCheckBaselines", {}).get(BASELINES[settings["CheckType"]], {})
    return [files.get(part, {}).get("S3Uri") for part in ("Statistics", "Constraints")]


def _compared_with(baseline: Baseline, arguments: Record) -> Record:
    """The request of the analyzer's job with a baseline to check against."""
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
    """The URI of the job's violation report, None where it has found none. Raises StepFailed for one of no use."""
    try:
        violations = json.loads(run.objects.read(*split_uri(uri)))["violations"]
    except KeyError as error:
        raise StepFailed(f"ClientError: The check left no usable report at {uri}: {error}") from error
    except (ValueError, TypeError) as error:
        raise StepFailed(f"ClientError: The violation report {uri} is not JSON: {error}") from error
    return uri if violations else None
