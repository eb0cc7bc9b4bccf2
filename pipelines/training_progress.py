"""The progress of a running training job, read from its log, or of a tuning job, counted in trials."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipelines.runner import PipelineExecution, Step, describe_job, log_lines
from project.display import metric_text
from project.target import Target

# a line that train.py prints every few iterations
_ITERATION = re.compile(r"^iteration=(\d+) of (\d+) .*?(validation_\w+)=(\S+)")
# a reading takes three API calls
_SECONDS_BETWEEN_READINGS = 3.0


class TrainingProgress:
    """Adds to the running training or tuning step of an execution how far it is."""

    def __init__(self, target: Target, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare readings from the logs of a target; ``clock`` returns seconds."""
        self._target = target
        self._clock = clock
        self._next_reading = 0.0
        self._text = ""

    def add_to(self, execution: PipelineExecution) -> PipelineExecution:
        """Return the execution with the progress of its running training or tuning step."""
        steps = tuple(
            replace(step, progress=self._read(step))
            if step.status == "Executing" and re.search(":(training|hyper-parameter-tuning)-job/", step.job)
            else step
            for step in execution.steps
        )
        return replace(execution, steps=steps)

    def _read(self, step: Step) -> str:
        if self._clock() >= self._next_reading:
            self._next_reading = self._clock() + _SECONDS_BETWEEN_READINGS
            read = self._trials if ":hyper-parameter-tuning-job/" in step.job else self._iterations
            # the progress is not worth a failure: a role may lack the permission to read logs
            with contextlib.suppress(ClientError, BotoCoreError):
                self._text = read(step) or self._text
        return self._text

    def _iterations(self, step: Step) -> str:
        lines = log_lines(self._target, step, last=5)
        found = [match for line in lines if (match := _ITERATION.match(line))]
        if not found:
            return ""
        iteration, rounds, metric, value = found[-1].groups()
        return f"iteration {iteration} of {rounds}, {metric} {metric_text(float(value))}"

    def _trials(self, step: Step) -> str:
        return trials_text(describe_job(self._target, step))


def trials_text(job: Mapping[str, Any]) -> str:
    """Return how many trials of a tuning job have ended, and the best objective so far."""
    counters = job["TrainingJobStatusCounters"]
    ended = sum(counters[status] for status in ("Completed", "Stopped", "NonRetryableError"))
    # a grid's number of trials is not in the description
    limit = job["HyperParameterTuningJobConfig"]["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    text = f"{ended} of {limit} trials" if limit else f"{ended} trials"
    best = (job.get("BestTrainingJob") or {}).get("FinalHyperParameterTuningJobObjectiveMetric")
    return f"{text}, best {best['MetricName']} {metric_text(best['Value'])}" if best else text
