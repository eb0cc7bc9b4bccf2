"""What every step type has, for the executor to run a step without knowing which type it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from local_sagemaker.executions.definition import Step
from local_sagemaker.jobs.manager import JobManager
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record

# what RetryPolicies call the errors of the service's operations
_EXCEPTION_TYPES = {
    "ThrottlingException": "Step.THROTTLING",
    "Throttling": "Step.THROTTLING",
    "InternalFailure": "Step.SERVICE_FAULT",
    "ServiceUnavailable": "Step.SERVICE_FAULT",
    "ResourceLimitExceeded": "SageMaker.RESOURCE_LIMIT",
}


class StepFailed(Exception):
    """A step has failed; the message is its FailureReason, "" for none.

    exception_type: what RetryPolicies call the failure, None for one that no policy retries.
    """

    def __init__(self, reason: str, exception_type: str | None = None) -> None:
        super().__init__(reason)
        self.exception_type = exception_type


class StepStopped(Exception):
    """A step has ended because the execution is being stopped."""


@dataclass(frozen=True)
class Outcome:
    """What a step that has succeeded leaves to others.

    properties: what `Steps.<name>.<path>` finds. outputs: S3 URIs of objects, or of prefixes, that it has written.
    """

    properties: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] = ()


class StepRun(Protocol):
    """One attempt at a step, from the executor.

    job_name: for the job of this attempt. stopping: whether the execution is to stop.
    """

    step: Step
    call: Call
    functions: LambdaService
    jobs: JobManager
    objects: ObjectStore
    execution_id: str
    job_name: str

    @property
    def stopping(self) -> bool: ...

    def resolve(self, value: Any) -> Any:
        """The value with its expressions replaced. Raises StepFailed where one can't be resolved."""

    def holds(self, condition: Mapping[str, Any]) -> bool:
        """Whether a condition holds. Raises StepFailed where that can't be said."""

    def report(self, metadata: Record) -> None:
        """Show this as the step's Metadata from now on."""

    def job_started(self, kind: str, name: str) -> None:
        """Have this job stopped when the execution is."""


class StepType(ABC):
    """One type of step."""

    @abstractmethod
    def run(self, run: StepRun) -> Outcome:
        """Do what the step is there for. Raises StepFailed, StepStopped."""

    def cache_key(self, run: StepRun) -> Record | None:
        """The resolved attributes that tell whether an earlier result can be used again; None where none ever can.

        Which they are is documented as "Default cache key attributes by pipeline step type".
        """
        return None


def invoke(run: StepRun, operation: str, request: Record) -> Record:
    """Call an operation of the service. Raises StepFailed, worded as SageMaker does."""
    try:
        return run.call(operation, request)
    except ServiceError as error:
        reason = f"ClientError: Failed to invoke sagemaker:{operation}. Error Details: {error.message}"
        raise StepFailed(reason, _EXCEPTION_TYPES.get(error.code)) from error


def without_nulls(value: Any) -> Any:
    """The value without members that are null, which in a definition are as good as absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
