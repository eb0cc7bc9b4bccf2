"""A monitoring schedule of either backend: EventBridge Scheduler with our pipeline, or Model Monitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from monitoring.monitored_endpoint import Baseline

Backend = Literal["pipeline", "model-monitor"]
PIPELINE: Backend = "pipeline"
MODEL_MONITOR: Backend = "model-monitor"

# the analyses that read ground truth
LABELLED = frozenset({"model-quality", "bias"})


@dataclass(frozen=True)
class Schedule:
    """A monitoring schedule.

    Attributes:
        name: Name in EventBridge Scheduler or in Model Monitor.
        backend: The service that starts the executions.
        endpoint: The monitored endpoint; for batch transform jobs the name that was given instead.
        expression: A rate or cron expression.
        enabled: False while it is paused.
        window_minutes: Length of the window that an execution analyses.
        captures: S3 URI of the captures, or the endpoint whose captures Model Monitor reads.
        baselines: What the captures are compared with, by analysis.
        changed: Time of the last change.
        metric_dimension: Value of the dimension MonitoringSchedule of the published metrics.
        batch: Whether it monitors batch transform jobs.
        role_arn: Role with which EventBridge Scheduler starts the pipeline.
    """

    name: str
    backend: Backend
    endpoint: str
    expression: str
    enabled: bool
    window_minutes: int
    captures: str
    baselines: Mapping[str, Baseline]
    changed: datetime
    metric_dimension: str
    batch: bool = False
    role_arn: str = ""

    @property
    def analyses(self) -> tuple[str, ...]:
        return tuple(self.baselines)
