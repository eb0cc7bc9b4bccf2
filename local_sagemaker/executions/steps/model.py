"""Model step: creates a model for endpoints and transform jobs (the SDK's ModelStep of ModelBuilder.build())."""

from __future__ import annotations

from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, invoke, resolved_arguments


class Model(StepType):
    operation = "CreateModel"

    def run(self, run: StepRun) -> Outcome:
        request = {**resolved_arguments(run), "ModelName": run.job_name}
        arn = invoke(run, "CreateModel", request)["ModelArn"]
        run.set_metadata({"Model": {"Arn": arn}})
        return Outcome(invoke(run, "DescribeModel", {"ModelName": run.job_name}))
