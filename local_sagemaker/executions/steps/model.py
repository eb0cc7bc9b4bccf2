"""Model: a model that endpoints and transform jobs can run (the SDK's ModelStep of ModelBuilder.build())."""

from __future__ import annotations

from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, invoke, without_nulls


class Model(StepType):
    def run(self, run: StepRun) -> Outcome:
        request = {**without_nulls(run.resolve(run.step.arguments)), "ModelName": run.job_name}
        arn = invoke(run, "CreateModel", request)["ModelArn"]
        run.report({"Model": {"Arn": arn}})
        return Outcome(invoke(run, "DescribeModel", {"ModelName": run.job_name}))
