"""Executions and their results as JSON, with the names of SageMaker's API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipelines.results import ExecutionResults
from pipelines.runner import PipelineExecution
from project.settings import Settings


def execution_json(execution: PipelineExecution) -> dict[str, Any]:
    return {
        "PipelineExecutionArn": execution.arn,
        "PipelineExecutionStatus": execution.status,
        "FailureReason": execution.reason,
        "Steps": [
            {
                "StepName": step.name,
                "StepStatus": step.status,
                "Cached": step.cached,
                "Seconds": step.seconds,
                "FailureReason": step.reason,
                "JobArn": step.job,
            }
            for step in execution.steps
        ],
    }


def results_json(settings: Settings, results: ExecutionResults) -> dict[str, Any]:
    return {
        "Metrics": results.metrics,
        "Quality": {"Metric": settings.quality.metric, "Threshold": results.threshold},
        "Gates": results.gates,
        "Verdict": results.verdict,
        "Remarks": results.remarks,
        "ReportUri": results.report_uri,
        "DataWarnings": [{"Check": warning.check, "Message": warning.message} for warning in results.warnings],
        "ValidationReportUri": results.validation_uri,
        "ModelPackage": asdict(results.package) if results.package else None,
        "NewVersionRegistered": results.registered,
        "Baselines": results.baselines,
        "Outputs": results.outputs,
        "BestTrial": asdict(results.best_trial) if results.best_trial else None,
        "MlflowRun": asdict(results.tracked) if results.tracked else None,
    }
