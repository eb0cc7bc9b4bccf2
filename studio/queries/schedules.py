"""EventBridge schedules that start pipelines."""

from __future__ import annotations

from datetime import datetime

from project.target import Target


def next_start(target: Target, pipeline_arn: str) -> datetime | None:
    """Return when a schedule starts a pipeline next; None if no enabled schedule does."""
    return None
