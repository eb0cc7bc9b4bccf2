"""The section `monitoring`: analyses of captured data, and the conditions for an alert."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from project.settings.section import Section

AnalysisName = Literal["data-quality", "model-quality", "bias", "attribution"]
ANALYSES: tuple[AnalysisName, ...] = get_args(AnalysisName)

# the section that says what these analyses measure, and in which training makes their baseline
SECTIONS = {"bias": "fairness", "attribution": "attribution"}


class MonitoringSettings(Section):
    """Analyses of an endpoint's captured data, and the conditions for an alert."""

    analyses: tuple[AnalysisName, ...] = Field(
        default=("data-quality", "model-quality"),
        min_length=1,
        description="Analyses of the monitoring pipeline: `data-quality`, `model-quality`, `bias` (needs the section "
        "`fairness`) and `attribution` (needs the section `attribution`).",
    )
    max_drifted_share: float = Field(
        default=0.2, ge=0, le=1, description="Share of drifted features above which an alert is raised."
    )
    critical_features: tuple[str, ...] = Field(default=(), description="Features whose drift always raises an alert.")
    metric_threshold: float | None = Field(
        default=None,
        description="Value of quality.metric that raises an alert when missed; by default quality.threshold.",
    )
    max_missing_label_share: float = Field(
        default=0.9, ge=0, le=1, description="Share of predictions without ground truth above which an alert is raised."
    )
    record_tolerance: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of the records that may lack a value that the baseline has, be of another type or have an "
        "unknown category, before that is a violation.",
    )
    metric_tolerance: float = Field(
        default=2.5,
        ge=0,
        le=10,
        description="Standard errors by which a metric may be worse than in the baseline, before that is a violation; "
        "0 tolerates nothing.",
    )
    labels_per_window: int = Field(
        default=500, ge=1, description="Usual number of labels in a window, from which the standard errors follow."
    )
    leave_out_test_requests: bool = Field(
        default=True,
        description="Leave out requests that are marked as tests by the custom attribute `test-request`.",
    )
    # SageMaker uploads captured data some minutes after the inferences, and labels arrive later still
    capture_delay_minutes: int = Field(
        default=5, ge=0, le=60, description="Minutes to wait for captured data after the end of a window."
    )
    label_delay_minutes: int = Field(
        default=60, ge=0, description="Minutes to wait for ground truth after the end of a window."
    )
