"""One pipeline execution: which steps are ready, running, over; all of it in the store as it changes."""

from __future__ import annotations

import json
import logging
import re
import secrets
import string
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.definition import Definition, Step
from local_sagemaker.expressions import ExpressionError, holds, look_up, resolve
from local_sagemaker.job_files import ClientFault, split_uri
from local_sagemaker.jobs import Jobs
from local_sagemaker.objects import BadName, Objects
from local_sagemaker.policies import Retries
from local_sagemaker.step_cache import StepCache
from local_sagemaker.steps import STEPS
from local_sagemaker.steps.step_type import Outcome, Service, StepFailed, StepStopped

log = logging.getLogger(__name__)

Record = dict[str, Any]

# the longest FailureReason of a step
LONGEST_REASON = 1024
MOST_PARALLEL_STEPS = 50
STEPS_FAILED = "Step failure: One or multiple steps failed."


@dataclass(frozen=True)
class Tools:
    """What executions work with. run_soon: runs a function in a thread, when one is free."""

    service: Service
    jobs: Jobs
    cache: StepCache
    run_soon: Callable[[Callable[[], None]], None]


class Execution:
    """The run of a definition under a `pipeline-execution` record.

    on_end is called once, when the last step is over and the record says how the execution ended.
    """

    def __init__(
        self, record: Record, definition: Definition, values: Record, tools: Tools, on_end: Callable[[], None]
    ) -> None:
        self.arn: str = record["PipelineExecutionArn"]
        self.id = self.arn.rpartition("/")[2]
        self.record = record
        self.definition = definition
        self.values = values
        self.tools = tools
        self.properties: dict[str, Mapping[str, Any]] = {}
        self.stopping = threading.Event()
        self._on_end = on_end
        limit = (record.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps")
        self._parallel = limit or MOST_PARALLEL_STEPS
        # guards all that follows and its order in the store
        self._lock = threading.RLock()
        self._waits_for = {name: set(step.dependencies) for name, step in definition.steps.items()}
        self._dependents: dict[str, list[str]] = {name: [] for name in definition.steps}
        for name, step in definition.steps.items():
            for dependency in step.dependencies:
                self._dependents[dependency].append(name)
        self._ready = deque(name for name, others in self._waits_for.items() if not others)
        self._running: dict[str, _Attempts] = {}
        self._steps: dict[str, Record] = {}
        self._failed = False
        self._over = False

    def advance(self) -> None:
        """Start what can be started; end the execution where nothing is left to wait for."""
        with self._lock:
            ending = self._failed or self.stopping.is_set()
            while self._ready and not ending and len(self._running) < self._parallel:
                name = self._ready.popleft()
                attempts = self._running[name] = _Attempts(self, self.definition.steps[name])
                self.tools.run_soon(attempts.run)
            if not self._running and not self._over:
                self._over = True
                self._end()

    def stop(self) -> None:
        """Stop the running jobs and start no further step."""
        with self._lock:
            if self._over or self.stopping.is_set():
                return
            self.stopping.set()
            self._set_status(PipelineExecutionStatus="Stopping")
            for name, attempts in self._running.items():
                if name in self._steps:
                    self.change(name, StepStatus="Stopping")
                attempts.stop_job()
        self.advance()

    def change(self, name: str, **changes: Any) -> None:
        """Change what ListPipelineExecutionSteps shows of a step, None for what it shows no more."""
        with self._lock:
            shown = {**self._steps.get(name, {}), **changes}
            self._steps[name] = {member: value for member, value in shown.items() if value is not None}
            self.tools.jobs.store.put("execution-steps", self.id, {"Steps": self._steps})

    def over(self, step: Step, outcome: Outcome | None) -> None:
        """Take note that a step is over, with its outcome where it has succeeded, and go on."""
        with self._lock:
            del self._running[step.name]
            if outcome is None:
                self._failed = True
            else:
                self.properties[step.name] = outcome.properties
                self._release(step, outcome)
        self.advance()

    def _release(self, step: Step, outcome: Outcome) -> None:
        for name in self._dependents[step.name]:
            branch = self.definition.steps[name].branch
            if branch is not None and branch[0] == step.name and branch[1] != outcome.properties["Outcome"]:
                continue  # the branch not taken: it, and what depends on it, waits for ever and so is never shown
            self._waits_for[name].discard(step.name)
            if not self._waits_for[name]:
                self._ready.append(name)

    def _end(self) -> None:
        try:
            if self.stopping.is_set():
                self._set_status(PipelineExecutionStatus="Stopped")
            elif self._failed:
                self._set_status(PipelineExecutionStatus="Failed", FailureReason=STEPS_FAILED)
            else:
                self._set_status(PipelineExecutionStatus="Succeeded")
        finally:
            self._on_end()

    def _set_status(self, **changes: Any) -> None:
        self.tools.jobs.store.update("pipeline-execution", self.id, **changes, LastModifiedTime=time.time())


class _Attempts:
    """The attempts at one step; each is the StepRun that its type is given, and the scope of its expressions."""

    def __init__(self, execution: Execution, step: Step) -> None:
        self.step = step
        self.service = execution.tools.service
        self.jobs = execution.tools.jobs
        self.objects: Objects = execution.tools.jobs.objects
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
        name = self.step.name
        outcome = None
        try:
            if self.stopping:  # it was waiting for a thread and has not been reached
                return
            self._show(
                StepName=name,
                StepDisplayName=self.step.settings.get("DisplayName"),
                StepDescription=self.step.settings.get("Description"),
                StartTime=time.time(),
                StepStatus="Starting",
                AttemptCount=1,
            )
            outcome = self._outcome()
            self._show(StepStatus="Succeeded", EndTime=time.time())
        except StepStopped:
            self._show(StepStatus="Stopped", EndTime=time.time())
        except StepFailed as failure:
            reason = str(failure)[:LONGEST_REASON] or None
            self._show(StepStatus="Failed", EndTime=time.time(), FailureReason=reason)
        except Exception as error:
            outcome = None
            log.exception("execution %s: step %s: internal error", self.execution_id, name)
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
        self._show(StepStatus="Stopping" if self.stopping else "Executing", Metadata=metadata)

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
        step_type, step, cache = STEPS[self.step.type], self.step, self._execution.tools.cache
        self.job_name = _job_name(self.execution_id, step.name)
        attributes = None if step.cache_expires_after is None else step_type.cache_key(self)
        if attributes is None or step.cache_expires_after is None:
            return self._with_retries()
        key = cache.key(self._execution.record["PipelineArn"], step.name, attributes)
        found = cache.find(key, step.cache_expires_after)
        if found is not None:
            self._show(Metadata=found["Metadata"], CacheHitResult=found["CacheHitResult"])
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
            self._execution.stopping.wait(delay)
            attempt += 1
            self.job_name = _job_name(self.execution_id, self.step.name)
            self._show(AttemptCount=attempt)

    def _show(self, **changes: Any) -> None:
        self._execution.change(self.step.name, **changes)


def _job_name(execution_id: str, step: str) -> str:
    """A name as the service gives one: pipelines-<execution>-<step>-<10 at random>, of at most 63 characters."""
    suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(10))
    start = f"pipelines-{execution_id}-"
    step = re.sub(r"[^a-zA-Z0-9]+", "-", step)[: 63 - len(start) - len(suffix) - 1].strip("-")
    return "-".join(filter(None, [start.rstrip("-"), step, suffix]))
