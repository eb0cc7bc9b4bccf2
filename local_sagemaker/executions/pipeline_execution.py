"""A running pipeline execution: it starts steps as their dependencies succeed and records its progress."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from local_sagemaker.executions.definition import Definition, Step, dependents
from local_sagemaker.executions.step_attempts import StepAttempts, StepServices
from local_sagemaker.executions.step_results import save_steps
from local_sagemaker.executions.steps.step_type import Outcome
from local_sagemaker.storage.record_kinds import PIPELINE_EXECUTION
from local_sagemaker.storage.records import Record

# the service's default of MaxParallelExecutionSteps
MAX_PARALLEL_STEPS = 50
# maximum length of an execution's FailureReason
LONGEST_REASON = 1300
STEPS_FAILED = "Step failure: One or multiple steps failed."


class PipelineExecution:
    """The run of a definition, recorded in a `pipeline-execution` record.

    Args:
        record: The execution's record.
        definition: The steps to run, or to reuse.
        values: The parameters' values.
        finished: Summary and properties of the steps that have already succeeded, by name.
        step_services: What steps run on.
        run_in_thread: Calls a function in a thread as soon as one is free.
        on_end: Called once, when the last step has ended and the record has its final status.
    """

    def __init__(
        self,
        record: Record,
        definition: Definition,
        values: Record,
        finished: Mapping[str, tuple[Record, Record]],
        step_services: StepServices,
        run_in_thread: Callable[[Callable[[], None]], None],
        on_end: Callable[[PipelineExecution], None],
    ) -> None:
        self.arn: str = record["PipelineExecutionArn"]
        self.id = self.arn.rpartition("/")[2]
        self.record = record
        self.definition = definition
        self.values = values
        self.properties: dict[str, Mapping[str, Any]] = {name: properties for name, (_, properties) in finished.items()}
        self.stopping = threading.Event()
        self._step_services = step_services
        self._store = step_services.jobs.store
        self._run_in_thread = run_in_thread
        self._on_end = on_end
        limit = (record.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps")
        self._max_parallel = limit or MAX_PARALLEL_STEPS
        # guards everything below and the order of writes to the store
        self._lock = threading.RLock()
        self._pending_dependencies = {name: set(step.dependencies) for name, step in definition.steps.items()}
        self._dependents = dependents(definition.steps)
        self._ready = deque(
            name for name, pending in self._pending_dependencies.items() if not pending and name not in self.properties
        )
        self._running: dict[str, StepAttempts] = {}
        self._steps: dict[str, Record] = {name: summary for name, (summary, _) in finished.items()}
        self._failed = False
        self._ended = False
        for name in finished:
            self._release_dependents(definition.steps[name])

    def advance(self) -> None:
        """Start the steps that are ready, or end the execution if none is ready or running."""
        with self._lock:
            ending = self._failed or self.stopping.is_set()
            while self._ready and not ending and len(self._running) < self._max_parallel:
                name = self._ready.popleft()
                attempts = self._running[name] = StepAttempts(self, self.definition.steps[name], self._step_services)
                self._run_in_thread(attempts.run)
            if not self._running and not self._ended:
                self._ended = True
                self._end()

    def stop(self) -> None:
        """Stop the running jobs and start no further steps."""
        with self._lock:
            if self._ended or self.stopping.is_set():
                return
            self.stopping.set()
            self._set_status(PipelineExecutionStatus="Stopping")
            for name, attempts in list(self._running.items()):
                if name in self._steps:
                    self.update_step(name, StepStatus="Stopping")
                    attempts.stop()
                else:
                    # the step is queued for a thread, which jobs of other executions may occupy for long
                    del self._running[name]
        self.advance()

    def is_idle(self) -> bool:
        """Return whether the execution does nothing but wait for clients."""
        with self._lock:
            return bool(self._running) and all(attempts.is_idle for attempts in self._running.values())

    def step_started(self, step: Step) -> bool:
        """Record the start of a step; return False if the execution has been stopped meanwhile."""
        with self._lock:
            if step.name not in self._running:
                return False
            self.update_step(
                step.name,
                write=False,
                StepName=step.name,
                StepDisplayName=step.settings.get("DisplayName"),
                StepDescription=step.settings.get("Description"),
                StartTime=time.time(),
                StepStatus="Starting",
                AttemptCount=1,
            )
            return True

    def update_step(self, name: str, *, write: bool = True, **changes: Any) -> None:
        """Update what ListPipelineExecutionSteps returns for a step.

        Args:
            name: Name of the step.
            write: False if the change may be written together with the next one, since each write waits for the disk.
            changes: The new values; None removes a member.
        """
        with self._lock:
            summary = {**self._steps.get(name, {}), **changes}
            self._steps[name] = {member: value for member, value in summary.items() if value is not None}
            if write:
                save_steps(self._store, self.id, self._steps)

    def step_ended(self, step: Step, outcome: Outcome | None) -> None:
        """Record the end of a step and start those that depended on it; outcome is None unless it has succeeded."""
        with self._lock:
            del self._running[step.name]
            if outcome is None:
                self._failed = True
            else:
                self.properties[step.name] = outcome.properties
                self._release_dependents(step)
        self.advance()

    def _release_dependents(self, step: Step) -> None:
        for name in self._dependents[step.name]:
            branch = self.definition.steps[name].branch
            if branch is not None and branch[0] == step.name and branch[1] != self.properties[step.name]["Outcome"]:
                # the steps of the branch not taken, and those that depend on them, never become ready or listed
                continue
            self._pending_dependencies[name].discard(step.name)
            if not self._pending_dependencies[name] and name not in self.properties:
                self._ready.append(name)

    def _end(self) -> None:
        try:
            if self.stopping.is_set():
                self._set_status(PipelineExecutionStatus="Stopped")
            elif self._failed:
                self._set_status(PipelineExecutionStatus="Failed", FailureReason=self._failure_reason())
            else:
                self._set_status(PipelineExecutionStatus="Succeeded")
        finally:
            self._on_end(self)

    def _failure_reason(self) -> str:
        """Return SageMaker's words and, for clients that do not list the steps, why the first step has failed."""
        failed = [step for step in self._steps.values() if step.get("StepStatus") == "Failed"]
        first = min(failed, key=lambda step: step["EndTime"])
        reason = f" {first['StepName']}: {first['FailureReason']}" if "FailureReason" in first else ""
        return f"{STEPS_FAILED}{reason}"[:LONGEST_REASON]

    def _set_status(self, **changes: Any) -> None:
        self._store.update_best_effort(PIPELINE_EXECUTION.kind, self.id, **changes, LastModifiedTime=time.time())
