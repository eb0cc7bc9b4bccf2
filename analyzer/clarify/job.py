"""A Clarify job: reads the dataset that a configuration describes, analyzes it and writes Clarify's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from analyzer.window import Window


@dataclass(frozen=True)
class Attributes:
    """Where captured events have what a bias or explainability analysis reads.

    Attributes:
        features: JSONPath of the features in requests; the whole request if None.
        inference: Column of the predicted label in responses.
        probability: Column of the probability in responses, used without ``inference``.
        probability_threshold: The lowest probability of a favourable prediction; 0.5 if None.
    """

    features: str | None = None
    inference: str | None = None
    probability: str | None = None
    probability_threshold: float | None = None


@dataclass(frozen=True)
class MetricSettings:
    """How the results become CloudWatch metrics.

    Attributes:
        time: Their timestamp.
        endpoint: Value of the Endpoint dimension, if any.
        schedule: Value of the MonitoringSchedule dimension, if any.
        folder: Folder for Model Monitor's metrics file, if any.
        publish: Whether to publish them to CloudWatch.
    """

    time: datetime
    endpoint: str | None = None
    schedule: str | None = None
    folder: Path | None = None
    publish: bool = False


@dataclass(frozen=True)
class ClarifyJob:
    """The files and the settings of a Clarify job.

    Attributes:
        config: analysis_config.json.
        dataset: File or folder of the records.
        output: Folder for analysis.json, report.html, explanations_shap/ and, with a baseline,
            constraint_violations.json.
        model: Model archive of this project that predicts and explains instead of ``predictor``.
        baseline: analysis.json of an earlier job to compare with, or None.
        dataset_format: Model Monitor's ``dataset_format`` of captured (``{"sagemakerCaptureJson": ...}``) or merged
            (``{"sagemakerMergeJson": ...}``) records; None to read the format that ``dataset_type`` of the
            configuration names.
        attributes: Where captured events have features and predictions.
        window: Time window of captured events.
        metric_tolerance: Standard errors by which a bias metric may be farther from its fair value than the baseline;
            0 for none.
        malformed_records_limit: Number of malformed records that may be skipped.
        metrics: How the results become CloudWatch metrics; None for none.
        seed: Of sampling, if the configuration names none.
    """

    config: Path
    dataset: Path
    output: Path
    model: Path | None = None
    baseline: Path | None = None
    dataset_format: Mapping[str, Any] | None = None
    attributes: Attributes = field(default_factory=Attributes)
    window: Window = field(default_factory=Window)
    metric_tolerance: float = 0.0
    malformed_records_limit: int = 100
    metrics: MetricSettings | None = None
    seed: int = 1


@dataclass(frozen=True)
class ClarifyResult:
    """The result of a Clarify job.

    Attributes:
        analysis: Content of analysis.json.
        violations: Those of constraint_violations.json; empty without a baseline.
        message: Exit message; starts with Completed or CompletedWithViolations.
    """

    analysis: dict[str, Any]
    violations: list[dict[str, Any]]
    message: str


def run(job: ClarifyJob) -> ClarifyResult:
    """Run the job and write its files, all or none.

    Raises:
        QualityError: The configuration is invalid, or the data cannot be analyzed.
    """
    raise NotImplementedError
