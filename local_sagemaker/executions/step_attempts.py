"""The run of one step of an execution: a cached result, or as many attempts as its retry policies allow."""

from __future__ import annotations

import json
import logging
import re
import secrets
import string
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from local_sagemaker.executions.callbacks import Callbacks, WaitInterrupted
from local_sagemaker.executions.definition import Definition, Step
from local_sagemaker.executions.expressions import ExpressionError, evaluate, look_up, resolve
from local_sagemaker.executions.step_cache import StepCache
from local_sagemaker.executions.step_policies import Retries
from local_sagemaker.executions.step_results import save_result
from local_sagemaker.executions.steps import STEP_TYPES
from local_sagemaker.executions.steps.step_type import Functions, Outcome, StepFailed, StepStopped
from local_sagemaker.jobs.manager import JobManager
from local_sagemaker.protocol.service import Call
from local_sagemaker.storage.objects import BadName, ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri

log = logging.getLogger(__name__)


# maximum length of a step's FailureReason
LONGEST_REASON = 1024


@dataclass(frozen=True)
class StepServices:
    """What steps run on: the SageMaker operations, the jobs and the step cache.

    Attributes:
        idle: Returns a context in which a step leaves its thread to another one.
    """

    call: Call
    functions: Functions
    callbacks: Callbacks
    jobs: JobManager
    cache: StepCache
    idle: Callable[[], AbstractContextManager[None]]


class Execution(Protocol):
    """The part of a PipelineExecution that its steps use: their scope, and the record of their progress."""

    arn: str
    id: str
    record: Record
    definition: Definition
    values: Record
    properties: dict[str, Mapping[str, Any]]
    stopping: threading.Event

    def step_started(self, step: Step) -> bool: ...

    def update_step(self, name: str, *, write: bool = True, **changes: Any) -> None: ...

    def step_ended(self, step: Step, outcome: Outcome | None) -> None: ...


class StepAttempts:
    """All attempts at one step. Implements StepRun for the step's type, and Scope for its expressions."""

    def __init__(self, execution: Execution, step: Step, services: StepServices) -> None:
        self.step = step
        self.call = services.call
        self.functions = services.functions
        self.callbacks = services.callbacks
        self.jobs = services.jobs
        self.objects: ObjectStore = services.jobs.objects
        self.execution_id = execution.id
        self.execution_arn = execution.arn
        self.job_name = ""
        self.is_idle = False
        self._cache = services.cache
        self._leave_thread = services.idle
        self._execution = execution
        self._on_stop: Callable[[], None] | None = None
        self._metadata: Record = {}

    @property
    def stopping(self) -> bool:
        return self._execution.stopping.is_set()

    def run(self) -> None:
        """Run the step until it succeeds, fails or is stopped, and record the result."""
        if not self._execution.step_started(self.step):
            return
        outcome = None
        continues = False
        try:
            outcome = self._run_or_reuse()
            save_result(self.jobs.store, self.execution_id, self.step.name, dict(outcome.properties))
            self._update(StepStatus="Succeeded", EndTime=time.time())
        except WaitInterrupted:
            continues = True
        except StepStopped:
            self._update(StepStatus="Stopped", EndTime=time.time())
        except StepFailed as failure:
            reason = str(failure)[:LONGEST_REASON] or None
            self._update(StepStatus="Failed", EndTime=time.time(), FailureReason=reason)
        except Exception as error:
            outcome = None
            log.exception("execution %s: step %s: internal error", self.execution_id, self.step.name)
            reason = f"InternalServerError: {type(error).__name__}: {error}"[:LONGEST_REASON]
            self._update(StepStatus="Failed", EndTime=time.time(), FailureReason=reason)
        finally:
            if not continues:
                self._execution.step_ended(self.step, outcome)

    def stop(self) -> None:
        """Stop the step's job, if it has one."""
        if self._on_stop is not None:
            self._on_stop()

    # methods of StepRun

    def resolve(self, value: Any) -> Any:
        try:
            return resolve(value, self)
        except ExpressionError as error:
            raise StepFailed(f"ClientError: {error}") from error

    def evaluate(self, condition: Mapping[str, Any]) -> bool:
        try:
            return evaluate(condition, self)
        except ExpressionError as error:
            raise StepFailed(f"ClientError: {error}") from error

    def set_metadata(self, metadata: Record) -> None:
        self._metadata = metadata
        # a step without a job ends soon, and its end is written anyway
        lasts = self._on_stop is not None
        self._update(write=lasts, StepStatus="Stopping" if self.stopping else "Executing", Metadata=metadata)

    def job_started(self, kind: str, name: str) -> None:
        self.on_stop(lambda: self.jobs.stop(kind, name))

    def on_stop(self, action: Callable[[], None]) -> None:
        self._on_stop = action
        # stop() may have been called before the action was known
        if self.stopping:
            self.stop()

    @contextmanager
    def idle(self) -> Iterator[None]:
        with self._leave_thread():
            self.is_idle = True
            try:
                yield
            finally:
                self.is_idle = False

    # methods of Scope

    def parameter(self, name: str) -> Any:
        return self._execution.values[name]

    def execution_variable(self, name: str) -> str:
        record = self._execution.record
        if name == "StartDateTime":
            return datetime.fromtimestamp(record["CreationTime"], UTC).isoformat(timespec="milliseconds")
        if name == "CurrentDateTime":
            return datetime.now(UTC).isoformat(timespec="milliseconds")
        if name in ("TrainingJobName", "ProcessingJobName"):
            return self.job_name
        return str({**record, "PipelineExecutionId": self.execution_id}[name])

    def step_properties(self, step: str) -> Mapping[str, Any]:
        return self._execution.properties[step]

    def property_file(self, step: str, name: str) -> Any:
        file = self._execution.definition.steps[step].property_files[name]
        path = f"ProcessingOutputConfig.Outputs['{file.output_name}'].S3Output.S3Uri"
        uri = look_up(self.step_properties(step), path, f"step {step!r}")
        return self.json_object(f"{uri.rstrip('/')}/{file.path}")

    def json_object(self, uri: str) -> Any:
        try:
            return json.loads(self.objects.read(*split_uri(uri)))
        except (KeyError, ClientFault, BadName) as error:
            raise ExpressionError(f"Std:JsonGet cannot read {uri}: {error}") from error
        except ValueError as error:
            raise ExpressionError(f"Std:JsonGet: {uri} is not JSON: {error}") from error

    def _run_or_reuse(self) -> Outcome:
        """Return the cached result of an earlier execution, or run the step and cache its result."""
        step = self.step
        self.job_name = _job_name(self.execution_id, step.name)
        attributes = None if step.cache_expires_after is None else STEP_TYPES[step.type].cache_key(self)
        if attributes is None or step.cache_expires_after is None:
            return self._run_with_retries()
        key = self._cache.key(self._execution.record["PipelineArn"], step.name, attributes)
        hit = self._cache.find(key, step.cache_expires_after)
        if hit is not None:
            self._update(write=False, Metadata=hit["Metadata"], CacheHitResult=hit["CacheHitResult"])
            return Outcome(hit["Properties"])
        outcome = self._run_with_retries()
        self._cache.save(key, self._execution.arn, self._metadata, outcome)
        return outcome

    def _run_with_retries(self) -> Outcome:
        retries = Retries(self.step.retry_policies)
        attempt = 1
        while True:
            if self.stopping:
                raise StepStopped
            try:
                return STEP_TYPES[self.step.type].run(self)
            except StepFailed as failure:
                delay = retries.delay(failure.exception_type)
                if delay is None:
                    raise
                log.info("step %s: retrying in %g s after %s", self.step.name, delay, failure.exception_type)
            attempt += 1
            self.job_name = _job_name(self.execution_id, self.step.name)
            self._update(StepStatus="Starting", AttemptCount=attempt)
            self._execution.stopping.wait(delay)

    def _update(self, *, write: bool = True, **changes: Any) -> None:
        self._execution.update_step(self.step.name, write=write, **changes)


def _job_name(execution_id: str, step: str) -> str:
    """Return a name like the service's, at most 63 characters: pipelines-<execution>-<step>-<10 random characters>."""
    suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(10))
    start = f"pipelines-{execution_id}-"
    step = re.sub(r"[^a-zA-Z0-9]+", "-", step)[: 63 - len(start) - len(suffix) - 1].strip("-")
    return "-".join(filter(None, [start.rstrip("-"), step, suffix]))
