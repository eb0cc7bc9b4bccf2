"""One step of an execution: an earlier result, or as many attempts as its retry policies allow."""

from __future__ import annotations

import json
import logging
import re
import secrets
import string
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_sagemaker.executions.definition import Step
from local_sagemaker.executions.expressions import ExpressionError, holds, look_up, resolve
from local_sagemaker.executions.step_policies import Retries
from local_sagemaker.executions.step_results import keep_result
from local_sagemaker.executions.steps import STEPS
from local_sagemaker.executions.steps.step_type import Outcome, StepFailed, StepStopped
from local_sagemaker.storage.objects import BadName, ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri

if TYPE_CHECKING:
    from local_sagemaker.executions.pipeline_execution import PipelineExecution

log = logging.getLogger(__name__)


# the longest FailureReason of a step
LONGEST_REASON = 1024


class StepAttempts:
    """The attempts at one step; each is the StepRun that its type is given, and the scope of its expressions."""

    def __init__(self, execution: PipelineExecution, step: Step) -> None:
        self.step = step
        self.call = execution.step_services.call
        self.functions = execution.step_services.functions
        self.jobs = execution.step_services.jobs
        self.objects: ObjectStore = execution.step_services.jobs.objects
        self.execution_id = execution.id
        self.job_name = ""
        self._execution = execution
        self._job: tuple[str, str] | None = None
        self._metadata: Record = {}

    @property
    def stopping(self) -> bool:
        return self._execution.stopping.is_set()

    def run(self) -> None:
        """Run the step to its end, whatever that is."""
        if not self._execution.begin(self.step):
            return
        outcome = None
        try:
            outcome = self._outcome()
            keep_result(self.jobs.store, self.execution_id, self.step.name, dict(outcome.properties))
            self._show(StepStatus="Succeeded", EndTime=time.time())
        except StepStopped:
            self._show(StepStatus="Stopped", EndTime=time.time())
        except StepFailed as failure:
            reason = str(failure)[:LONGEST_REASON] or None
            self._show(StepStatus="Failed", EndTime=time.time(), FailureReason=reason)
        except Exception as error:
            outcome = None
            log.exception("execution %s: step %s: internal error", self.execution_id, self.step.name)
            reason = f"InternalServerError: {type(error).__name__}: {error}"[:LONGEST_REASON]
            self._show(StepStatus="Failed", EndTime=time.time(), FailureReason=reason)
        finally:
            self._execution.over(self.step, outcome)

    def stop_job(self) -> None:
        if self._job is not None:
            self.jobs.stop(*self._job)

    # a StepRun's methods

    def resolve(self, value: Any) -> Any:
        try:
            return resolve(value, self)
        except ExpressionError as error:
            raise StepFailed(f"ClientError: {error}") from error

    def holds(self, condition: Mapping[str, Any]) -> bool:
        try:
            return holds(condition, self)
        except ExpressionError as error:
            raise StepFailed(f"ClientError: {error}") from error

    def report(self, metadata: Record) -> None:
        self._metadata = metadata
        # without a job the step is over in a moment
        self._show(
            write=self._job is not None, StepStatus="Stopping" if self.stopping else "Executing", Metadata=metadata
        )

    def job_started(self, kind: str, name: str) -> None:
        self._job = (kind, name)
        if self.stopping:  # stop_job() may have come a moment too early
            self.stop_job()

    # a Scope's methods

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
            raise ExpressionError(f"Std:JsonGet cannot read {uri}, which is not JSON: {error}") from error

    # details

    def _outcome(self) -> Outcome:
        """An earlier result, or that of the first attempt which does not fail in a way to be retried."""
        step_type, step, cache = STEPS[self.step.type], self.step, self._execution.step_services.cache
        self.job_name = _job_name(self.execution_id, step.name)
        attributes = None if step.cache_expires_after is None else step_type.cache_key(self)
        if attributes is None or step.cache_expires_after is None:
            return self._with_retries()
        key = cache.key(self._execution.record["PipelineArn"], step.name, attributes)
        found = cache.find(key, step.cache_expires_after)
        if found is not None:
            self._show(write=False, Metadata=found["Metadata"], CacheHitResult=found["CacheHitResult"])
            return Outcome(found["Properties"])
        outcome = self._with_retries()
        cache.keep(key, self._execution.arn, self._metadata, outcome)
        return outcome

    def _with_retries(self) -> Outcome:
        retries = Retries(self.step.retry_policies)
        attempt = 1
        while True:
            if self.stopping:
                raise StepStopped
            try:
                return STEPS[self.step.type].run(self)
            except StepFailed as failure:
                delay = retries.delay(failure.exception_type)
                if delay is None:
                    raise
                log.info("step %s: retry in %g s after %s", self.step.name, delay, failure.exception_type)
            attempt += 1
            self.job_name = _job_name(self.execution_id, self.step.name)
            self._show(StepStatus="Starting", AttemptCount=attempt)
            self._execution.stopping.wait(delay)

    def _show(self, *, write: bool = True, **changes: Any) -> None:
        self._execution.change(self.step.name, write=write, **changes)


def _job_name(execution_id: str, step: str) -> str:
    """A name as the service gives one: pipelines-<execution>-<step>-<10 at random>, of at most 63 characters."""
    suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(10))
    start = f"pipelines-{execution_id}-"
    step = re.sub(r"[^a-zA-Z0-9]+", "-", step)[: 63 - len(start) - len(suffix) - 1].strip("-")
    return "-".join(filter(None, [start.rstrip("-"), step, suffix]))
