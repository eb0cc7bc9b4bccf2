"""One pipeline execution: which steps are ready, running, over; all of it in the store as it changes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_sagemaker.executions.definition import Definition, Step
from local_sagemaker.executions.step_attempts import StepAttempts
from local_sagemaker.executions.step_cache import StepCache
from local_sagemaker.executions.step_results import show_steps
from local_sagemaker.executions.steps.step_type import Outcome
from local_sagemaker.jobs.manager import JobManager
from local_sagemaker.protocol.service import Call
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.storage.record_kinds import PIPELINE_EXECUTION
from local_sagemaker.storage.records import Record

MOST_PARALLEL_STEPS = 50
STEPS_FAILED = "Step failure: One or multiple steps failed."


@dataclass(frozen=True)
class StepServices:
    """What executions work with. run_soon: runs a function in a thread, when one is free."""

    call: Call
    functions: LambdaService
    jobs: JobManager
    cache: StepCache
    run_soon: Callable[[Callable[[], None]], None]


class PipelineExecution:
    """The run of a definition under a `pipeline-execution` record.

    finished: the steps that are not to be run, with what is shown of them and their properties.
    on_end: is called once, when the last step is over and the record says how the execution ended.
    """

    def __init__(
        self,
        record: Record,
        definition: Definition,
        values: Record,
        finished: Mapping[str, tuple[Record, Record]],
        step_services: StepServices,
        on_end: Callable[[PipelineExecution], None],
    ) -> None:
        self.arn: str = record["PipelineExecutionArn"]
        self.id = self.arn.rpartition("/")[2]
        self.record = record
        self.definition = definition
        self.values = values
        self.step_services = step_services
        self.properties: dict[str, Mapping[str, Any]] = {name: last for name, (_, last) in finished.items()}
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
        self._ready = deque(
            name for name, others in self._waits_for.items() if not others and name not in self.properties
        )
        self._running: dict[str, StepAttempts] = {}
        self._steps: dict[str, Record] = {name: shown for name, (shown, _) in finished.items()}
        self._failed = False
        self._over = False
        for name in finished:
            self._release(definition.steps[name])

    def advance(self) -> None:
        """Start what can be started; end the execution where nothing is left to wait for."""
        with self._lock:
            ending = self._failed or self.stopping.is_set()
            while self._ready and not ending and len(self._running) < self._parallel:
                name = self._ready.popleft()
                attempts = self._running[name] = StepAttempts(self, self.definition.steps[name])
                self.step_services.run_soon(attempts.run)
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
            for name, attempts in list(self._running.items()):
                if name in self._steps:
                    self.change(name, StepStatus="Stopping")
                    attempts.stop_job()
                else:  # it waits for a thread, which other executions' jobs may keep from it for long
                    del self._running[name]
        self.advance()

    def begin(self, step: Step) -> bool:
        """Take note that a step has got its thread; False where it is not to run any more."""
        with self._lock:
            if step.name not in self._running:
                return False
            self.change(
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

    def change(self, name: str, *, write: bool = True, **changes: Any) -> None:
        """Change what ListPipelineExecutionSteps shows of a step, None for what it shows no more.

        write: False for what the next change may as well tell; a write waits for the disk.
        """
        with self._lock:
            shown = {**self._steps.get(name, {}), **changes}
            self._steps[name] = {member: value for member, value in shown.items() if value is not None}
            if write:
                show_steps(self.step_services.jobs.store, self.id, self._steps)

    def over(self, step: Step, outcome: Outcome | None) -> None:
        """Take note that a step is over, with its outcome where it has succeeded, and go on."""
        with self._lock:
            del self._running[step.name]
            if outcome is None:
                self._failed = True
            else:
                self.properties[step.name] = outcome.properties
                self._release(step)
        self.advance()

    def _release(self, step: Step) -> None:
        for name in self._dependents[step.name]:
            branch = self.definition.steps[name].branch
            if branch is not None and branch[0] == step.name and branch[1] != self.properties[step.name]["Outcome"]:
                continue  # the branch not taken: it, and what depends on it, waits for ever and so is never shown
            self._waits_for[name].discard(step.name)
            if not self._waits_for[name] and name not in self.properties:
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
            self._on_end(self)

    def _set_status(self, **changes: Any) -> None:
        self.step_services.jobs.store.update_best_effort(
            PIPELINE_EXECUTION.kind, self.id, **changes, LastModifiedTime=time.time()
        )
