"""The results of an execution: test metrics, model package, baselines and outputs, read from what its steps wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.runner import PipelineExecution, Step, describe_job
from project.registry import ModelPackage, describe_package
from project.s3_uris import split_s3_uri
from project.settings import METRICS, Settings
from project.target import Target

BASELINE_STEPS = ("DataQualityBaseline", "ModelQualityBaseline")
# steps of the batch-inference and the monitoring pipeline
OUTPUT_STEPS = ("Transform", "CheckDataQuality", "Monitor")


@dataclass(frozen=True)
class ExecutionResults:
    """The results of an execution, empty where the execution has not produced them.

    Attributes:
        metrics: Values by Model Monitor's names.
        threshold: The threshold of the quality metric in this execution.
        baselines: S3 prefixes by step.
        outputs: S3 prefixes by step, of the pipelines that do not train.
    """

    metrics: Mapping[str, float]
    threshold: float
    report_uri: str
    package: ModelPackage | None
    baselines: Mapping[str, str]
    outputs: Mapping[str, str]


def read_results(settings: Settings, target: Target, execution: PipelineExecution) -> ExecutionResults:
    evaluate = execution.step("Evaluate")
    metrics: dict[str, float] = {}
    report_uri = ""
    if evaluate and evaluate.status == "Succeeded":
        outputs = processing_outputs(evaluate, target)
        evaluation = _read_json(f"{outputs['evaluation']}/evaluation.json", target)
        section = next(value for key, value in evaluation.items() if key.endswith("_metrics"))
        metrics = {name: section[name]["value"] for name in METRICS[settings.problem_type]}
        report_uri = f"{outputs['report']}/report.html"
    register = execution.step("RegisterModel")
    arn = ((register.metadata or {}).get("RegisterModel", {}).get("Arn", "")) if register else ""
    return ExecutionResults(
        metrics=metrics,
        threshold=_threshold(settings, target, execution),
        report_uri=report_uri,
        package=describe_package(arn, target) if arn else None,
        baselines={
            step.name: processing_outputs(step, target)["quality_check_output"]
            for step in execution.steps
            if step.status == "Succeeded" and step.name in BASELINE_STEPS
        },
        outputs={
            step.name: _output(step, target)
            for step in execution.steps
            if step.status == "Succeeded" and step.name in OUTPUT_STEPS
        },
    )


def _output(step: Step, target: Target) -> str:
    """Return the S3 prefix of the main output of a step."""
    job = describe_job(target, step)
    if "TransformOutput" in job:
        return str(job["TransformOutput"]["S3OutputPath"])
    return str(job["ProcessingOutputConfig"]["Outputs"][-1]["S3Output"]["S3Uri"])


def _threshold(settings: Settings, target: Target, execution: PipelineExecution) -> float:
    """Return the threshold of the execution: its parameter, by default the one of the settings."""
    pages = target.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
        PipelineExecutionArn=execution.arn
    )
    values = {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}
    return float(values.get("MetricThreshold", settings.quality.threshold))


def processing_outputs(step: Step, target: Target) -> dict[str, str]:
    """Return the S3 URIs of a processing step's outputs by name."""
    outputs: list[dict[str, Any]] = describe_job(target, step)["ProcessingOutputConfig"]["Outputs"]
    return {output["OutputName"]: output["S3Output"]["S3Uri"] for output in outputs}


def _read_json(uri: str, target: Target) -> dict[str, Any]:
    bucket, key = split_s3_uri(uri)
    body: dict[str, Any] = json.load(target.s3.get_object(Bucket=bucket, Key=key)["Body"])
    return body
