"""Condition: which of two branches is run."""

from __future__ import annotations

from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType


class Condition(StepType):
    def run(self, run: StepRun) -> Outcome:
        outcome = all(run.holds(condition) for condition in run.step.arguments.get("Conditions", []))
        run.report({"Condition": {"Outcome": str(outcome)}})
        return Outcome({"Outcome": outcome})
