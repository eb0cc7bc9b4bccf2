"""Jobs of every kind: started, stopped, waited for.

Processes do their work, threads here wait for them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from local_sagemaker.containers.container import Container
from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.jobs.container_job import ContainerJob
from local_sagemaker.jobs.job import NOUNS, Job, JobResult, end_of_record
from local_sagemaker.jobs.processing_job import ProcessingJob
from local_sagemaker.jobs.training_job import TrainingJob
from local_sagemaker.jobs.transform import transform_job
from local_sagemaker.jobs.tuning import tuning_job
from local_sagemaker.jobs.tuning.results import TUNING
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record, RecordStore

KINDS: dict[str, type[Job]] = {kind.kind: kind for kind in (ProcessingJob, TrainingJob)}

INTERRUPTED = "InternalServerError: the local SageMaker ended while this was running; start it again"

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


class Running(Protocol):
    """A job on its way."""

    done: threading.Event

    def start(self, ended: Callable[[], object]) -> None:
        """Begin; `ended` is called once all is over and recorded."""

    def end(self, ending: JobResult) -> None:
        """Begin to end the job in this way, unless that has begun already."""

    def kill(self) -> None:
        """End what the job still runs now."""


class JobManager:
    """The jobs of one data directory.

    environment: variables for every job that it can't override, such as those that keep AWS clients on this machine.
    images: what runs their images.
    """

    def __init__(
        self,
        store: RecordStore,
        objects: ObjectStore,
        environment: Mapping[str, str] | None = None,
        images: Images | None = None,
    ) -> None:
        self.store = store
        self.objects = objects
        self.images = images or Images()
        self._environment = dict(environment or {})
        self._folder = store.data_dir.jobs
        self._running: dict[tuple[str, str], Running] = {}
        self._lock = threading.Lock()
        # names by kind and in lower case
        self._names = {
            (kind, record[f"{noun}Name"].lower()): record[f"{noun}Name"]
            for kind, noun in NOUNS.items()
            for record in store.all(kind)
        }

    def start(
        self,
        kind: str,
        request: Record,
        watch: Callable[[str, float], None] | None = None,
        collect: Callable[[Container], None] | None = None,
    ) -> str:
        """Create a job from its Create request and start it; returns its ARN at once.

        kind: one of `job.NOUNS`. watch: is called with a metric's name and each of its values as it comes.
        collect: is given each container once all have ended well, while their folders are there. Raises ServiceError
        where its image can't run here, a metric's regular expression is none, or its name is taken.
        """
        noun = NOUNS[kind]
        name = request[f"{noun}Name"]
        if not _NAME.fullmatch(name):  # it becomes a folder's name
            raise ServiceError("ValidationException", f"{name!r} is not a name for a job")
        if kind == TUNING:
            run, record = self._tuning(request)
        elif kind == transform_job.KIND:
            run, record = self._transform(request)
        else:
            run, record = self._container_job(kind, request, watch, collect)
        with self._lock:
            # ARNs have names in lower case: two jobs that differ in nothing else would be one
            if self.find(kind, name) is not None or not self.store.create(kind, name, record):
                raise ServiceError(
                    "ResourceInUse",
                    "Job name must be unique within an AWS account and region, but there is "
                    f"{record[f'{noun}Arn']} already",
                )
            self._names[kind, name.lower()] = name
            self._running[kind, name] = run
        run.start(ended=lambda: self._running.pop((kind, name)))
        return str(record[f"{noun}Arn"])

    def _container_job(
        self,
        kind: str,
        request: Record,
        watch: Callable[[str, float], None] | None,
        collect: Callable[[Container], None] | None,
    ) -> tuple[Running, Record]:
        try:
            job = KINDS[kind](request)
            job.runtime = self.images.find(job.image, kind)
        except (UnsupportedImage, re.error) as error:
            raise ServiceError("ValidationException", str(error)) from error
        job.watch, job.collect = watch, collect
        record = job.new_record(time.time())
        arn, folder = record[f"{NOUNS[kind]}Arn"], self._folder / kind / job.name
        return ContainerJob(job, arn, folder, self.store, self.objects, self._environment, self.images), record

    def _tuning(self, request: Record) -> tuple[Running, Record]:
        record = tuning_job.new_record(request, self.images, time.time())
        return tuning_job.Tuning(self, record), record

    def _transform(self, request: Record) -> tuple[Running, Record]:
        record = transform_job.new_record(request, self.images, time.time())
        folder = self._folder / transform_job.KIND / record["TransformJobName"]
        job = transform_job.Transform(record, folder, self.store, self.objects, self.images, self._environment)
        return job, record

    def find(self, kind: str, name: str) -> Record | None:
        """The record of a job by its name, in lower case if need be, as clients take it from ARNs; None for none."""
        return self.store.get(kind, name) or self.store.get(kind, self._names.get((kind, name.lower()), name))

    def stop(self, kind: str, name: str) -> None:
        """Ask a job to end: SIGTERM now, SIGKILL after the time that the service gives. An ended one stays as it is.

        Raises KeyError where there is no such job.
        """
        run = self._running.get((kind, name))
        if run is not None:
            run.end(JobResult("Stopped"))
        elif self.store.get(kind, name) is None:
            raise KeyError(name)

    def wait(self, kind: str, name: str, timeout: float | None = None) -> Record:
        """The record of a job once it has ended, or after `timeout` seconds.

        Without a timeout it ends with the job, which its MaxRuntimeInSeconds ends. Raises KeyError where there is none.
        """
        run = self._running.get((kind, name))
        if run is not None:
            run.done.wait(timeout)
        record = self.store.get(kind, name)
        if record is None:
            raise KeyError(name)
        return record

    def recover(self) -> None:
        """Mark what another server left unfinished as Failed. Call it before any start."""
        ending, now = JobResult("Failed", INTERRUPTED), time.time()
        for kind, noun in NOUNS.items():
            for record in self.store.all(kind):
                if record[f"{noun}Status"] not in ("InProgress", "Stopping"):
                    continue
                if kind in KINDS:
                    changes = KINDS[kind](record).ended(record, ending, [], now)
                else:
                    changes = end_of_record(kind, ending, now)
                self.store.update_best_effort(kind, record[f"{noun}Name"], **changes)

    def close(self) -> None:
        """End every job at once; for the end of the server."""
        # the tuning jobs first, lest they start others
        for kind in sorted(NOUNS, key=lambda kind: kind != TUNING):
            for run in [run for (of, _), run in list(self._running.items()) if of == kind]:
                run.end(JobResult("Failed", INTERRUPTED))
                run.kill()
