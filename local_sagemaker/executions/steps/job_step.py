"""Steps whose work is a job: created through the service, awaited, its description their properties."""

from __future__ import annotations

from collections.abc import Callable

from local_sagemaker.executions.steps.step_type import StepFailed, StepRun, StepStopped, invoke
from local_sagemaker.jobs.job import NOUNS
from local_sagemaker.storage.records import Record

_RETRYABLE = {
    "InternalServerError": "SageMaker.JOB_INTERNAL_ERROR",
    "CapacityError": "SageMaker.CAPACITY_ERROR",
    "ResourceLimitExceeded": "SageMaker.RESOURCE_LIMIT",
}

_KINDS = {noun: kind for kind, noun in NOUNS.items()}


def run_job(
    run: StepRun,
    noun: str,
    arguments: Record,
    show: Callable[[str], Record] | None = None,
    name: str | None = None,
) -> Record:
    """Create a job of a step and wait for its end; its description.

    noun: `ProcessingJob`, `TrainingJob` ... arguments: the Create request; the job gets a name of its own.
    show: the step's Metadata for the job's ARN, by default under the noun. name: by default the attempt's.
    Raises StepFailed where it can't be created or does not complete, StepStopped where the execution is being stopped.
    """
    kind, name = _KINDS[noun], name or run.job_name
    request = {**arguments, f"{noun}Name": name}
    arn = invoke(run, f"Create{noun}", request)[f"{noun}Arn"]
    run.job_started(kind, name)
    run.report(show(arn) if show else {noun: {"Arn": arn}})
    description = run.jobs.wait(kind, name)
    status, reason = description[f"{noun}Status"], description.get("FailureReason") or ""
    if status == "Completed":
        return description
    if run.stopping:
        raise StepStopped
    if status == "Stopped":
        raise StepFailed(reason or _why_stopped(noun, description))
    raise StepFailed(reason, _RETRYABLE.get(reason.partition(":")[0]))


def _why_stopped(noun: str, description: Record) -> str:
    if description.get("SecondaryStatus") == "MaxRuntimeExceeded":
        limit = description["StoppingCondition"]["MaxRuntimeInSeconds"]
        return f"ClientError: The job was stopped: it exceeded MaxRuntimeInSeconds ({limit})"
    return f"ClientError: The job {description[f'{noun}Name']} was stopped from outside the pipeline"
