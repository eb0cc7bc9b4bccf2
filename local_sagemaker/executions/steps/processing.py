"""Processing step: runs a processing job."""

from __future__ import annotations

from local_sagemaker.executions.steps.job_step import run_job
from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, resolved_arguments
from local_sagemaker.storage.records import Record


class Processing(StepType):
    operation = "CreateProcessingJob"
    cache_key_arguments = ("AppSpecification", "Environment", "ProcessingInputs")
    image_argument = ("AppSpecification", "ImageUri")
    job_kind = "processing-job"

    def run(self, run: StepRun) -> Outcome:
        description = run_job(run, "ProcessingJob", resolved_arguments(run))
        return Outcome(description, output_uris(description))


def output_uris(description: Record) -> list[str]:
    """Return the S3 prefixes to which a processing job uploads its outputs."""
    outputs = description.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return [output["S3Output"]["S3Uri"] for output in outputs if "S3Output" in output]
