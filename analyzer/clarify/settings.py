"""The files and the settings of a Clarify job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analyzer.clarify.attributes import Attributes
from analyzer.clarify.metrics import MetricSettings
from analyzer.window import Window


@dataclass(frozen=True)
class ClarifyJob:
    """The files and the settings of a Clarify job.

    Attributes:
        config: analysis_config.json, or the folder with it.
        dataset: File or folder of the records.
        output: Folder for analysis.json, report.html, explanations_shap/ and, with a baseline,
            constraint_violations.json.
        model: Model archive of this project that predicts and explains instead of ``predictor``.
        baseline: analysis.json of an earlier job to compare with, or None.
        dataset_format: Model Monitor's ``dataset_format`` of captured (``{"sagemakerCaptureJson": ...}``) or merged
            (``{"sagemakerMergeJson": ...}``) records, or of batch transforms (``{"csv": ...}`` and so on); None for the
            ``dataset_type`` of the configuration.
        attributes: Where captured events have features and predictions.
        window: Time window of captured events.
        metric_tolerance: Standard errors by which a bias metric may be farther from its fair value than the baseline;
            0 for none.
        least_records: With fewer records, nothing is compared with the baseline.
        malformed_records_limit: Number of malformed records that may be skipped.
        metrics: How the results become CloudWatch metrics; None for none.
        model_name: Name of the model in SageMaker for a ``predictor`` without it, as ClarifyCheck steps pass it.
        excluded_columns: Columns that are not features, besides those of the configuration.
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
    least_records: int = 0
    malformed_records_limit: int = 100
    metrics: MetricSettings | None = None
    model_name: str | None = None
    excluded_columns: tuple[str, ...] = ()
    seed: int = 1
