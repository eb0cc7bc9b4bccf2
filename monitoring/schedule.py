"""A monitoring schedule, whichever service runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from monitoring.monitored_endpoint import Baseline

Backend = Literal["pipeline", "model-monitor"]
PIPELINE: Backend = "pipeline"
MODEL_MONITOR: Backend = "model-monitor"


@dataclass(frozen=True)
class Schedule:
    """captures: the S3 URI of the captures that are analysed. baselines: what with, by analysis.

    endpoint: whose captures they are; for those of batch transform jobs the name that the schedule was given.
    role_arn: with which EventBridge Scheduler starts the pipeline.
    metric_dimension: the value of the dimension MonitoringSchedule of Model Monitor's metrics.
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
