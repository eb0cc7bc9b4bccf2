"""The results of an execution: test metrics, model package, baselines and outputs, read from what its steps wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from pipelines.mlflow_runs import TrackedRun
from pipelines.runner import PipelineExecution, Step, describe, describe_job, execution_parameters
from project.errors import UserError
from project.registry import ModelPackage, describe_package
from project.s3_uris import split_s3_uri
from project.settings import METRICS, Settings
from project.target import Target

BASELINE_STEPS = ("DataQualityBaseline", "ModelQualityBaseline", "DataBias", "ModelBias", "Explainability")
# steps of the batch-inference and the monitoring pipeline
OUTPUT_STEPS = ("Transform", "CheckDataQuality", "Monitor")


@dataclass(frozen=True)
class DataWarning:
    """A warning of Preprocess about the data, with the check that it comes from."""

    check: str
    message: str


@dataclass(frozen=True)
class BestTrial:
    """The trial of a tuning job that trained the model.

    Attributes:
        tuning_job: The name of the tuning job.
        trials: The number of its trials.
        objective: The name of the objective metric.
        value: Its value.
        hyperparameters: The tuned hyperparameters.
    """

    tuning_job: str
    training_job: str
    trials: int
    objective: str
    value: float
    hyperparameters: Mapping[str, str]


@dataclass(frozen=True)
class ExecutionResults:
    """The results of an execution, empty where the execution has not produced them.

    Attributes:
        metrics: Values by Model Monitor's names.
        threshold: The threshold of the quality metric in this execution.
        gates: The gates as summary.json has them: metric, threshold, on, direction, value, lower, upper and passed.
        verdict: Whether the model reaches all that is required, under `passed`, and the `sentence` that says so.
        remarks: What could mislead a reader of the evaluation.
        warnings: What Preprocess warns of about the data.
        validation_uri: S3 URI of Preprocess's report of all checks of the data.
        package: The model package of the model.
        registered: Whether this execution registered the package; else the package has had the same model before.
        baselines: S3 prefixes by step.
        outputs: S3 prefixes by step, of the pipelines that do not train.
        best_trial: The best trial; None if the model was not tuned.
        tracked: The MLflow run, or why there is none; None without tracking.
    """

    metrics: Mapping[str, float]
    threshold: float
    gates: tuple[Mapping[str, Any], ...]
    verdict: Mapping[str, Any]
    remarks: tuple[str, ...]
    report_uri: str
    warnings: tuple[DataWarning, ...]
    validation_uri: str
    package: ModelPackage | None
    registered: bool
    baselines: Mapping[str, str]
    outputs: Mapping[str, str]
    best_trial: BestTrial | None
    tracked: TrackedRun | None


def read_results(settings: Settings, target: Target, execution: PipelineExecution) -> ExecutionResults:
    evaluate = execution.step("Evaluate")
    metrics: dict[str, float] = {}
    gates: tuple[Mapping[str, Any], ...] = ()
    verdict: dict[str, Any] = {}
    remarks: tuple[str, ...] = ()
    report_uri = ""
    if evaluate and evaluate.status == "Succeeded":
        outputs = processing_outputs(evaluate, target)
        evaluation = _read_json(f"{outputs['evaluation']}/evaluation.json", target)
        section = next(value for key, value in evaluation.items() if key.endswith("_metrics"))
        metrics = {name: section[name]["value"] for name in METRICS[settings.problem_type]}
        summary = _read_json(f"{outputs['evaluation']}/summary.json", target)
        gates, verdict, remarks = tuple(summary["gates"]), summary["verdict"], tuple(summary["remarks"])
        report_uri = f"{outputs['report']}/report.html"
    warnings, validation_uri = _data_warnings(target, execution)
    register = execution.step("RegisterModel")
    arn = ((register.metadata or {}).get("RegisterModel", {}).get("Arn", "")) if register else ""
    registered = bool(arn)
    if execution.status == "Succeeded" and not registered:
        arn = _found_package(target, execution)
    return ExecutionResults(
        metrics=metrics,
        threshold=_threshold(settings, target, execution),
        gates=gates,
        verdict=verdict,
        remarks=remarks,
        report_uri=report_uri,
        warnings=warnings,
        validation_uri=validation_uri,
        package=describe_package(arn, target) if arn else None,
        registered=registered,
        baselines={
            step.name: _output(step, target)
            for step in execution.steps
            if step.status == "Succeeded" and step.name in BASELINE_STEPS
        },
        outputs={
            step.name: _output(step, target)
            for step in execution.steps
            if step.status == "Succeeded" and step.name in OUTPUT_STEPS
        },
        best_trial=_best_trial(target, execution),
        tracked=tracked_run(target, execution),
    )


def report_uri(target: Target, execution: PipelineExecution) -> str:
    """Return the S3 URI of the evaluation report.

    Raises:
        UserError: The execution has evaluated no model.
    """
    evaluate = execution.step("Evaluate")
    if evaluate is None or evaluate.status != "Succeeded":
        raise UserError(
            f"execution {execution.arn} has no evaluation report; see its steps with `python -m pipelines status`"
        )
    return f"{processing_outputs(evaluate, target)['report']}/report.html"


def download(target: Target, uri: str, path: Path) -> Path:
    """Download an S3 object to a path, and return the path."""
    bucket, key = split_s3_uri(uri)
    temporary_path = path.with_name(f".{path.name}")
    target.s3.download_file(bucket, key, str(temporary_path))
    return temporary_path.replace(path)


def tracked_run(target: Target, execution: PipelineExecution) -> TrackedRun | None:
    """Return the MLflow run of an execution, or why there is none; None if Track has not run."""
    step = execution.step("Track")
    if step is None or step.status != "Succeeded":
        return None
    return TrackedRun.from_json(_read_json(f"{processing_outputs(step, target)['run']}/run.json", target))


def _data_warnings(target: Target, execution: PipelineExecution) -> tuple[tuple[DataWarning, ...], str]:
    """Return the warnings of Preprocess about the data, and the S3 URI of its report."""
    preprocess = execution.step("Preprocess")
    if preprocess is None or preprocess.status != "Succeeded":
        return (), ""
    uri = f"{processing_outputs(preprocess, target)['report']}/validation_report.json"
    checks = _read_json(uri, target)["checks"]
    failed = [check for check in checks if check["severity"] == "warning" and check["status"] == "failed"]
    return tuple(DataWarning(check["name"], message) for check in failed for message in check["messages"]), uri


def _found_package(target: Target, execution: PipelineExecution) -> str:
    """Return the ARN of the model package that FindModelPackage has found, or an empty string."""
    step = execution.step("FindModelPackage")
    if step is None:
        return ""
    return str(_read_json(f"{processing_outputs(step, target)['package']}/model_package.json", target)["arn"])


def _best_trial(target: Target, execution: PipelineExecution) -> BestTrial | None:
    step = execution.step("Tune")
    if step is None or step.status != "Succeeded":
        return None
    job = describe_job(target, step)
    best = job["BestTrainingJob"]
    objective = best["FinalHyperParameterTuningJobObjectiveMetric"]
    return BestTrial(
        tuning_job=job["HyperParameterTuningJobName"],
        training_job=best["TrainingJobName"],
        trials=sum(job["TrainingJobStatusCounters"].values()),
        objective=objective["MetricName"],
        value=objective["Value"],
        hyperparameters=best["TunedHyperParameters"],
    )


def _output(step: Step, target: Target) -> str:
    """Return the S3 prefix of the main output of a step."""
    job = describe_job(target, step)
    if "TransformOutput" in job:
        return str(job["TransformOutput"]["S3OutputPath"])
    return str(job["ProcessingOutputConfig"]["Outputs"][-1]["S3Output"]["S3Uri"])


def _threshold(settings: Settings, target: Target, execution: PipelineExecution) -> float:
    """Return the threshold of the execution: its parameter, by default the one of the settings."""
    values = execution_parameters(target, execution.arn)
    return float(values.get("MetricThreshold", settings.quality.threshold))


def processing_outputs(step: Step, target: Target) -> dict[str, str]:
    """Return the S3 URIs of a processing step's outputs by name."""
    outputs: list[dict[str, Any]] = describe_job(target, step)["ProcessingOutputConfig"]["Outputs"]
    return {output["OutputName"]: output["S3Output"]["S3Uri"] for output in outputs}


def registered_outputs(target: Target, package: ModelPackage, step_name: str) -> dict[str, str]:
    """Return the S3 URIs of a processing step's outputs in the execution that registered a package.

    They are empty if that execution or its job is not known any more.
    """
    try:
        step = describe(target, package.metadata["pipeline_execution_arn"]).step(step_name)
        return processing_outputs(step, target) if step else {}
    except (ClientError, KeyError):
        return {}


def _read_json(uri: str, target: Target) -> dict[str, Any]:
    bucket, key = split_s3_uri(uri)
    body: dict[str, Any] = json.load(target.s3.get_object(Bucket=bucket, Key=key)["Body"])
    return body
