"""Starts and stops jobs of all kinds, and waits for them."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from local_sagemaker.containers.container import Container
from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.jobs.container_job import ContainerJob
from local_sagemaker.jobs.job import NOUNS, Job, JobResult, end_changes
from local_sagemaker.jobs.processing_job import ProcessingJob
from local_sagemaker.jobs.running_job import RunningJob
from local_sagemaker.jobs.training_job import TrainingJob
from local_sagemaker.jobs.training_metrics import PutMetricData
from local_sagemaker.jobs.transform.transform_job import TransformJob
from local_sagemaker.jobs.transform.transform_request import TRANSFORM, new_transform_record
from local_sagemaker.jobs.tuning.results import TUNING
from local_sagemaker.jobs.tuning.tuning_job import TuningJob
from local_sagemaker.jobs.tuning.tuning_request import new_tuning_record
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record, RecordStore

log = logging.getLogger(__name__)

CONTAINER_JOBS: dict[str, type[Job]] = {job.kind: job for job in (ProcessingJob, TrainingJob)}

INTERRUPTED = "InternalServerError: the local SageMaker ended while this was running; start it again"

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


class JobManager:
    """The jobs of one data directory.

    Args:
        store: The records.
        objects: The objects of S3.
        environment: Variables of every container, which jobs cannot override, such as those that direct AWS clients
            to this machine.
        images: The images that can run here.
        put_metric_data: Publishes metrics of training jobs; takes a namespace and MetricData, as PutMetricData does.
    """

    def __init__(
        self,
        store: RecordStore,
        objects: ObjectStore,
        environment: Mapping[str, str] | None = None,
        images: Images | None = None,
        *,
        put_metric_data: PutMetricData = lambda namespace, data: None,
    ) -> None:
        self.store = store
        self.objects = objects
        self.images = images or Images()
        self._environment = dict(environment or {})
        self._put_metric_data = put_metric_data
        self._folder = store.data_dir.jobs
        self._running: dict[tuple[str, str], RunningJob] = {}
        self._lock = threading.Lock()

    def start(
        self,
        kind: str,
        request: Record,
        on_metric: Callable[[str, float], None] | None = None,
        collect: Callable[[Container], None] | None = None,
        concurrent: int = 1,
    ) -> str:
        """Create a job and start it.

        Args:
            kind: A key of `job.NOUNS`.
            request: The Create request.
            on_metric: Called with the name and value of each metric in a training job's log.
            collect: Called with each container of a completed job before its files are removed.
            concurrent: The number of training jobs that share the CPUs.

        Returns:
            The job's ARN, as soon as the job is recorded.

        Raises:
            ServiceError: The image cannot run here, the request is not supported, or the name is in use.
        """
        noun = NOUNS[kind]
        name = request[f"{noun}Name"]
        # it is used as a folder name
        if not _NAME.fullmatch(name):
            raise ServiceError("ValidationException", f"{name!r} is not a valid job name")
        if kind == TUNING:
            job, record = self._tuning_job(request)
        elif kind == TRANSFORM:
            job, record = self._transform_job(request)
        else:
            job, record = self._container_job(kind, request, on_metric, collect, concurrent)
        with self._lock:
            # ARNs contain names in lower case, so names that differ only in case have the same ARN
            if self.find(kind, name) is not None or not self.store.create(kind, name, record):
                raise ServiceError(
                    "ResourceInUse",
                    "Job name must be unique within an AWS account and region, but there is "
                    f"{record[f'{noun}Arn']} already",
                )
            self._running[kind, name] = job
        job.start(on_end=lambda: self._running.pop((kind, name)))
        return str(record[f"{noun}Arn"])

    def _container_job(
        self,
        kind: str,
        request: Record,
        on_metric: Callable[[str, float], None] | None,
        collect: Callable[[Container], None] | None,
        concurrent: int,
    ) -> tuple[RunningJob, Record]:
        try:
            job = CONTAINER_JOBS[kind](request)
            job.runtime = replace(self.images.find(job.image, kind), remote_function=job.remote_function())
        except (UnsupportedImage, re.error) as error:
            raise ServiceError("ValidationException", str(error)) from error
        job.on_metric, job.collect, job.concurrent = on_metric, collect, concurrent
        job.put_metric_data = self._put_metric_data
        record = job.new_record(time.time())
        arn, folder = record[f"{NOUNS[kind]}Arn"], self._folder / kind / job.name
        return ContainerJob(job, arn, folder, self.store, self.objects, self._environment, self.images), record

    def _tuning_job(self, request: Record) -> tuple[RunningJob, Record]:
        record = new_tuning_record(request, self.images, time.time())
        return TuningJob(self, record), record

    def _transform_job(self, request: Record) -> tuple[RunningJob, Record]:
        record = new_transform_record(request, self.images, time.time())
        folder = self._folder / TRANSFORM / record["TransformJobName"]
        job = TransformJob(record, folder, self.store, self.objects, self.images, self._environment)
        return job, record

    def find(self, kind: str, name: str) -> Record | None:
        """Return the record of a job, or None. The name may be in lower case, as clients take it from ARNs."""
        return self.store.get(kind, name) or self.store.first(Query(kind, equal={"title": name}))

    def stop(self, kind: str, name: str) -> None:
        """Stop a job: send SIGTERM, and SIGKILL after the service's grace period. Has no effect on an ended job.

        Raises:
            KeyError: The job does not exist.
        """
        job = self._running.get((kind, name))
        if job is not None:
            job.end(JobResult("Stopped"))
        elif self.store.get(kind, name) is None:
            raise KeyError(name)

    def wait(self, kind: str, name: str, timeout: float | None = None) -> Record:
        """Wait for the end of a job, at most `timeout` seconds, and return its record.

        Without a timeout the job's MaxRuntimeInSeconds limits the wait.

        Raises:
            KeyError: The job does not exist.
        """
        job = self._running.get((kind, name))
        if job is not None:
            job.done.wait(timeout)
        record = self.store.get(kind, name)
        if record is None:
            raise KeyError(name)
        return record

    def recover(self) -> None:
        """Mark jobs that an earlier server left running as Failed. Call it before any start."""
        result, now = JobResult("Failed", INTERRUPTED), time.time()
        for kind, noun in NOUNS.items():
            for record in self.store.find(Query(kind, equal={"status": ("InProgress", "Stopping")})):
                changes = end_changes(kind, result, now)
                if kind in CONTAINER_JOBS:
                    try:
                        changes = CONTAINER_JOBS[kind](record).end_changes(record, result, [], now)
                    except (LookupError, TypeError, AttributeError, ValueError):
                        log.exception("%s %s: its record is incomplete", kind, record[f"{noun}Name"])
                self.store.update_best_effort(kind, record[f"{noun}Name"], **changes)

    def close(self) -> None:
        """Kill all jobs when the server shuts down."""
        # tuning jobs first, since they would start further training jobs
        for _, job in sorted(self._running.items(), key=lambda item: item[0][0] != TUNING):
            job.end(JobResult("Failed", INTERRUPTED))
            job.kill()
