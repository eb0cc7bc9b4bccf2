"""Transform: a batch transform job."""

from __future__ import annotations

from local_sagemaker.executions.steps.job_step import run_job
from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, without_nulls
from local_sagemaker.storage.records import Record

CACHE_KEY = ("DataProcessing", "Environment", "ModelName", "TransformInput")


class Transform(StepType):
    def run(self, run: StepRun) -> Outcome:
        description = run_job(run, "TransformJob", without_nulls(run.resolve(run.step.arguments)))
        return Outcome(description, [description["TransformOutput"]["S3OutputPath"]])

    def cache_key(self, run: StepRun) -> Record | None:
        arguments = without_nulls(run.resolve({name: run.step.arguments.get(name) for name in CACHE_KEY}))
        return dict(arguments)
