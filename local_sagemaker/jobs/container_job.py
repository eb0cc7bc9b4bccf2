"""A job of containers on its way: inputs fetched, processes run, outputs put, and all of it recorded."""

from __future__ import annotations

import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from local_sagemaker.containers.container import Command, Container, Exit
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.output import LogStream
from local_sagemaker.jobs.checkpoints import kept_in_step
from local_sagemaker.jobs.job import Job, JobResult
from local_sagemaker.storage.log_files import log_file
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record, RecordStore
from local_sagemaker.storage.transfers import ClientFault, fetch

log = logging.getLogger(__name__)


class ContainerJob:
    """One job on its way, in a thread of its own."""

    def __init__(
        self,
        job: Job,
        arn: str,
        folder: Path,
        store: RecordStore,
        objects: ObjectStore,
        environment: Mapping[str, str],
        images: Images,
    ) -> None:
        self.done = threading.Event()
        self._job, self._arn, self._folder = job, arn, folder
        self._store, self._objects, self._environment, self._images = store, objects, environment, images
        self._containers: list[Container] = []
        # guards the containers, the record's changes and the decision to stop
        self._lock = threading.Lock()
        self._stopped: JobResult | None = None

    def start(self, ended: Callable[[], object]) -> None:
        threading.Thread(target=self._run, args=(ended,), name=f"job {self._job.name}", daemon=True).start()

    def end(self, ending: JobResult) -> None:
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
        _after(self._job.max_runtime, lambda: self.end(JobResult("Stopped", timed_out=True)), self.done)
        try:
            ending = self._outcome()
        except ClientFault as fault:
            ending = JobResult("Failed", f"ClientError: {fault}")
        except Exception as error:
            log.exception("job %s: internal error", self._job.name)
            ending = JobResult("Failed", f"InternalServerError: {type(error).__name__}: {error}")
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

    def _outcome(self) -> JobResult:
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
            return JobResult("Completed")
        left = (container.read_text("output/failure") for container in self._containers)
        words = next(filter(None, left), failed.reason)
        # the exit code comes last, and stays where the rest is cut
        return JobResult("Failed", f"AlgorithmError: {words[:900]}, exit code: {failed.code}")

    def _container(self, host: str, stream: str) -> Container:
        path = log_file(self._store.data_dir, self._job.log_group, stream)
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
            self._store.update_best_effort(self._job.kind, self._job.name, **changes(record))

    def _signal(self, number: int) -> None:
        for container in self._containers:
            container.signal(number)


def _after(seconds: float, action: Callable[[], None], unless: threading.Event) -> None:
    """Do something after so many seconds, unless the event comes first."""

    def wait() -> None:
        if not unless.wait(seconds):
            action()

    threading.Thread(target=wait, daemon=True).start()
