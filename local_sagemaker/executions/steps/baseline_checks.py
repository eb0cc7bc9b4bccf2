"""QualityCheck and ClarifyCheck steps: run a processing job and compare its result with an earlier baseline.

QualityCheck runs Model Monitor's analyzer, whose baseline is a statistics.json and a constraints.json. ClarifyCheck
runs Clarify, whose baseline is an analysis.json. SkipCheck and RegisterNewBaseline are documented in "Baseline
calculation, drift detection and lifecycle with ClarifyCheck and QualityCheck steps":

| SkipCheck | RegisterNewBaseline | drift check                    | BaselineUsedForDriftCheck |
| False     | False               | against the previous baseline  | the previous baseline     |
| False     | True                | against the previous baseline  | the calculated baseline   |
| True      | False               | none                           | the previous baseline     |
| True      | True                | none                           | the calculated baseline   |

The previous baseline is the supplied one or, by default, that in the DriftCheckBaselines of the group's latest approved
model package. Without a previous baseline the step fails, except in the last row.

AWS does not document how a ClarifyCheck step passes the baseline and its ModelName, which the SDK removes from the
analysis configuration, to its job. It is assumed to set the environment variables baseline_constraints, as Model
Monitor does, and model_name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

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
from local_sagemaker.storage.record_kinds import member
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import split_uri

# where the job finds each file of the previous baseline
FOLDERS = {"Statistics": "/opt/ml/processing/baseline/stats", "Constraints": "/opt/ml/processing/baseline/constraints"}
# arguments that do not influence the result of the check
NOT_IN_CACHE_KEY = ("RoleArn", "Tags", "ExperimentConfig", "ProcessingJobName")

# S3 URIs of a baseline's files, by part: Statistics and Constraints
Baseline = dict[str, str]


class BaselineCheck(StepType):
    """A step that compares the result of a processing job with an earlier baseline.

    Attributes:
        name: The type of the step, which its Metadata and messages have.
        files: The files of a baseline in the output of the job, by part.
        registered: Paths of these files in a model package's DriftCheckBaselines, by CheckType and part.
    """

    name: ClassVar[str]
    files: ClassVar[Mapping[str, str]]
    registered: ClassVar[Mapping[str, Mapping[str, str]]]

    operation = Processing.operation
    image_argument = Processing.image_argument
    job_kind = Processing.job_kind

    def run(self, run: StepRun) -> Outcome:
        settings = run.resolve({name: run.step.settings.get(name) for name in (*self._cache_key, "FailOnViolation")})
        skip, register_new = _is_true(settings["SkipCheck"]), _is_true(settings["RegisterNewBaseline"])
        metadata = {
            "CheckType": settings["CheckType"],
            "ModelPackageGroupName": settings["ModelPackageGroupName"],
            "SkipCheck": skip,
            "RegisterNewBaseline": register_new,
        }
        run.set_metadata(self._metadata(metadata))
        previous = None if skip and register_new else self._previous_baseline(run, settings)
        arguments = resolved_arguments(run)
        if settings["ModelName"]:
            arguments = _with_environment(arguments, {"model_name": settings["ModelName"]})
        if previous is not None and not skip:
            arguments = _with_baseline(arguments, previous)
        description = run_job(
            run, "ProcessingJob", arguments, lambda arn: self._metadata(metadata | {"CheckJobArn": arn})
        )
        folder = output_uris(description)[0].rstrip("/")
        calculated = {part: f"{folder}/{name}" for part, name in self.files.items()}
        used = calculated if previous is None or register_new else previous
        properties = {
            **{f"CalculatedBaseline{part}": uri for part, uri in calculated.items()},
            **{f"BaselineUsedForDriftCheck{part}": uri for part, uri in used.items()},
        }
        metadata |= properties | {"CheckJobArn": description["ProcessingJobArn"]}
        report = None if skip else _violation_report(run, f"{folder}/constraint_violations.json")
        if report is not None:
            metadata["ViolationReport"] = report
        run.set_metadata(self._metadata(metadata))
        # null means the default, which is to fail
        if report is not None and _is_true(settings["FailOnViolation"], default=True):
            noun = self.name.removesuffix("Check")
            raise StepFailed(f"ClientError: {noun} check failed. See violation report: {report}")
        return Outcome(properties, list(calculated.values()))

    def cache_key(self, run: StepRun) -> Record | None:
        arguments = {name: value for name, value in run.step.arguments.items() if name not in NOT_IN_CACHE_KEY}
        settings = {name: run.step.settings.get(name) for name in self._cache_key}
        resolved = run.resolve({"Arguments": arguments, **settings})
        return dict(without_nulls(resolved))

    @property
    def _cache_key(self) -> tuple[str, ...]:
        supplied = (f"SuppliedBaseline{part}" for part in self.files)
        return ("CheckType", "SkipCheck", "RegisterNewBaseline", "ModelPackageGroupName", "ModelName", *supplied)

    def _metadata(self, members: Record) -> Record:
        return {self.name: without_nulls(members)}

    def _previous_baseline(self, run: StepRun, settings: Record) -> Baseline:
        """Return the supplied or registered baseline.

        Raises:
            StepFailed: There is neither.
        """
        baseline = {part: settings[f"SuppliedBaseline{part}"] or None for part in self.files}
        if None in baseline.values():
            registered = self._registered_baseline(run, settings)
            baseline = {part: uri or registered.get(part) for part, uri in baseline.items()}
        found = {part: uri for part, uri in baseline.items() if uri is not None}
        if len(found) < len(self.files):
            group = settings["ModelPackageGroupName"]
            why = (
                f"no approved model package in group {group!r} has one" if group else "ModelPackageGroupName is not set"
            )
            raise StepFailed(
                f"ClientError: No previous baseline of {settings['CheckType']} is available: none is supplied, and "
                f"{why}; set SkipCheck and RegisterNewBaseline to true for the first run"
            )
        return found

    def _registered_baseline(self, run: StepRun, settings: Record) -> dict[str, str | None]:
        """Return the files of the latest approved model package, None for a missing one."""
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
            return {}
        package = run.call("DescribeModelPackage", {"ModelPackageName": found[0]["ModelPackageArn"]})
        paths = self.registered.get(settings["CheckType"], {})
        return {part: member(package, f"DriftCheckBaselines.{path}.S3Uri") for part, path in paths.items()}


class QualityCheck(BaselineCheck):
    name = "QualityCheck"
    files: ClassVar = {"Statistics": "statistics.json", "Constraints": "constraints.json"}
    registered: ClassVar = {
        "DATA_QUALITY": {"Statistics": "ModelDataQuality.Statistics", "Constraints": "ModelDataQuality.Constraints"},
        "MODEL_QUALITY": {"Statistics": "ModelQuality.Statistics", "Constraints": "ModelQuality.Constraints"},
    }


class ClarifyCheck(BaselineCheck):
    name = "ClarifyCheck"
    files: ClassVar = {"Constraints": "analysis.json"}
    registered: ClassVar = {
        "DATA_BIAS": {"Constraints": "Bias.PreTrainingConstraints"},
        "MODEL_BIAS": {"Constraints": "Bias.PostTrainingConstraints"},
        "MODEL_EXPLAINABILITY": {"Constraints": "Explainability.Constraints"},
    }


def _is_true(value: Any, default: bool = False) -> bool:
    return default if value is None else str(value).lower() == "true"


def _with_baseline(arguments: Record, baseline: Baseline) -> Record:
    """Add the baseline to the inputs and the environment of the job."""
    inputs = [
        {
            "InputName": f"baseline_{part.lower()}",
            "S3Input": {"S3Uri": uri, "LocalPath": FOLDERS[part], "S3DataType": "S3Prefix", "S3InputMode": "File"},
        }
        for part, uri in baseline.items()
    ]
    files = {f"baseline_{part.lower()}": f"{FOLDERS[part]}/{uri.rpartition('/')[2]}" for part, uri in baseline.items()}
    arguments = _with_environment(arguments, files)
    return {**arguments, "ProcessingInputs": [*arguments.get("ProcessingInputs", []), *inputs]}


def _with_environment(arguments: Record, variables: Mapping[str, str]) -> Record:
    return {**arguments, "Environment": {**arguments.get("Environment", {}), **variables}}


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
