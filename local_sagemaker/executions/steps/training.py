"""Training: a training job."""

from __future__ import annotations

from local_sagemaker.executions.steps.job_step import run_job
from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, without_nulls
from local_sagemaker.storage.records import Record

CACHE_KEY = (
    "AlgorithmSpecification",
    "CheckpointConfig",
    "DebugHookConfig",
    "DebugRuleConfigurations",
    "Environment",
    "HyperParameters",
    "InputDataConfig",
)


class Training(StepType):
    def run(self, run: StepRun) -> Outcome:
        description = run_job(run, "TrainingJob", without_nulls(run.resolve(run.step.arguments)))
        return Outcome(description, [description["ModelArtifacts"]["S3ModelArtifacts"]])

    def cache_key(self, run: StepRun) -> Record | None:
        arguments = without_nulls(run.resolve({name: run.step.arguments.get(name) for name in CACHE_KEY}))
        return dict(arguments)
