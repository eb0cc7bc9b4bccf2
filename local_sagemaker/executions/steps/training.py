"""Training step: runs a training job."""

from __future__ import annotations

from local_sagemaker.executions.steps.job_step import run_job
from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, resolved_arguments


class Training(StepType):
    operation = "CreateTrainingJob"
    cache_key_arguments = (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    )
    image_argument = ("AlgorithmSpecification", "TrainingImage")
    job_kind = "training-job"

    def run(self, run: StepRun) -> Outcome:
        description = run_job(run, "TrainingJob", resolved_arguments(run))
        return Outcome(description, [description["ModelArtifacts"]["S3ModelArtifacts"]])
