"""Pipeline executions: started, retried, stopped, recovered.

Their steps run in threads that wait for jobs' processes.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from local_sagemaker.executions.definition import Definition, DefinitionError, parse
from local_sagemaker.executions.expressions import ExpressionError
from local_sagemaker.executions.pipeline_execution import STEPS_FAILED, PipelineExecution, StepServices
from local_sagemaker.executions.selective_execution import selected_part
from local_sagemaker.executions.step_cache import StepCache
from local_sagemaker.executions.step_images import check_images
from local_sagemaker.executions.step_results import finished_steps, readable_steps, show_steps
from local_sagemaker.jobs.manager import INTERRUPTED, JobManager
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.storage.record_kinds import PIPELINE_EXECUTION
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)


class Executor:
    """The executions of one data directory."""

    def __init__(self, call: Call, functions: LambdaService, jobs: JobManager, workers: int | None = None) -> None:
        """Make the executor.

        Args:
            call: SageMaker's operations.
            functions: Invoked by Lambda steps.
            jobs: Runs the jobs of steps; the executor works on its records and objects.
            workers: How many steps of all executions run at once; by default one a processor.
        """
        self._call = call
        self._store = jobs.store
        self._jobs = jobs
        slots = _Slots(workers or os.cpu_count() or 1)
        self._tools = StepServices(call, functions, jobs, StepCache(jobs.store, jobs.objects), slots.run)
        self._running: dict[str, PipelineExecution] = {}
        self._ended = threading.Condition()

    def start(self, execution_arn: str) -> None:
        """Start the execution of that ARN, whose record is there, or go on with one that has ended; returns at once.

        Steps that have succeeded are not run again.
        One whose definition or parameters turn out to be of no use ends as Failed, with the reason, before any step.
        """
        name = execution_arn.rpartition("/")[2]
        record = self._store.get(PIPELINE_EXECUTION.kind, name)
        if record is None:
            raise KeyError(execution_arn)
        try:
            definition, values = self._prepared(record)
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
        # nothing is shown of those that have failed or been stopped until they are run again
        show_steps(self._store, name, {step: shown for step, (shown, _) in finished.items()})
        execution = PipelineExecution(record, definition, values, finished, self._tools, self._end)
        with self._ended:
            self._running[execution_arn] = execution
        execution.advance()

    def stop(self, execution_arn: str) -> None:
        """Begin to stop an execution: its jobs are stopped, no further step starts. One that is over stays as it is."""
        with self._ended:
            execution = self._running.get(execution_arn)
        if execution is not None:
            execution.stop()

    def wait(self, execution_arn: str, timeout: float) -> bool:
        """Wait for the end of an execution, at most `timeout` seconds; whether it has ended."""
        with self._ended:
            return self._ended.wait_for(lambda: execution_arn not in self._running, timeout)

    def recover(self) -> None:
        """Mark as Failed what was running when another server ended. Call it before any start."""
        self._jobs.recover()
        now = time.time()
        for record in self._store.all(PIPELINE_EXECUTION.kind):
            if record["PipelineExecutionStatus"] not in ("Executing", "Stopping"):
                continue
            name = record["PipelineExecutionArn"].rpartition("/")[2]
            steps = readable_steps(self._store, name)
            for step in steps.values():
                if step["StepStatus"] in ("Starting", "Executing", "Stopping"):
                    step |= {"StepStatus": "Failed", "EndTime": now, "FailureReason": INTERRUPTED}
            show_steps(self._store, name, steps)
            self._store.update_best_effort(
                PIPELINE_EXECUTION.kind,
                name,
                PipelineExecutionStatus="Failed",
                FailureReason=f"{STEPS_FAILED} {INTERRUPTED}",
                LastModifiedTime=now,
            )

    def close(self) -> None:
        """Stop all executions and end their jobs at once; for the end of the server."""
        with self._ended:
            executions = list(self._running.values())
        for execution in executions:
            execution.stop()
        self._jobs.close()

    def _prepared(self, record: Record) -> tuple[Definition, Record]:
        """The checked definition of an execution, or the part of it that is selected, and the values of its parameters.

        Raises DefinitionError, ServiceError.
        """
        query = {"PipelineExecutionArn": record["PipelineExecutionArn"]}
        text = self._call("DescribePipelineDefinitionForExecution", query)["PipelineDefinition"]
        definition = parse(text)
        values = definition.values(self._given_parameters(query))
        if selection := record.get("SelectiveExecutionConfig"):
            definition = selected_part(definition, [step["StepName"] for step in selection["SelectedSteps"]])
        check_images(definition, self._jobs.images, _Parameters(values))
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

    def _end(self, execution: PipelineExecution) -> None:
        with self._ended:
            if self._running.get(execution.arn) is execution:  # it may have been retried by now
                del self._running[execution.arn]
            self._ended.notify_all()


class _Parameters:
    """The scope in which nothing but the parameters is known."""

    def __init__(self, values: Record) -> None:
        self._values = values

    def parameter(self, name: str) -> Any:
        return self._values[name]

    def _unknown(self, *_: str) -> Any:
        raise ExpressionError("known only when the execution gets there")

    execution_variable = step_properties = property_file = json_object = _unknown


class _Slots:
    """Runs functions in threads, so many at once and the others in order.

    Not a ThreadPoolExecutor: that one keeps the interpreter from ending until the last function returns.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()

    def run(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._free == 0:
                self._waiting.append(work)
                return
            self._free -= 1
        threading.Thread(target=self._work, args=(work,), name="step", daemon=True).start()

    def _work(self, work: Callable[[], None]) -> None:
        while True:
            try:
                work()
            except Exception:
                log.exception("internal error in a step's thread")
            with self._lock:
                if not self._waiting:
                    self._free += 1
                    return
                work = self._waiting.popleft()
