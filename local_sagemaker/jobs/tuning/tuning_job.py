"""A running hyperparameter tuning job: it runs training jobs with the hyperparameters that a search suggests.

Its record has the members of DescribeHyperParameterTuningJob except those derived from its training jobs, which
`results` adds. The additional member `TrainingJobs` has the name and the hyperparameters of each, in starting order.
"""

from __future__ import annotations

import functools
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from typing import Protocol

from local_sagemaker.jobs.job import JobResult
from local_sagemaker.jobs.running_job import RunningJob
from local_sagemaker.jobs.tuning.early_stopping import MedianRule
from local_sagemaker.jobs.tuning.results import TRAINING, TUNING, final_value, training_jobs
from local_sagemaker.jobs.tuning.tuning_request import search_of
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record, RecordStore

log = logging.getLogger(__name__)

# the tuning job fails if this many of the first training jobs complete without an objective
MAX_WITHOUT_OBJECTIVE = 5

ALL_FAILED = "All training jobs failed. Please take a look at the training jobs failures to get more details."
NO_OBJECTIVE = (
    "No objective metrics found after running {count} training jobs. Please ensure that the custom algorithm is "
    "emitting the objective metric as defined by the regular expression provided."
)
# members of a training job's definition that CreateTrainingJob does not have
_DEFINITION_ONLY = (
    "DefinitionName",
    "TuningObjective",
    "HyperParameterRanges",
    "StaticHyperParameters",
    "HyperParameterTuningResourceConfig",
)


class TrainingJobs(Protocol):
    """The part of the JobManager that runs training jobs."""

    store: RecordStore

    def start(
        self,
        kind: str,
        request: Record,
        on_metric: Callable[[str, float], None] | None = None,
        *,
        concurrent: int = 1,
    ) -> str: ...

    def stop(self, kind: str, name: str) -> None: ...

    def wait(self, kind: str, name: str) -> Record: ...


class TuningJob(RunningJob):
    """A running tuning job.

    Raises:
        ServiceError: The ranges cannot be searched.
    """

    def __init__(self, jobs: TrainingJobs, record: Record) -> None:
        super().__init__(TUNING, record["HyperParameterTuningJobName"], jobs.store)
        self._jobs = jobs
        self._record = record
        self._config = record["HyperParameterTuningJobConfig"]
        self._objective = self._config["HyperParameterTuningJobObjective"]
        limits = self._config["ResourceLimits"]
        self._remaining_jobs = limits.get("MaxNumberOfTrainingJobs", float("inf"))
        # more concurrent jobs than CPUs would not be faster
        self._workers = min(limits["MaxParallelTrainingJobs"], os.cpu_count() or 1)
        # notified of results, and of the end
        self._changed = threading.Condition(self._lock)
        # guarded by the lock
        self._search = search_of(jobs.store, record)
        self._running: set[str] = set()
        self._started: list[Record] = []
        self._without_objective = 0
        self._any_objective = False
        self._median_rule = MedianRule(maximize=self._objective["Type"] == "Maximize")

    def kill(self) -> None:
        """Do nothing: the JobManager kills the training jobs."""

    def _interrupt(self) -> None:
        with self._changed:
            running = list(self._running)
            self._changed.notify_all()
        for name in running:
            self._jobs.stop(TRAINING, name)

    def _work(self) -> JobResult:
        limit = self._config["ResourceLimits"].get("MaxRuntimeInSeconds")
        timer = threading.Timer(limit or 0, self.end, [JobResult("Completed")])
        timer.daemon = True
        if limit is not None:
            timer.start()
        try:
            workers = [threading.Thread(target=self._run_training_jobs, daemon=True) for _ in range(self._workers)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            return self._requested_result or self._result()
        finally:
            timer.cancel()

    def _result(self) -> JobResult:
        summaries = training_jobs(self._store, {**self._record, "TrainingJobs": self._started})
        if all(job["TrainingJobStatus"] == "Failed" for job in summaries):
            return JobResult("Failed", ALL_FAILED)
        if not self._any_objective:
            return JobResult("Failed", NO_OBJECTIVE.format(count=len(summaries)))
        return JobResult("Completed")

    def _run_training_jobs(self) -> None:
        """Run training jobs one after the other until none is left to start."""
        try:
            while (started := self._start_next()) is not None:
                name, number = started
                self._jobs.wait(TRAINING, name)
                self._record_result(name, number)
        except ServiceError as error:
            self.end(JobResult("Failed", f"ClientError: {error.message}"))
        except Exception as error:
            log.exception("tuning job %s: internal error", self._name)
            self.end(JobResult("Failed", f"InternalServerError: {type(error).__name__}: {error}"))

    def _start_next(self) -> tuple[str, int] | None:
        """Start the next training job; return its name and the number of its suggestion, or None if there is none."""
        with self._changed:
            self._changed.wait_for(lambda: not self._may_start() or self._search.is_ready())
            suggestion = self._search.ask() if self._may_start() else None
            if suggestion is None:
                return None
            self._remaining_jobs -= 1
            name = f"{self._name}-{len(self._started) + 1:03}-{secrets.token_hex(4)}"
            hyperparameters = dict(suggestion.hyperparameters)
            self._started.append({"TrainingJobName": name, "TunedHyperParameters": hyperparameters})
            # recorded before the start: after a crash a training job that is not listed would belong to no tuning job
            self._store.update(TUNING, self._name, TrainingJobs=self._started, LastModifiedTime=time.time())
            request = self._training_request(name, hyperparameters)
            on_metric = self._early_stopping(name, suggestion.number)
            self._jobs.start(TRAINING, request, on_metric, concurrent=self._workers)
            self._running.add(name)
            return name, suggestion.number

    def _may_start(self) -> bool:
        return self._requested_result is None and self._remaining_jobs > 0

    def _training_request(self, name: str, hyperparameters: dict[str, str]) -> Record:
        definition = self._record["TrainingJobDefinition"]
        resources = definition.get("HyperParameterTuningResourceConfig")
        return {
            **{member: value for member, value in definition.items() if member not in _DEFINITION_ONLY},
            **({"ResourceConfig": _resource_config(resources)} if resources else {}),
            "TrainingJobName": name,
            "TuningJobArn": self._record["HyperParameterTuningJobArn"],
            "HyperParameters": {**definition.get("StaticHyperParameters", {}), **hyperparameters},
        }

    def _record_result(self, name: str, number: int) -> None:
        job = self._store.get(TRAINING, name) or {}
        completed = job.get("TrainingJobStatus") == "Completed"
        value = None
        if completed or job.get("TrainingJobStatus") == "Stopped":
            value = final_value(job, self._objective["MetricName"])
        with self._changed:
            self._running.discard(name)
            self._median_rule.job_ended(name, completed)
            self._search.tell(number, value)
            self._changed.notify_all()
            if value is not None:
                self._any_objective = True
            elif completed:
                self._without_objective += 1
            give_up = self._without_objective >= MAX_WITHOUT_OBJECTIVE and not self._any_objective
        if give_up:
            self.end(JobResult("Failed", NO_OBJECTIVE.format(count=self._without_objective)))

    def _early_stopping(self, name: str, number: int) -> Callable[[str, float], None] | None:
        if self._config.get("TrainingJobEarlyStoppingType") == "Auto":
            rule, reason = (
                functools.partial(self._median_rule.should_stop, name),
                "its objective is worse than the median",
            )
        elif self._config["Strategy"] == "Hyperband":
            rule, reason = functools.partial(self._search.should_stop, number), "Hyperband continues without it"
        else:
            return None

        def on_metric(metric: str, value: float) -> None:
            if metric != self._objective["MetricName"]:
                return
            with self._lock:
                stop = name in self._running and rule(value)
            if stop:
                log.info("training job %s: stopped early, %s", name, reason)
                self._jobs.stop(TRAINING, name)

        return on_metric


def _resource_config(resources: Record) -> Record:
    """Return the ResourceConfig of training jobs, with the first instance type that SageMaker may choose."""
    instances = (resources.get("InstanceConfigs") or [resources])[0]
    members = {"VolumeSizeInGB": resources.get("VolumeSizeInGB"), **instances}
    names = ("InstanceType", "InstanceCount", "VolumeSizeInGB")
    return {name: members[name] for name in names if members.get(name) is not None}
