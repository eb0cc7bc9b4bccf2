"""Runs monitoring schedules: starts executions when they are due, waits for their jobs, and records the results.

A schedule's record (kind `monitoring-schedule`, name in lower case) is DescribeMonitoringSchedule's response with
NextDue, the time of its next execution, None if there is none. An execution's record (kind `monitoring-execution`) is
its summary in ListMonitoringExecutions' response with MonitoringExecutionName and OutputS3Uri.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from local_sagemaker.containers.container import Container
from local_sagemaker.jobs.job import LONGEST_REASON
from local_sagemaker.jobs.manager import INTERRUPTED, JobManager
from local_sagemaker.model_monitor.dataset_sources import DatasetSource, find_captures, non_empty_sources
from local_sagemaker.model_monitor.metrics import Datum, PutMetrics, namespace, read_metrics
from local_sagemaker.model_monitor.monitoring_job import find_job
from local_sagemaker.model_monitor.processing_requests import (
    MonitoringExecution,
    analysis_request,
    merge_request,
    merge_uri,
    output_uri,
)
from local_sagemaker.model_monitor.schedule_times import (
    DAILY,
    HOUR,
    NOW,
    Window,
    due_hours,
    last_due,
    next_start,
    window_of,
)
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)

SCHEDULE, EXECUTION = record_kinds.MONITORING_SCHEDULE.kind, record_kinds.MONITORING_EXECUTION.kind
NO_DATA = "Job inputs had no data"
# the prefix of the analyzer's exit message if it has found violations
VIOLATIONS = "CompletedWithViolations"
# the longest time between two looks at the clock, which matters after the computer was suspended
MAX_WAIT_SECONDS = 60


class MonitoringScheduler:
    """The monitoring schedules of one data directory.

    Args:
        call: Calls an operation of SageMaker.
        jobs: Runs the processing jobs.
        flush_captures: Writes the pending captured data of endpoints.
        put_metrics: Publishes metrics to CloudWatch.
        lock: Held by operations that change schedules.
    """

    def __init__(
        self,
        call: Call,
        jobs: JobManager,
        flush_captures: Callable[[], None],
        put_metrics: PutMetrics,
        lock: threading.RLock,
    ) -> None:
        self._call, self._jobs = call, jobs
        self._store, self._objects = jobs.store, jobs.objects
        self._flush_captures, self._put_metrics = flush_captures, put_metrics
        self._lock = lock
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="monitoring execution")
        self._changed = threading.Event()
        self._closed = False

    def start(self) -> None:
        """Mark unfinished executions of an earlier server as Failed, and run schedules from now on.

        Of the executions that a schedule has missed while no server was running, only the latest is made up for.
        """
        for record in self._store.find(Query(EXECUTION, equal={"status": ("Pending", "InProgress")})):
            self._update(
                record["MonitoringExecutionName"], MonitoringExecutionStatus="Failed", FailureReason=INTERRUPTED
            )
        threading.Thread(target=self._run_schedules, name="monitoring schedules", daemon=True).start()

    def changed(self) -> None:
        """Notify the scheduler that a schedule was created, updated, started or stopped."""
        self._changed.set()

    def close(self) -> None:
        """Start no more executions; called when the server stops, before its jobs are stopped."""
        self._closed = True
        self._changed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def run_due(self, now: datetime) -> datetime | None:
        """Start the executions that are due. Returns when the next one is due, None if there is none."""
        with self._lock:
            for schedule in self._store.all(SCHEDULE):
                due = schedule.get("NextDue")
                if schedule["MonitoringScheduleStatus"] == "Scheduled" and due is not None and due <= now.timestamp():
                    self._start(schedule, datetime.fromtimestamp(due, UTC), now)
        waiting = [
            schedule["NextDue"]
            for schedule in self._store.all(SCHEDULE)
            if schedule["MonitoringScheduleStatus"] == "Scheduled" and schedule.get("NextDue") is not None
        ]
        return datetime.fromtimestamp(min(waiting), UTC) if waiting else None

    def run_now(self, schedule_name: str, start: datetime | None = None, end: datetime | None = None) -> Record:
        """Run an execution immediately and wait for its end, at most for the MaxRuntimeInSeconds of its jobs.

        Args:
            schedule_name: The schedule.
            start: The start of the time window; by default an hour before its end.
            end: The end of the time window; by default now.

        Returns:
            The summary of the execution.

        Raises:
            ServiceError: The schedule does not exist, or the window is empty.
        """
        schedule = self._store.get(SCHEDULE, schedule_name.lower())
        if schedule is None:
            known = ", ".join(sorted(record["MonitoringScheduleName"] for record in self._store.all(SCHEDULE)))
            raise ServiceError(
                "ResourceNotFound",
                f"Monitoring schedule {schedule_name!r} does not exist; existing schedules: {known or 'none'}",
            )
        # rounded up to a full second, so that an inference made just now is included
        end = end or datetime.fromtimestamp(math.floor(time.time()) + 1, UTC)
        window = Window(start or end - HOUR, end)
        if window.start >= window.end:
            raise ServiceError("ValidationException", f"The start of the window, {start}, must precede its end, {end}")
        name, done = self._submit(schedule, end, window)
        done.result()
        return self._store.get(EXECUTION, name) or {}

    def _run_schedules(self) -> None:
        while not self._closed:
            self._changed.clear()
            try:
                due = self.run_due(datetime.now(UTC))
                seconds = MAX_WAIT_SECONDS if due is None else max(due.timestamp() - time.time(), 0)
            except Exception:
                log.exception("monitoring schedules: cannot start the executions that are due")
                seconds = MAX_WAIT_SECONDS
            # while the computer is suspended, this wait does not advance
            self._changed.wait(min(seconds, MAX_WAIT_SECONDS))

    def _start(self, schedule: Record, due: datetime, now: datetime) -> None:
        expression = schedule["MonitoringScheduleConfig"].get("ScheduleConfig", {}).get("ScheduleExpression", DAILY)
        hours = () if expression == NOW else due_hours(expression)
        following = next_start(expression, now).timestamp() if hours else None
        # recorded first: if the disk is full, no execution is better than one after another
        self._store.update(SCHEDULE, schedule["MonitoringScheduleName"].lower(), NextDue=following)
        self._submit(schedule, last_due(hours, now) if hours else due)

    def _submit(self, schedule: Record, scheduled: datetime, window: Window | None = None) -> tuple[str, Future[None]]:
        """Record a pending execution and run it in the background.

        Returns:
            Its name, and a future that is done when it has ended.
        """
        config = schedule["MonitoringScheduleConfig"]
        execution_id = f"{scheduled:%Y%m%d%H%M}-{secrets.token_hex(12)}"
        name = f"{schedule['MonitoringScheduleName'].lower()}/{execution_id}"
        now = time.time()
        record = {
            "MonitoringExecutionName": name,
            "MonitoringScheduleName": schedule["MonitoringScheduleName"],
            "ScheduledTime": scheduled.timestamp(),
            "CreationTime": now,
            "LastModifiedTime": now,
            "MonitoringExecutionStatus": "Pending",
            "EndpointName": schedule.get("EndpointName"),
            "MonitoringJobDefinitionName": config.get("MonitoringJobDefinitionName"),
            "MonitoringType": schedule["MonitoringType"],
        }
        self._store.put(EXECUTION, name, {key: value for key, value in record.items() if value is not None})
        return name, self._pool.submit(self._run, name, execution_id, schedule, scheduled, window)

    def _run(self, name: str, execution_id: str, schedule: Record, scheduled: datetime, window: Window | None) -> None:
        config = schedule["MonitoringScheduleConfig"]
        try:
            job = find_job(config, self._call)
            window = window or window_of(scheduled, config.get("ScheduleConfig", {}), job.input)
            arn = schedule["MonitoringScheduleArn"]
            execution = MonitoringExecution(
                schedule["MonitoringScheduleName"], arn, job, scheduled, window, execution_id
            )
            self._update(name, MonitoringExecutionStatus="InProgress")
            changes = self._execute(name, execution)
        except _ExecutionFailed as failure:
            changes = {"MonitoringExecutionStatus": failure.status, "FailureReason": failure.reason}
        except ServiceError as error:
            changes = {"MonitoringExecutionStatus": "Failed", "FailureReason": error.message[:LONGEST_REASON]}
        except Exception as error:
            log.exception("monitoring execution %s: internal error", name)
            reason = f"InternalServerError: {type(error).__name__}: {error}"
            changes = {"MonitoringExecutionStatus": "Failed", "FailureReason": reason[:LONGEST_REASON]}
        self._update(name, **{key: value for key, value in changes.items() if value is not None})

    def _execute(self, name: str, execution: MonitoringExecution) -> Record:
        """Run the execution's jobs and return the changes to its record. Raises _ExecutionFailed, ServiceError."""
        self._flush_captures()
        captures = find_captures(execution.job, execution.window, self._call, self._objects)
        if not captures:
            raise _ExecutionFailed(NO_DATA)
        dataset = self._merge_labels(name, execution, captures) if execution.job.ground_truth else captures
        metrics: list[Datum] = []
        request = analysis_request(execution, dataset)
        job = self._run_job(name, request, collect=lambda container: metrics.extend(read_metrics(container)))
        if metrics and execution.job.environment.get("publish_cloudwatch_metrics") == "Enabled":
            try:
                self._put_metrics(namespace(execution.job), metrics)
            except Exception:
                log.exception("monitoring execution %s: cannot publish its metrics to CloudWatch", name)
        has_violations = job.get("ExitMessage", "").startswith(VIOLATIONS)
        status = VIOLATIONS if has_violations else "Completed"
        return {"MonitoringExecutionStatus": status, "OutputS3Uri": output_uri(execution)}

    def _merge_labels(
        self, name: str, execution: MonitoringExecution, captures: Sequence[DatasetSource]
    ) -> list[DatasetSource]:
        """Merge captured data with its labels, which may have been uploaded at any time since."""
        upload_window = Window(
            execution.window.start, max(execution.window.end, datetime.now(UTC) + timedelta(seconds=1))
        )
        labels = non_empty_sources(self._objects, execution.job.ground_truth or "", upload_window.hours)
        if not labels:
            raise _ExecutionFailed(NO_DATA)
        self._run_job(name, merge_request(execution, captures, labels))
        merged = non_empty_sources(self._objects, merge_uri(execution.job), [capture.folder for capture in captures])
        if not merged:
            raise _ExecutionFailed(NO_DATA)
        return merged

    def _run_job(self, name: str, request: Record, collect: Callable[[Container], None] | None = None) -> Record:
        """Run a processing job and return its record. Raises _ExecutionFailed if it does not complete."""
        if self._closed:
            raise _ExecutionFailed(INTERRUPTED)
        arn = self._jobs.start("processing-job", request, collect=collect)
        self._update(name, ProcessingJobArn=arn)
        job = self._jobs.wait("processing-job", request["ProcessingJobName"])
        if job["ProcessingJobStatus"] != "Completed":
            raise _ExecutionFailed(job.get("FailureReason"), job["ProcessingJobStatus"])
        return job

    def _update(self, name: str, **changes: Any) -> None:
        self._store.update_best_effort(EXECUTION, name, LastModifiedTime=time.time(), **changes)


class _ExecutionFailed(Exception):
    """An execution cannot complete; its status becomes Failed or Stopped."""

    def __init__(self, reason: str | None, status: str = "Failed") -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status
