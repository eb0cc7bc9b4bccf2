"""A running job of containers: it downloads inputs, runs processes, uploads outputs and records its progress."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from local_sagemaker.containers.container import Command, Container, Exit
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.output import LogStream
from local_sagemaker.jobs.checkpoints import sync_checkpoints
from local_sagemaker.jobs.job import Job, JobResult
from local_sagemaker.jobs.running_job import RunningJob
from local_sagemaker.storage.files import remove_tree
from local_sagemaker.storage.log_files import log_file
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record, RecordStore
from local_sagemaker.storage.transfers import fetch


class ContainerJob(RunningJob):
    """A running processing or training job.

    Args:
        job: What to run.
        arn: The job's ARN.
        folder: Folder for the containers; removed at the end, unless the job fails.
        store: The records.
        objects: The objects of S3.
        environment: Variables of every container, which jobs cannot override.
        images: The images that can run here.
    """

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
        super().__init__(job.kind, job.name, store)
        self._job, self._arn, self._folder = job, arn, folder
        self._objects, self._environment, self._images = objects, environment, images
        # guarded by the lock, as is the decision to stop
        self._containers: list[Container] = []

    def kill(self) -> None:
        with self._lock:
            self._signal(signal.SIGKILL)

    def _interrupt(self) -> None:
        _call_later(self._job.grace, self.kill, unless=self.done)

    def _record_stopping(self, result: JobResult) -> None:
        self._change_phase("Stopping")
        self._signal(signal.SIGTERM)

    def _end_changes(self, result: JobResult) -> Record:
        self._job.on_log_end()
        record = self._store.get(self._kind, self._name)
        return self._job.end_changes(record, result, self._containers, time.time()) if record else {}

    def _clean_up(self, result: JobResult) -> None:
        # the files of a failed job are kept for debugging
        failed = result.status == "Failed"
        for container in self._containers:
            container.close(keep=failed)
        if not failed:
            with suppress(OSError):
                remove_tree(self._folder)

    def _work(self) -> JobResult:
        job, hosts = self._job, self._job.hosts
        _call_later(job.max_runtime, lambda: self.end(JobResult("Stopped", timed_out=True)), unless=self.done)
        inputs = job.inputs()
        # an earlier job of this name may have left files if its record has been deleted
        remove_tree(self._folder)
        self._start_phase("Downloading")
        stream_suffix = int(time.time())
        for number, host in enumerate(hosts):
            container = self._container(host, f"{job.name}/{host}-{stream_suffix}")
            for source in inputs:
                fetch(self._objects, source, container.path(source.path), number, len(hosts))
        commands = [job.prepare(container, self._arn) for container in self._containers]
        for container in self._containers:
            container.use_python(self._images.python(job.runtime, container))
        self._start_phase("Running")
        if self._requested_result is not None:
            return self._requested_result
        with self._checkpoint_sync():
            exits = self._run_containers(commands)
        failed = next((last for last in exits if last.code != 0), None)
        self._start_phase("Uploading")
        job.upload(self._objects, self._containers, failed=failed is not None and self._requested_result is None)
        if failed is None:
            if job.collect is not None:
                for container in self._containers:
                    job.collect(container)
            return JobResult("Completed")
        failure_files = (container.read_text("output/failure") for container in self._containers)
        message = next(filter(None, failure_files), failed.reason)
        # FailureReason is truncated: the exit code at its end must stay
        return JobResult("Failed", f"AlgorithmError: {message[:900]}, exit code: {failed.code}")

    def _container(self, host: str, stream: str) -> Container:
        path = log_file(self._store.data_dir, self._job.log_group, stream)
        log_stream = LogStream(path, self._job.on_log_line)
        container = Container(self._folder / host, host, log_stream, self._environment)
        with self._lock:
            self._containers.append(container)
            if self._requested_result is not None:
                container.signal(signal.SIGTERM)
        return container

    def _checkpoint_sync(self) -> AbstractContextManager[None]:
        output = self._job.checkpoint_output()
        if output is None:
            return nullcontext()
        folders = [container.path(output.path) for container in self._containers]
        return sync_checkpoints(self._objects, folders, output.uri)

    def _run_containers(self, commands: list[list[Command]]) -> list[Exit]:
        """Run all containers concurrently; if one fails, kill the others.

        Returns:
            The containers' exits in the order in which they ended, so that the first failure comes first.
        """
        exits: list[Exit] = []
        errors: list[Exception] = []

        def run(container: Container, container_commands: list[Command]) -> None:
            try:
                exits.append(container.run(container_commands))
            except Exception as error:
                errors.append(error)
            if (errors or exits[-1].code != 0) and self._requested_result is None:
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

    def _start_phase(self, phase: str) -> None:
        with self._lock:
            if self._requested_result is None:
                self._change_phase(phase)

    def _change_phase(self, phase: str) -> None:
        record = self._store.get(self._kind, self._name)
        if record is not None:
            self._change(**self._job.phase_changes(record, phase, time.time()))

    def _signal(self, number: int) -> None:
        for container in self._containers:
            container.signal(number)


def _call_later(seconds: float, action: Callable[[], None], unless: threading.Event) -> None:
    """Call a function after a delay, unless the event is set before."""

    def wait() -> None:
        if not unless.wait(seconds):
            action()

    threading.Thread(target=wait, daemon=True).start()
