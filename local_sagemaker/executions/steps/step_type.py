"""The interface of step types, through which the executor runs a step of any type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from local_sagemaker.executions.callbacks import Callbacks
from local_sagemaker.executions.definition import Step
from local_sagemaker.jobs.manager import JobManager
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.protocol.shapes import without_nulls
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record

# RetryPolicies' exception type by the error code of an operation
_EXCEPTION_TYPES = {
    "ThrottlingException": "Step.THROTTLING",
    "Throttling": "Step.THROTTLING",
    "InternalFailure": "Step.SERVICE_FAULT",
    "ServiceUnavailable": "Step.SERVICE_FAULT",
    "ResourceLimitExceeded": "SageMaker.RESOURCE_LIMIT",
}


class StepFailed(Exception):
    """A failed attempt at a step.

    Args:
        reason: The FailureReason; "" if there is none.
        exception_type: The exception type for RetryPolicies; None if no policy retries the failure.
    """

    def __init__(self, reason: str, exception_type: str | None = None) -> None:
        super().__init__(reason)
        self.exception_type = exception_type


class StepStopped(Exception):
    """A step that ended because the execution is being stopped."""


@dataclass(frozen=True)
class Outcome:
    """The result of a step that has succeeded.

    Attributes:
        properties: The properties to which `Steps.<name>.<path>` refers.
        outputs: S3 URIs of the objects or prefixes that the step has written.
    """

    properties: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] = ()


class FunctionResponse(Protocol):
    """The response of a Lambda function, in JSON, and its FunctionError, None if it has not failed."""

    @property
    def payload(self) -> bytes: ...

    @property
    def error(self) -> str | None: ...


class Functions(Protocol):
    """The Lambda functions that Lambda steps invoke."""

    def invoke(self, name_or_arn: str, payload: bytes) -> FunctionResponse: ...


class StepRun(Protocol):
    """One attempt at a step, provided by the executor.

    Attributes:
        job_name: Name for the job of this attempt.
        stopping: Whether the execution is being stopped.
    """

    step: Step
    call: Call
    functions: Functions
    callbacks: Callbacks
    jobs: JobManager
    objects: ObjectStore
    execution_id: str
    execution_arn: str
    job_name: str

    @property
    def stopping(self) -> bool: ...

    def resolve(self, value: Any) -> Any:
        """Replace the expressions within a value.

        Raises:
            StepFailed: An expression cannot be resolved.
        """

    def evaluate(self, condition: Mapping[str, Any]) -> bool:
        """Evaluate a condition.

        Raises:
            StepFailed: The condition cannot be evaluated.
        """

    def set_metadata(self, metadata: Record) -> None:
        """Set the step's Metadata."""

    def job_started(self, kind: str, name: str) -> None:
        """Register the step's job, which is stopped with the execution."""

    def on_stop(self, action: Callable[[], None]) -> None:
        """Register what is called when the execution is being stopped, at once if it is."""

    def idle(self) -> AbstractContextManager[None]:
        """Return a context in which the step waits for something outside of this machine, and others may run."""


class StepType(ABC):
    """A type of step.

    Attributes:
        operation: The operation of SageMaker whose request the step's arguments are; empty if there is none.
        cache_key_arguments: The arguments in the cache key, documented in "Default cache key attributes by pipeline
            step type"; empty if results of the type are never reused.
        image_argument: Path of the image URI within the arguments; empty if the type has none.
        job_kind: The kind of job that runs the image.
    """

    operation: str = ""
    cache_key_arguments: tuple[str, ...] = ()
    image_argument: tuple[str, ...] = ()
    job_kind: str = ""

    @abstractmethod
    def run(self, run: StepRun) -> Outcome:
        """Run one attempt at the step.

        Raises:
            StepFailed: The attempt has failed.
            StepStopped: The execution is being stopped.
        """

    def cache_key(self, run: StepRun) -> Record | None:
        """Return the resolved attributes on which the step's result depends, or None if it is never reused."""
        if not self.cache_key_arguments:
            return None
        return select_resolved(run, run.step.arguments, self.cache_key_arguments)


def resolved_arguments(run: StepRun) -> Record:
    """Return the step's arguments with resolved expressions and without null members."""
    return dict(without_nulls(run.resolve(run.step.arguments)))


def request_to(run: StepRun, receiver: str) -> Record:
    """Return what a step sends to a function or queue, with the outputs that it expects in return.

    Args:
        run: The run of the step.
        receiver: The setting of the step that names the function or the queue.

    Raises:
        StepFailed: The step does not have that setting.
    """
    settings = run.step.settings
    if not settings.get(receiver):
        raise StepFailed(f"ClientError: The step has no {receiver}")
    return {
        receiver: run.resolve(settings[receiver]),
        "Arguments": run.resolve(run.step.arguments),
        "OutputParameters": run.resolve(settings.get("OutputParameters") or []),
    }


def select_resolved(run: StepRun, members: Mapping[str, Any], names: Sequence[str]) -> Record:
    """Resolve the named members only: the expressions of others may not be resolvable yet."""
    return dict(without_nulls(run.resolve({name: members.get(name) for name in names})))


def without_tags(request: Record) -> Record:
    return {name: value for name, value in request.items() if name != "Tags"}


def invoke(run: StepRun, operation: str, request: Record) -> Record:
    """Call an operation of the service.

    Raises:
        StepFailed: The operation has failed; the reason is worded as in SageMaker.
    """
    try:
        return run.call(operation, request)
    except ServiceError as error:
        reason = f"ClientError: Failed to invoke sagemaker:{operation}. Error Details: {error.message}"
        raise StepFailed(reason, _EXCEPTION_TYPES.get(error.code)) from error
