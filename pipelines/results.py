"""What an execution has made: test metrics, the registered package, the baselines, from where the steps left them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.runner import Execution, Step, describe_job
from project.registry import ModelPackage, describe_package
from project.s3_uris import split_s3_uri
from project.settings import METRICS, Settings
from project.target import Target

BASELINE_STEPS = ("DataQualityBaseline", "ModelQualityBaseline")
# of the batch-inference and the monitoring pipeline
OTHER_STEPS = ("Transform", "CheckDataQuality", "Monitor")


@dataclass(frozen=True)
class Results:
    """What an execution of the training pipeline has made, or of another one.

    metrics: value by Model Monitor's name. outputs: of other pipelines' steps, S3 URIs by step. Everything is empty
    that the execution has not got to.
    """

    metrics: Mapping[str, float]
    threshold: float
    report_uri: str
    package: ModelPackage | None
    baselines: Mapping[str, str]
    outputs: Mapping[str, str]


def read_results(settings: Settings, target: Target, execution: Execution) -> Results:
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
    return Results(
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
            if step.status == "Succeeded" and step.name in OTHER_STEPS
        },
    )


def _output(step: Step, target: Target) -> str:
    """The S3 URI of what a step is there for."""
    job = describe_job(target, step)
    if "TransformOutput" in job:
        return str(job["TransformOutput"]["S3OutputPath"])
    return str(job["ProcessingOutputConfig"]["Outputs"][-1]["S3Output"]["S3Uri"])


def _threshold(settings: Settings, target: Target, execution: Execution) -> float:
    """The threshold in force: the execution's parameter, else the settings'."""
    pages = target.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
        PipelineExecutionArn=execution.arn
    )
    values = {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}
    return float(values.get("MetricThreshold", settings.quality.threshold))


def processing_outputs(step: Step, target: Target) -> dict[str, str]:
    """S3 URIs by output name."""
    outputs: list[dict[str, Any]] = describe_job(target, step)["ProcessingOutputConfig"]["Outputs"]
    return {output["OutputName"]: output["S3Output"]["S3Uri"] for output in outputs}


def _read_json(uri: str, target: Target) -> dict[str, Any]:
    bucket, key = split_s3_uri(uri)
    body: dict[str, Any] = json.load(target.s3.get_object(Bucket=bucket, Key=key)["Body"])
    return body
