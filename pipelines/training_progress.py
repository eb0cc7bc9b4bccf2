"""The progress of a running training job, read from its log."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from pipelines.runner import PipelineExecution, Step, log_lines
from project.target import Target

# a line that train.py prints every few iterations
_ITERATION = re.compile(r"^iteration=(\d+) of (\d+) .*?(validation_\w+)=(\S+)")
# a reading takes three API calls
_SECONDS_BETWEEN_READINGS = 3.0


class TrainingProgress:
    """Adds to the running training step of an execution how far it is."""

    def __init__(self, target: Target, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare readings from the logs of a target; ``clock`` returns seconds."""
        self._target = target
        self._clock = clock
        self._next_reading = 0.0
        self._text = ""

    def add_to(self, execution: PipelineExecution) -> PipelineExecution:
        """Return the execution with the progress of its running training step."""
        steps = tuple(
            replace(step, progress=self._read(step))
            if step.status == "Executing" and ":training-job/" in step.job
            else step
            for step in execution.steps
        )
        return replace(execution, steps=steps)

    def _read(self, step: Step) -> str:
        if self._clock() >= self._next_reading:
            self._next_reading = self._clock() + _SECONDS_BETWEEN_READINGS
            try:
                lines = log_lines(self._target, step, last=5)
            # the progress is not worth a failure: a role may lack the permission to read logs
            except (ClientError, BotoCoreError):
                return self._text
            found = [match for line in lines if (match := _ITERATION.match(line))]
            if found:
                iteration, rounds, metric, value = found[-1].groups()
                self._text = f"iteration {iteration} of {rounds}, {metric} {float(value):.4f}"
        return self._text
