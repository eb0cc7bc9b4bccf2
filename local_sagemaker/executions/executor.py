"""Starts, retries, stops and recovers pipeline executions.

Steps run in threads, most of which wait for the processes of a job.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local_sagemaker.executions.callbacks import Callbacks
from local_sagemaker.executions.definition import Definition, DefinitionError, parse
from local_sagemaker.executions.expressions import ExpressionError
from local_sagemaker.executions.pipeline_execution import STEPS_FAILED, PipelineExecution
from local_sagemaker.executions.selective_execution import selected_part
from local_sagemaker.executions.step_attempts import StepServices
from local_sagemaker.executions.step_cache import StepCache
from local_sagemaker.executions.step_images import check_images
from local_sagemaker.executions.step_results import finished_steps, readable_steps, save_steps
from local_sagemaker.executions.steps import STEP_TYPES
from local_sagemaker.executions.steps.step_type import Functions
from local_sagemaker.jobs.manager import INTERRUPTED, JobManager
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.storage.record_kinds import PIPELINE_EXECUTION
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)

_UNFINISHED = ("Starting", "Executing", "Stopping")


class Executor:
    """The pipeline executions of one data directory.

    Args:
        call: Calls a SageMaker operation.
        functions: The Lambda functions that Lambda steps invoke.
        callbacks: What Callback steps wait for.
        jobs: The jobs of the data directory.
        workers: Number of steps that run concurrently, over all executions; by default the number of CPUs.
    """

    def __init__(
        self, call: Call, functions: Functions, callbacks: Callbacks, jobs: JobManager, workers: int | None = None
    ) -> None:
        self._call = call
        self._store = jobs.store
        self._jobs = jobs
        self._threads = _ThreadPool(workers or os.cpu_count() or 1)
        self._callbacks = callbacks
        cache = StepCache(jobs.store, jobs.objects)
        self._step_services = StepServices(call, functions, callbacks, jobs, cache, self._threads.idle)
        self._running: dict[str, PipelineExecution] = {}
        self._ended = threading.Condition()

    def start(self, execution_arn: str) -> None:
        """Start the execution of an existing record, or resume one that has ended; return immediately.

        Succeeded steps do not run again. An execution with an invalid definition or invalid parameters fails without
        running a step.

        Raises:
            KeyError: The execution does not exist.
        """
        name = execution_arn.rpartition("/")[2]
        record = self._store.get(PIPELINE_EXECUTION.kind, name)
        if record is None:
            raise KeyError(execution_arn)
        try:
            definition, values = self._prepare(record)
        except (DefinitionError, ServiceError) as error:
            reason = f"ClientError: {error}"
            self._store.update_best_effort(
                PIPELINE_EXECUTION.kind,
                name,
                PipelineExecutionStatus="Failed",
                FailureReason=reason,
                LastModifiedTime=time.time(),
            )
            return
        finished = {
            step: result for step, result in finished_steps(self._store, name).items() if step in definition.steps
        }
        # failed and stopped steps are not listed until they run again
        save_steps(self._store, name, {step: summary for step, (summary, _) in finished.items()})
        execution = PipelineExecution(
            record, definition, values, finished, self._step_services, self._threads.run, self._remove
        )
        with self._ended:
            self._running[execution_arn] = execution
        execution.advance()

    def stop(self, execution_arn: str) -> None:
        """Start stopping an execution: stop its jobs and start no further steps. Has no effect if it has ended."""
        with self._ended:
            execution = self._running.get(execution_arn)
        if execution is not None:
            execution.stop()

    def wait(self, execution_arn: str, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the end of an execution; return whether it has ended."""
        with self._ended:
            return self._ended.wait_for(lambda: execution_arn not in self._running, timeout)

    def recover(self) -> None:
        """Mark executions and jobs that an earlier server left running as Failed. Call it before any start.

        Executions that only wait for clients, in Callback steps, are resumed.
        """
        self._jobs.recover()
        now = time.time()
        waiting = []
        for record in self._store.find(Query(PIPELINE_EXECUTION.kind, equal={"status": ("Executing", "Stopping")})):
            name = record["PipelineExecutionArn"].rpartition("/")[2]
            steps = readable_steps(self._store, name)
            unfinished = [step for step in steps.values() if step.get("StepStatus") in _UNFINISHED]
            if record["PipelineExecutionStatus"] == "Executing" and unfinished and all(map(_waits, unfinished)):
                waiting.append(record["PipelineExecutionArn"])
                continue
            for token in self._callbacks.waiting(record["PipelineExecutionArn"]):
                self._callbacks.discard(token)
            for step in unfinished:
                step |= {"StepStatus": "Failed", "EndTime": now, "FailureReason": INTERRUPTED}
            save_steps(self._store, name, steps)
            self._store.update_best_effort(
                PIPELINE_EXECUTION.kind,
                name,
                PipelineExecutionStatus="Failed",
                FailureReason=f"{STEPS_FAILED} {INTERRUPTED}",
                LastModifiedTime=now,
            )
        for arn in waiting:
            self.start(arn)

    def close(self) -> int:
        """Stop the executions and kill their jobs when the server shuts down.

        Returns:
            The number of executions that are not stopped, because `recover` resumes them.
        """
        with self._ended:
            executions = list(self._running.values())
        stopped = [execution for execution in executions if not execution.is_idle()]
        for execution in stopped:
            execution.stop()
        self._callbacks.close()
        self._jobs.close()
        return len(executions) - len(stopped)

    def _prepare(self, record: Record) -> tuple[Definition, Record]:
        """Return the definition of an execution, or the selected part of it, and the values of its parameters.

        Raises:
            DefinitionError: The definition or a parameter is invalid.
            ServiceError: The definition or the parameters are not available.
        """
        query = {"PipelineExecutionArn": record["PipelineExecutionArn"]}
        text = self._call("DescribePipelineDefinitionForExecution", query)["PipelineDefinition"]
        definition = parse(text, STEP_TYPES)
        values = definition.values(self._given_parameters(query))
        if selection := record.get("SelectiveExecutionConfig"):
            definition = selected_part(definition, [step["StepName"] for step in selection["SelectedSteps"]])
        check_images(definition, self._jobs.images, _ParameterScope(values))
        return definition, values

    def _given_parameters(self, query: Record) -> dict[str, str]:
        given: dict[str, str] = {}
        token: Record = {}
        while True:
            page = self._call("ListPipelineParametersForExecution", {**query, **token})
            given |= {parameter["Name"]: parameter["Value"] for parameter in page.get("PipelineParameters", [])}
            if "NextToken" not in page:
                return given
            token = {"NextToken": page["NextToken"]}

    def _remove(self, execution: PipelineExecution) -> None:
        with self._ended:
            # a retry may have replaced it
            if self._running.get(execution.arn) is execution:
                del self._running[execution.arn]
            self._ended.notify_all()


def _waits(step: Record) -> bool:
    return step["StepStatus"] == "Executing" and "Callback" in step.get("Metadata", {})


class _ParameterScope:
    """The scope of expressions before any step has run: only the parameters are available."""

    def __init__(self, values: Record) -> None:
        self._values = values

    def parameter(self, name: str) -> Any:
        return self._values[name]

    def _unknown(self, *_: str) -> Any:
        raise ExpressionError("available only while the execution runs")

    execution_variable = step_properties = property_file = json_object = _unknown


class _ThreadPool:
    """Runs functions in a limited number of daemon threads, in the order of the calls.

    ThreadPoolExecutor is not suitable: its threads keep the interpreter from exiting until the last function returns.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._queue: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()

    def run(self, function: Callable[[], None]) -> None:
        with self._lock:
            if self._free <= 0:
                self._queue.append(function)
                return
            self._free -= 1
        self._start(function)

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Do not count the calling thread. Until others have ended, there may be one more afterwards."""
        with self._lock:
            self._free += 1
            following = self._queue.popleft() if self._queue and self._free > 0 else None
            self._free -= following is not None
        if following is not None:
            self._start(following)
        try:
            yield
        finally:
            with self._lock:
                self._free -= 1

    def _start(self, function: Callable[[], None]) -> None:
        threading.Thread(target=self._work, args=(function,), name="step", daemon=True).start()

    def _work(self, function: Callable[[], None]) -> None:
        while True:
            try:
                function()
            except Exception:
                log.exception("internal error in the thread of a step")
            with self._lock:
                if not self._queue or self._free < 0:
                    self._free += 1
                    return
                function = self._queue.popleft()
