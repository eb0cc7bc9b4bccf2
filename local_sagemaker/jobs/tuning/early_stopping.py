"""Early stopping of training jobs that are unlikely to improve on earlier ones (TrainingJobEarlyStoppingType Auto)."""

from __future__ import annotations

import statistics


class MedianRule:
    """Finds training jobs to stop early.

    A job is stopped if its objective is worse than the median of the running averages of the completed jobs' objectives
    up to the same epoch. Source: "Stop Training Jobs Early" in the developer guide.
    """

    def __init__(self, maximize: bool) -> None:
        self._sign = 1 if maximize else -1
        self._values: dict[str, list[float]] = {}
        self._completed: list[list[float]] = []

    def should_stop(self, job: str, value: float) -> bool:
        """Record the objective of a job after one more epoch; return whether to stop the job."""
        values = self._values.setdefault(job, [])
        values.append(value)
        epoch = len(values)
        averages = [statistics.fmean(earlier[:epoch]) for earlier in self._completed]
        return bool(averages) and self._sign * value < self._sign * statistics.median(averages)

    def job_ended(self, job: str, completed: bool) -> None:
        """Record the end of a job; later jobs are compared with completed ones only."""
        values = self._values.pop(job, [])
        if values and completed:
            self._completed.append(values)
