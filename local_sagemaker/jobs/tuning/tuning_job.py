"""A hyperparameter tuning job: training jobs, so many at once, on hyperparameters that a search hands out.

Its record has the members of DescribeHyperParameterTuningJob but for those that follow from its training jobs, which
`tuning_results` adds, and, ours, `TrainingJobs`: the name and the hyperparameters of each, in the order of their start.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import statistics
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local_sagemaker.algorithms.xgboost.built_in import TUNING_OBJECTIVE, is_built_in, metric_definitions
from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.jobs.job import JobResult, end_of_record, job_record
from local_sagemaker.jobs.tuning.results import TRAINING, TUNING, final_value, ranked, training_jobs
from local_sagemaker.jobs.tuning.search import Search, SearchError, make_search
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record, RecordStore

if TYPE_CHECKING:
    from local_sagemaker.jobs.manager import JobManager

log = logging.getLogger(__name__)

# the tuning job gives up when the first ones, so many, have all ended without an objective
MOST_WITHOUT_OBJECTIVE = 5

ALL_FAILED = "All training jobs failed. Please take a look at the training jobs failures to get more details."
NO_OBJECTIVE = (
    "No objective metrics found after running {count} training jobs. Please ensure that the custom algorithm is "
    "emitting the objective metric as defined by the regular expression provided."
)
# of a training job's definition, what its Create request has not
_NOT_OF_TRAINING = (
    "DefinitionName",
    "TuningObjective",
    "HyperParameterRanges",
    "StaticHyperParameters",
    "HyperParameterTuningResourceConfig",
)


def new_record(request: Record, images: Images, now: float) -> Record:
    """The record of a tuning job as it is created. Raises ServiceError for a request that cannot be honoured here."""
    for member in ("TrainingJobDefinitions", "Autotune"):
        if member in request:
            raise ServiceError("ValidationException", f"{member} is not supported on this machine")
    config, definition = request["HyperParameterTuningJobConfig"], request.get("TrainingJobDefinition")
    if definition is None or "HyperParameterTuningJobObjective" not in config:
        raise ServiceError("ValidationException", "Give TrainingJobDefinition and HyperParameterTuningJobObjective")
    if "TuningJobCompletionCriteria" in config:
        raise ServiceError("ValidationException", "TuningJobCompletionCriteria is not supported on this machine")
    specification, metric = definition["AlgorithmSpecification"], config["HyperParameterTuningJobObjective"]
    fixed = definition.get("StaticHyperParameters", {})
    try:
        runtime = images.find(specification.get("TrainingImage", ""), TRAINING)
        regexes = {item["Name"]: item["Regex"] for item in metric_definitions(runtime, specification, fixed)}
        for regex in regexes.values():
            re.compile(regex)
    except (re.error, UnsupportedImage) as error:
        raise ServiceError("ValidationException", str(error)) from error
    if metric["MetricName"] not in regexes:
        raise ServiceError(
            "ValidationException",
            f"The objective metric {metric['MetricName']!r} is none of MetricDefinitions ({', '.join(regexes)})",
        )
    if is_built_in(runtime, specification, fixed):
        definition = {**definition, "StaticHyperParameters": {**fixed, TUNING_OBJECTIVE: metric["MetricName"]}}
    if config["Strategy"] != "Grid" and "MaxNumberOfTrainingJobs" not in config["ResourceLimits"]:
        raise ServiceError("ValidationException", "ResourceLimits needs MaxNumberOfTrainingJobs")
    return {**job_record(TUNING, request, now), "TrainingJobDefinition": definition, "TrainingJobs": []}


class Tuning:
    """One tuning job on its way. Raises ServiceError for ranges that cannot be searched."""

    def __init__(self, jobs: JobManager, record: Record) -> None:
        self.done = threading.Event()
        self._jobs, self._store = jobs, jobs.store
        self.name: str = record["HyperParameterTuningJobName"]
        self._record = record
        self._config = record["HyperParameterTuningJobConfig"]
        limits = self._config["ResourceLimits"]
        self._left = limits.get("MaxNumberOfTrainingJobs", float("inf"))
        # more at once than there are processors would only be slower
        self._workers = min(limits["MaxParallelTrainingJobs"], os.cpu_count() or 1)
        # guards all that follows, and the search
        self._lock = threading.RLock()
        self._search = _search(self._store, record)
        self._running: set[str] = set()
        self._started: list[Record] = []
        self._without_objective = 0
        self._any_objective = False
        self._ending: JobResult | None = None
        self._median = MedianRule(self._config["HyperParameterTuningJobObjective"]["Type"] == "Maximize")

    def start(self, ended: Callable[[], object]) -> None:
        threading.Thread(target=self._run, args=(ended,), name=f"job {self.name}", daemon=True).start()

    def end(self, ending: JobResult) -> None:
        """Begin to end the tuning job in this way, unless that has begun already.

        No further training job is started, and those that run are stopped.
        """
        with self._lock:
            if self._ending is not None or self.done.is_set():
                return
            self._ending = ending
            if ending.status == "Stopped":
                self._change(HyperParameterTuningJobStatus="Stopping")
            running = list(self._running)
        for name in running:
            self._jobs.stop(TRAINING, name)

    def kill(self) -> None:
        """Nothing: the training jobs are jobs of their own, and ended as such."""

    def _run(self, ended: Callable[[], object]) -> None:
        limit = self._config["ResourceLimits"].get("MaxRuntimeInSeconds")
        if limit is not None:
            timer = threading.Timer(limit, self.end, [JobResult("Completed")])
            timer.daemon = True
            timer.start()
        try:
            workers = [threading.Thread(target=self._work, daemon=True) for _ in range(self._workers)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            ending = self._ending or self._outcome()
        except Exception as error:
            log.exception("tuning job %s: internal error", self.name)
            ending = JobResult("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            if limit is not None:
                timer.cancel()
        try:
            self._store.update_best_effort(TUNING, self.name, **end_of_record(TUNING, ending, time.time()))
        except Exception:
            log.exception("tuning job %s: its end cannot be recorded", self.name)
        finally:
            self.done.set()
            ended()

    def _outcome(self) -> JobResult:
        summaries = training_jobs(self._store, {**self._record, "TrainingJobs": self._started})
        if all(job["TrainingJobStatus"] == "Failed" for job in summaries):
            return JobResult("Failed", ALL_FAILED)
        if not self._any_objective:
            return JobResult("Failed", NO_OBJECTIVE.format(count=len(summaries)))
        return JobResult("Completed")

    def _work(self) -> None:
        """Run training jobs one after the other, until there are no more."""
        try:
            while (started := self._next()) is not None:
                name, hyperparameters = started
                self._jobs.wait(TRAINING, name)
                self._take_note(name, hyperparameters)
        except ServiceError as error:
            self.end(JobResult("Failed", f"ClientError: {error.message}"))
        except Exception as error:
            log.exception("tuning job %s: internal error", self.name)
            self.end(JobResult("Failed", f"InternalServerError: {type(error).__name__}: {error}"))

    def _next(self) -> tuple[str, dict[str, str]] | None:
        """Start the next training job; its name and hyperparameters, None where there is to be none."""
        with self._lock:
            hyperparameters = self._search.ask() if self._ending is None and self._left > 0 else None
            if hyperparameters is None:
                return None
            self._left -= 1
            name = f"{self.name}-{len(self._started) + 1:03}-{secrets.token_hex(4)}"
            # the list first: a job that it does not name would be nobody's after a crash
            self._started.append({"TrainingJobName": name, "TunedHyperParameters": hyperparameters})
            self._change(TrainingJobs=self._started)
            self._jobs.start(TRAINING, self._training_request(name, hyperparameters), self._watch(name))
            self._running.add(name)
            return name, hyperparameters

    def _training_request(self, name: str, hyperparameters: dict[str, str]) -> Record:
        definition = self._record["TrainingJobDefinition"]
        return {
            **{member: value for member, value in definition.items() if member not in _NOT_OF_TRAINING},
            "TrainingJobName": name,
            "TuningJobArn": self._record["HyperParameterTuningJobArn"],
            "HyperParameters": {**definition.get("StaticHyperParameters", {}), **hyperparameters},
        }

    def _take_note(self, name: str, hyperparameters: dict[str, str]) -> None:
        job = self._store.get(TRAINING, name) or {}
        value = final_value(job, self._config["HyperParameterTuningJobObjective"]["MetricName"])
        value = value if job.get("TrainingJobStatus") in ("Completed", "Stopped") else None
        with self._lock:
            self._running.discard(name)
            self._median.ended(name, counts=job.get("TrainingJobStatus") == "Completed")
            self._search.tell(hyperparameters, value)
            if value is not None:
                self._any_objective = True
            elif job.get("TrainingJobStatus") == "Completed":
                self._without_objective += 1
            give_up = self._without_objective >= MOST_WITHOUT_OBJECTIVE and not self._any_objective
        if give_up:
            self.end(JobResult("Failed", NO_OBJECTIVE.format(count=self._without_objective)))

    def _watch(self, name: str) -> Callable[[str, float], None] | None:
        if self._config.get("TrainingJobEarlyStoppingType") != "Auto":
            return None
        objective = self._config["HyperParameterTuningJobObjective"]["MetricName"]

        def watch(metric: str, value: float) -> None:
            if metric != objective:
                return
            with self._lock:
                hopeless = self._median.is_hopeless(name, value)
            if hopeless:
                log.info("training job %s does worse than others did: stopped early", name)
                self._jobs.stop(TRAINING, name)

        return watch

    def _change(self, **changes: Any) -> None:
        self._store.update(TUNING, self.name, **changes, LastModifiedTime=time.time())


class MedianRule:
    """Which training jobs are to be stopped early: those whose objective is worse than the median of the running
    averages that completed ones had at the same epoch ("Stop Training Jobs Early" in the developer guide).
    """

    def __init__(self, maximize: bool) -> None:
        self._sign = 1 if maximize else -1
        self._values: dict[str, list[float]] = {}
        self._completed: list[list[float]] = []

    def is_hopeless(self, job: str, value: float) -> bool:
        """Take note of a job's objective after one more epoch; whether to stop it."""
        values = self._values.setdefault(job, [])
        values.append(value)
        epoch = len(values)
        averages = [statistics.fmean(earlier[:epoch]) for earlier in self._completed]
        return bool(averages) and self._sign * value < self._sign * statistics.median(averages)

    def ended(self, job: str, counts: bool) -> None:
        """counts: whether the job has completed, so that others are compared with it."""
        values = self._values.pop(job, [])
        if values and counts:
            self._completed.append(values)


def _search(store: RecordStore, request: Record) -> Search:
    """The search of a tuning job, with what its parents have found out. Raises ServiceError."""
    config = request["HyperParameterTuningJobConfig"]
    ranges = config.get("ParameterRanges") or request["TrainingJobDefinition"].get("HyperParameterRanges") or {}
    earlier = []
    for parent in _parents(store, request):
        for job in ranked(training_jobs(store, parent), parent):
            hyperparameters = parent["TrainingJobDefinition"].get("StaticHyperParameters", {})
            value = job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
            earlier.append(({**hyperparameters, **job["TunedHyperParameters"]}, value))
    try:
        return make_search(config, ranges, earlier)
    except SearchError as error:
        raise ServiceError("ValidationException", str(error)) from error


def _parents(store: RecordStore, request: Record) -> list[Record]:
    """The tuning jobs that one is warmed up by. Raises ServiceError for one that is not there or still running."""
    named = request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
    parents = []
    for name in [item.get("HyperParameterTuningJobName", "") for item in named]:
        parent = store.get(TUNING, name)
        if parent is None or parent["HyperParameterTuningJobStatus"] in ("InProgress", "Stopping"):
            raise ServiceError(
                "ValidationException", f"WarmStartConfig: the parent {name!r} is not a tuning job that has ended"
            )
        parents.append(parent)
    return parents
