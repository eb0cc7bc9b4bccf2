"""Fail step: fails the execution with an error message."""

from __future__ import annotations

from local_sagemaker.executions.expressions import as_text
from local_sagemaker.executions.steps.step_type import Outcome, StepFailed, StepRun, StepType

LONGEST_MESSAGE = 3072


class Fail(StepType):
    def run(self, run: StepRun) -> Outcome:
        message = as_text(run.resolve(run.step.arguments.get("ErrorMessage") or ""))[:LONGEST_MESSAGE]
        run.set_metadata({"Fail": {"ErrorMessage": message}})
        raise StepFailed(message)
