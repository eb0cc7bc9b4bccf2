"""Jobs of every kind: started, stopped, waited for.

Processes do their work, threads here wait for them.
"""

from __future__ import annotations

import logging
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from local_sagemaker import transform_job, tuning_job
from local_sagemaker.checkpoints import kept_in_step
from local_sagemaker.container import Command, Container, Exit
from local_sagemaker.errors import ServiceError
from local_sagemaker.images import Images, UnsupportedImage
from local_sagemaker.job import NOUNS, Ending, Job, Record, end_of_record
from local_sagemaker.job_files import ClientFault, fetch
from local_sagemaker.job_output import LogStream
from local_sagemaker.logs import log_file
from local_sagemaker.objects import Objects
from local_sagemaker.processing_job import ProcessingJob
from local_sagemaker.store import Store
from local_sagemaker.training_job import TrainingJob
from local_sagemaker.tuning_results import TUNING

log = logging.getLogger(__name__)

KINDS: dict[str, type[Job]] = {kind.kind: kind for kind in (ProcessingJob, TrainingJob)}

INTERRUPTED = "InternalServerError: the local SageMaker ended while this was running; start it again"

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


class Running(Protocol):
    """A job on its way."""

    done: threading.Event

    def start(self, ended: Callable[[], object]) -> None:
        """Begin; `ended` is called once all is over and recorded."""

    def end(self, ending: Ending) -> None:
        """Begin to end the job in this way, unless that has begun already."""

    def kill(self) -> None:
        """End what the job still runs now."""


class Jobs:
    """The jobs of one data directory.

    environment: variables for every job that it can't override, such as those that keep AWS clients on this machine.
    images: what runs their images.
    """

    def __init__(
        self,
        store: Store,
        objects: Objects,
        environment: Mapping[str, str] | None = None,
        images: Images | None = None,
    ) -> None:
        self.store = store
        self.objects = objects
        self.images = images or Images()
        self._environment = dict(environment or {})
        self._folder = store.data_dir.resolve() / "jobs"
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
        return _Run(job, arn, folder, self.store, self.objects, self._environment, self.images), record

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
            run.end(Ending("Stopped"))
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
        ending, now = Ending("Failed", INTERRUPTED), time.time()
        for kind, noun in NOUNS.items():
            for record in self.store.all(kind):
                if record[f"{noun}Status"] not in ("InProgress", "Stopping"):
                    continue
                if kind in KINDS:
                    changes = KINDS[kind](record).ended(record, ending, [], now)
                else:
                    changes = end_of_record(kind, ending, now)
                self.store.note(kind, record[f"{noun}Name"], **changes)

    def close(self) -> None:
        """End every job at once; for the end of the server."""
        # the tuning jobs first, lest they start others
        for kind in sorted(NOUNS, key=lambda kind: kind != TUNING):
            for run in [run for (of, _), run in list(self._running.items()) if of == kind]:
                run.end(Ending("Failed", INTERRUPTED))
                run.kill()


class _Run:
    """One job of containers on its way, in a thread of its own."""

    def __init__(
        self,
        job: Job,
        arn: str,
        folder: Path,
        store: Store,
        objects: Objects,
        environment: Mapping[str, str],
        images: Images,
    ) -> None:
        self.done = threading.Event()
        self._job, self._arn, self._folder = job, arn, folder
        self._store, self._objects, self._environment, self._images = store, objects, environment, images
        self._containers: list[Container] = []
        # guards the containers, the record's changes and the decision to stop
        self._lock = threading.Lock()
        self._stopped: Ending | None = None

    def start(self, ended: Callable[[], object]) -> None:
        threading.Thread(target=self._run, args=(ended,), name=f"job {self._job.name}", daemon=True).start()

    def end(self, ending: Ending) -> None:
        """Begin to end the job in this way, unless that has begun already."""
        with self._lock:
            if self._stopped is not None or self.done.is_set():
                return
            self._stopped = ending
            self._change(lambda record: self._job.phase(record, "Stopping", time.time()))
            self._signal(signal.SIGTERM)
        _after(self._job.grace, self.kill, self.done)

    def kill(self) -> None:
        """End the job's processes now."""
        with self._lock:
            self._signal(signal.SIGKILL)

    def _run(self, ended: Callable[[], object]) -> None:
        _after(self._job.max_runtime, lambda: self.end(Ending("Stopped", timed_out=True)), self.done)
        try:
            ending = self._outcome()
        except ClientFault as fault:
            ending = Ending("Failed", f"ClientError: {fault}")
        except Exception as error:
            log.exception("job %s: internal error", self._job.name)
            ending = Ending("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        try:
            with self._lock:
                ending = self._stopped or ending
                self._change(lambda record: self._job.ended(record, ending, self._containers, time.time()))
        except Exception:
            log.exception("job %s: its end cannot be recorded", self._job.name)
        finally:
            self.done.set()
            ended()
        for container in self._containers:
            # what a failed job has left is there to be looked at
            container.close(keep=ending.status == "Failed")
        if ending.status != "Failed":
            shutil.rmtree(self._folder, ignore_errors=True)

    def _outcome(self) -> Ending:
        job, hosts = self._job, self._job.hosts
        inputs = job.inputs()
        shutil.rmtree(self._folder, ignore_errors=True)  # of a job of this name whose record is no more
        self._phase("Downloading")
        stream_suffix = int(time.time())
        for number, host in enumerate(hosts):
            container = self._container(host, f"{job.name}/{host}-{stream_suffix}")
            for source in inputs:
                fetch(self._objects, source, container.path(source.path), number, len(hosts))
        commands = [job.prepare(container, self._arn) for container in self._containers]
        for container in self._containers:
            container.use_python(self._images.python(job.runtime, container))
        self._phase("Running")
        if self._stopped is not None:
            return self._stopped
        with self._kept_in_step():
            exits = self._exits(commands)
        failed = next((last for last in exits if last.code != 0), None)
        self._phase("Uploading")
        job.upload(self._objects, self._containers, failed=failed is not None and self._stopped is None)
        if failed is None:
            if job.collect is not None:
                for container in self._containers:
                    job.collect(container)
            return Ending("Completed")
        left = (container.read_text("output/failure") for container in self._containers)
        words = next(filter(None, left), failed.reason)
        # the exit code comes last, and stays where the rest is cut
        return Ending("Failed", f"AlgorithmError: {words[:900]}, exit code: {failed.code}")

    def _container(self, host: str, stream: str) -> Container:
        path = log_file(self._store.data_dir.resolve(), self._job.log_group, stream)
        log_stream = LogStream(path, self._job.observe)
        container = Container(self._folder / host, host, log_stream, self._environment)
        with self._lock:
            self._containers.append(container)
            if self._stopped is not None:
                container.signal(signal.SIGTERM)
        return container

    def _kept_in_step(self) -> AbstractContextManager[None]:
        kept = self._job.kept_in_step()
        if kept is None:
            return nullcontext()
        return kept_in_step(self._objects, [container.path(kept.path) for container in self._containers], kept.uri)

    def _exits(self, commands: list[list[Command]]) -> list[Exit]:
        """Run all containers at once; how they ended, the first to fail first. When one fails, so does the job."""
        exits: list[Exit] = []
        errors: list[Exception] = []

        def run(container: Container, todo: list[Command]) -> None:
            try:
                exits.append(container.run(todo))
            except Exception as error:
                errors.append(error)
            if (errors or exits[-1].code != 0) and self._stopped is None:
                self.kill()

        threads = [
            threading.Thread(target=run, args=pair, daemon=True)
            for pair in zip(self._containers, commands, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return exits

    def _phase(self, phase: str) -> None:
        with self._lock:
            if self._stopped is None:
                self._change(lambda record: self._job.phase(record, phase, time.time()))

    def _change(self, changes: Callable[[Record], Record]) -> None:
        record = self._store.get(self._job.kind, self._job.name)
        if record is not None:
            self._store.note(self._job.kind, self._job.name, **changes(record))

    def _signal(self, number: int) -> None:
        for container in self._containers:
            container.signal(number)


def _after(seconds: float, action: Callable[[], None], unless: threading.Event) -> None:
    """Do something after so many seconds, unless the event comes first."""

    def wait() -> None:
        if not unless.wait(seconds):
            action()

    threading.Thread(target=wait, daemon=True).start()
