"""Monitoring schedules at work: executions started when they are due, watched to their end, and recorded.

A schedule's record (kind `monitoring-schedule`, name in lower case) is DescribeMonitoringSchedule's answer, with
NextDue beside it: when its next execution is to be started, None where none is. An execution's (kind
`monitoring-execution`) is its summary in ListMonitoringExecutions' answer, with its MonitoringExecutionName and
OutputS3Uri beside it.
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
from local_sagemaker.model_monitor.captured_data import Captured, filled, find_captures
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
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)


SCHEDULE, EXECUTION = record_kinds.MONITORING_SCHEDULE.kind, record_kinds.MONITORING_EXECUTION.kind
NO_DATA = "Job inputs had no data"
# how the analyzer's exit message begins where it has found violations
VIOLATIONS = "CompletedWithViolations"
# how often is looked for what is due, at the least
LOOK_SECONDS = 60


class MonitoringScheduler:
    """The monitoring schedules of one data directory."""

    def __init__(
        self,
        call: Call,
        jobs: JobManager,
        flush_captures: Callable[[], None],
        put_metrics: PutMetrics,
        lock: threading.RLock,
    ) -> None:
        """Make the scheduler.

        Args:
            call: SageMaker's operations.
            jobs: Runs the processing jobs.
            flush_captures: Writes what endpoints have captured so far.
            put_metrics: Puts metrics to CloudWatch.
            lock: Held by operations that change schedules.
        """
        self._call, self._jobs = call, jobs
        self._store, self._objects = jobs.store, jobs.objects
        self._flush_captures, self._put_metrics = flush_captures, put_metrics
        self._lock = lock
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="monitoring execution")
        self._changed = threading.Event()
        self._closed = False

    def start(self) -> None:
        """Mark what another server left unfinished as Failed, and from now on start what is due.

        Of what fell due while no server ran only the latest is made up for.
        """
        for record in self._store.all(EXECUTION):
            if record["MonitoringExecutionStatus"] in ("Pending", "InProgress"):
                self._update(
                    record["MonitoringExecutionName"], MonitoringExecutionStatus="Failed", FailureReason=INTERRUPTED
                )
        threading.Thread(target=self._keep_time, name="monitoring schedules", daemon=True).start()

    def changed(self) -> None:
        """Take note that a schedule was created, changed, started or stopped."""
        self._changed.set()

    def close(self) -> None:
        """Start nothing more; for the end of the server, before its jobs are ended."""
        self._closed = True
        self._changed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def run_due(self, now: datetime) -> datetime | None:
        """Start what is due; when there is more to start."""
        with self._lock:
            for schedule in self._store.all(SCHEDULE):
                due = schedule["NextDue"]
                if schedule["MonitoringScheduleStatus"] == "Scheduled" and due is not None and due <= now.timestamp():
                    self._start(schedule, datetime.fromtimestamp(due, UTC), now)
        waiting = [
            schedule["NextDue"]
            for schedule in self._store.all(SCHEDULE)
            if schedule["MonitoringScheduleStatus"] == "Scheduled" and schedule["NextDue"] is not None
        ]
        return datetime.fromtimestamp(min(waiting), UTC) if waiting else None

    def run_now(self, schedule_name: str, start: datetime | None = None, end: datetime | None = None) -> Record:
        """Run an execution at once, due or not, and wait for its end; its summary.

        start, end: what it looks at, by default the last hour up to now, or up to `end`. The wait ends with the jobs'
        MaxRuntimeInSeconds. Raises ServiceError where there is no such schedule, or it cannot be run.
        """
        schedule = self._store.get(SCHEDULE, schedule_name.lower())
        if schedule is None:
            known = ", ".join(sorted(one["MonitoringScheduleName"] for one in self._store.all(SCHEDULE)))
            others = f"; there are: {known}" if known else ", nor any other"
            raise ServiceError("ResourceNotFound", f"There is no monitoring schedule {schedule_name!r}{others}")
        # to the next full second: an inference of this moment is part of it
        end = end or datetime.fromtimestamp(math.floor(time.time()) + 1, UTC)
        window = Window(start or end - HOUR, end)
        if window.start >= window.end:
            raise ServiceError("ValidationException", f"The window ends at {end}, which is not after its start {start}")
        name, done = self._submit(schedule, end, window)
        done.result()
        return self._store.get(EXECUTION, name) or {}

    def _keep_time(self) -> None:
        while not self._closed:
            self._changed.clear()
            try:
                due = self.run_due(datetime.now(UTC))
                seconds = LOOK_SECONDS if due is None else max(due.timestamp() - time.time(), 0)
            except Exception:
                log.exception("monitoring schedules: what is due cannot be started")
                seconds = LOOK_SECONDS
            # the time that a sleeping machine sleeps is not waited for
            self._changed.wait(min(seconds, LOOK_SECONDS))

    def _start(self, schedule: Record, due: datetime, now: datetime) -> None:
        expression = schedule["MonitoringScheduleConfig"].get("ScheduleConfig", {}).get("ScheduleExpression", DAILY)
        hours = () if expression == NOW else due_hours(expression)
        following = next_start(expression, now).timestamp() if hours else None
        # first of all: better no execution than one after the other, should the disk be full
        self._store.update(SCHEDULE, schedule["MonitoringScheduleName"].lower(), NextDue=following)
        self._submit(schedule, last_due(hours, now) if hours else due)

    def _submit(self, schedule: Record, scheduled: datetime, window: Window | None = None) -> tuple[str, Future[None]]:
        """Record a pending execution and have it run; its name, and what is done once it has ended."""
        config = schedule["MonitoringScheduleConfig"]
        identity = f"{scheduled:%Y%m%d%H%M}-{secrets.token_hex(12)}"
        name = f"{schedule['MonitoringScheduleName'].lower()}/{identity}"
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
        return name, self._pool.submit(self._run, name, identity, schedule, scheduled, window)

    def _run(self, name: str, identity: str, schedule: Record, scheduled: datetime, window: Window | None) -> None:
        config = schedule["MonitoringScheduleConfig"]
        try:
            job = find_job(config, self._call)
            window = window or window_of(scheduled, config.get("ScheduleConfig", {}), job.input)
            arn = schedule["MonitoringScheduleArn"]
            execution = MonitoringExecution(schedule["MonitoringScheduleName"], arn, job, scheduled, window, identity)
            self._update(name, MonitoringExecutionStatus="InProgress")
            ended = self._execute(name, execution)
        except _Failed as failure:
            ended = {"MonitoringExecutionStatus": failure.status, "FailureReason": failure.reason}
        except ServiceError as error:
            ended = {"MonitoringExecutionStatus": "Failed", "FailureReason": error.message[:LONGEST_REASON]}
        except Exception as error:
            log.exception("monitoring execution %s: internal error", name)
            reason = f"InternalServerError: {type(error).__name__}: {error}"
            ended = {"MonitoringExecutionStatus": "Failed", "FailureReason": reason[:LONGEST_REASON]}
        self._update(name, **{key: value for key, value in ended.items() if value is not None})

    def _execute(self, name: str, execution: MonitoringExecution) -> Record:
        """Run the execution's jobs; what its record says of its end. Raises _Failed, ServiceError."""
        self._flush_captures()
        captures = find_captures(execution.job, execution.window, self._call, self._objects)
        if not captures:
            raise _Failed(NO_DATA)
        dataset = self._merged(name, execution, captures) if execution.job.ground_truth else captures
        metrics: list[Datum] = []
        request = analysis_request(execution, dataset)
        job = self._job(name, request, collect=lambda container: metrics.extend(read_metrics(container)))
        if metrics and execution.job.environment.get("publish_cloudwatch_metrics") == "Enabled":
            try:
                self._put_metrics(namespace(execution.job), metrics)
            except Exception:
                log.exception("monitoring execution %s: its metrics cannot be put to CloudWatch", name)
        found = job.get("ExitMessage", "").startswith(VIOLATIONS)
        status = VIOLATIONS if found else "Completed"
        return {"MonitoringExecutionStatus": status, "OutputS3Uri": output_uri(execution)}

    def _merged(self, name: str, execution: MonitoringExecution, captures: Sequence[Captured]) -> list[Captured]:
        """The captures with their labels, which may have been collected at any time since."""
        collected = Window(execution.window.start, max(execution.window.end, datetime.now(UTC) + timedelta(seconds=1)))
        labels = filled(self._objects, execution.job.ground_truth or "", collected.hours)
        if not labels:
            raise _Failed(NO_DATA)
        self._job(name, merge_request(execution, captures, labels))
        merged = filled(self._objects, merge_uri(execution.job), [capture.folder for capture in captures])
        if not merged:
            raise _Failed(NO_DATA)
        return merged

    def _job(self, name: str, request: Record, collect: Callable[[Container], None] | None = None) -> Record:
        """Run a processing job to its end; its record. Raises _Failed where it does not complete."""
        if self._closed:
            raise _Failed(INTERRUPTED)
        arn = self._jobs.start("processing-job", request, collect=collect)
        self._update(name, ProcessingJobArn=arn)
        job = self._jobs.wait("processing-job", request["ProcessingJobName"])
        if job["ProcessingJobStatus"] != "Completed":
            raise _Failed(job.get("FailureReason"), job["ProcessingJobStatus"])
        return job

    def _update(self, name: str, **changes: Any) -> None:
        self._store.update_best_effort(EXECUTION, name, LastModifiedTime=time.time(), **changes)


class _Failed(Exception):
    """An execution that ends before its end, as Failed or Stopped."""

    def __init__(self, reason: str | None, status: str = "Failed") -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status
