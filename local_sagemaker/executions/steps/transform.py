"""Transform step: runs a batch transform job."""

from __future__ import annotations

from local_sagemaker.executions.steps.job_step import run_job
from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, resolved_arguments


class Transform(StepType):
    operation = "CreateTransformJob"
    cache_key_arguments = ("DataProcessing", "Environment", "ModelName", "TransformInput")

    def run(self, run: StepRun) -> Outcome:
        description = run_job(run, "TransformJob", resolved_arguments(run))
        return Outcome(description, [description["TransformOutput"]["S3OutputPath"]])
