"""Processing: a processing job."""

from __future__ import annotations

from local_sagemaker.executions.steps.job_step import run_job
from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, without_nulls
from local_sagemaker.storage.records import Record

CACHE_KEY = ("AppSpecification", "Environment", "ProcessingInputs")


class Processing(StepType):
    def run(self, run: StepRun) -> Outcome:
        description = run_job(run, "ProcessingJob", without_nulls(run.resolve(run.step.arguments)))
        return Outcome(description, outputs_of(description))

    def cache_key(self, run: StepRun) -> Record | None:
        arguments = without_nulls(run.resolve({name: run.step.arguments.get(name) for name in CACHE_KEY}))
        return dict(arguments)


def outputs_of(description: Record) -> list[str]:
    """The S3 prefixes that a processing job writes to."""
    outputs = description.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return [output["S3Output"]["S3Uri"] for output in outputs if "S3Output" in output]
