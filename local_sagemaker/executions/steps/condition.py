"""Condition step: evaluates conditions to choose one of two branches."""

from __future__ import annotations

from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType


class Condition(StepType):
    def run(self, run: StepRun) -> Outcome:
        outcome = all(run.evaluate(condition) for condition in run.step.arguments.get("Conditions", []))
        run.set_metadata({"Condition": {"Outcome": str(outcome)}})
        return Outcome({"Outcome": outcome})
