"""Steps that run a job: they create it through the service, wait for it and return its description."""

from __future__ import annotations

from collections.abc import Callable

from local_sagemaker.executions.steps.step_type import StepFailed, StepRun, StepStopped, invoke
from local_sagemaker.jobs.job import NOUNS
from local_sagemaker.storage.records import Record

# RetryPolicies' exception type by the prefix of a job's FailureReason
_EXCEPTION_TYPES = {
    "InternalServerError": "SageMaker.JOB_INTERNAL_ERROR",
    "CapacityError": "SageMaker.CAPACITY_ERROR",
    "ResourceLimitExceeded": "SageMaker.RESOURCE_LIMIT",
}

_KINDS = {noun: kind for kind, noun in NOUNS.items()}


def run_job(
    run: StepRun,
    noun: str,
    arguments: Record,
    metadata: Callable[[str], Record] | None = None,
    name: str | None = None,
) -> Record:
    """Create the job of a step, wait for it to complete and return its description.

    Args:
        run: The attempt at the step.
        noun: The API's name of the job: `ProcessingJob`, `TrainingJob` ...
        arguments: The Create request without a name.
        metadata: Returns the step's Metadata for the job's ARN; by default `{noun: {"Arn": arn}}`.
        name: Name of the job; by default `run.job_name`.

    Raises:
        StepFailed: The job cannot be created, or has not completed.
        StepStopped: The execution is being stopped.
    """
    kind, name = _KINDS[noun], name or run.job_name
    request = {**arguments, f"{noun}Name": name}
    arn = invoke(run, f"Create{noun}", request)[f"{noun}Arn"]
    run.job_started(kind, name)
    run.set_metadata(metadata(arn) if metadata else {noun: {"Arn": arn}})
    description = run.jobs.wait(kind, name)
    status, reason = description[f"{noun}Status"], description.get("FailureReason") or ""
    if status == "Completed":
        return description
    if run.stopping:
        raise StepStopped
    if status == "Stopped":
        raise StepFailed(reason or _stop_reason(noun, description))
    raise StepFailed(reason, _EXCEPTION_TYPES.get(reason.partition(":")[0]))


def _stop_reason(noun: str, description: Record) -> str:
    if description.get("SecondaryStatus") == "MaxRuntimeExceeded":
        limit = description["StoppingCondition"]["MaxRuntimeInSeconds"]
        return f"ClientError: The job was stopped: it exceeded MaxRuntimeInSeconds ({limit})"
    return f"ClientError: The job {description[f'{noun}Name']} was stopped from outside the pipeline"
