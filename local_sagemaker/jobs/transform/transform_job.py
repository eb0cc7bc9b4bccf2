"""A running batch transform job: it starts the model's container, transforms objects and uploads the outputs.

Its record has the members of DescribeTransformJob and the additional member `Container`: the model's container as it
was when the job was created. One container does all the work, whatever the InstanceCount: on one machine more would not
be faster.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.inference_pipeline import ServedModel, served_model
from local_sagemaker.containers.model_server import ModelServer, ModelServerError
from local_sagemaker.containers.output import LogStream
from local_sagemaker.jobs.job import JobResult
from local_sagemaker.jobs.running_job import RunningJob
from local_sagemaker.jobs.transform.capture import put_manifests
from local_sagemaker.jobs.transform.object_transform import ObjectTransform, TransformError
from local_sagemaker.jobs.transform.transform_request import TRANSFORM, max_concurrent, max_payload
from local_sagemaker.storage import log_files as logs
from local_sagemaker.storage.files import remove_tree
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record, RecordStore
from local_sagemaker.storage.transfers import Input, find_objects, put_file

# timeout for a container to load its model
START_SECONDS = 600

_SEE_LOGS = "See job logs for more information"
# BatchStrategy in logs and in the container's environment
_STRATEGIES = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}


class TransformJob(RunningJob):
    """A running transform job.

    Args:
        record: The job's record.
        folder: Folder for the container and the outputs; created, and removed at the end.
        store: The records.
        objects: The objects of S3.
        images: The images that can run here.
        environment: Variables of the container, which the job cannot override.

    Raises:
        ServiceError: The request's DataProcessing is invalid.
    """

    def __init__(
        self,
        record: Record,
        folder: Path,
        store: RecordStore,
        objects: ObjectStore,
        images: Images,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(TRANSFORM, record["TransformJobName"], store)
        self._record, self._folder = record, folder
        self._objects, self._images, self._environment = objects, images, environment
        self._strategy = _STRATEGIES[record.get("BatchStrategy", "MultiRecord")]
        self._transform = ObjectTransform(record, objects)
        # guarded by the lock
        self._server: ServedModel | None = None

    def kill(self) -> None:
        with self._lock:
            server = self._server
        if server is not None:
            server.close()

    def _interrupt(self) -> None:
        # closing the container ends its running requests, after a grace period that the caller does not wait for
        threading.Thread(target=self.kill, daemon=True).start()

    def _work(self) -> JobResult:
        # an earlier job of this name may have left files if its record has been deleted
        remove_tree(self._folder)
        try:
            return self._transform_input()
        finally:
            self.kill()
            with contextlib.suppress(OSError):
                remove_tree(self._folder)

    def _transform_input(self) -> JobResult:
        source = self._record["TransformInput"]["DataSource"]["S3DataSource"]
        found = [
            location
            for location in find_objects(self._objects, Input("data", "", source["S3Uri"], source["S3DataType"]))
            # keys with a trailing slash stand for folders
            if not location[1].endswith("/")
        ]
        outputs = self._folder / "output"
        outputs.mkdir(parents=True)
        stream = f"{self._name}/i-{secrets.token_hex(9)[:17]}-{int(time.time())}"
        with contextlib.closing(self._log_stream(f"{stream}/data-log")) as data_log:
            try:
                server = self._start_server(stream)
            except ModelServerError as error:
                return JobResult("Failed", f"AlgorithmError: {_SEE_LOGS}: {error}")
            data_log.write(
                [
                    f"[sagemaker logs]: MaxConcurrentTransforms={max_concurrent(self._record)}, "
                    f"MaxPayloadInMB={max_payload(self._record)}, BatchStrategy={self._strategy}"
                ]
            )
            transformed, reason = self._transform_objects(server, found, outputs, data_log)
        # a stopped job has no output
        if self._requested_result is not None:
            return self._requested_result
        output_prefix = f"{self._record['TransformOutput']['S3OutputPath'].rstrip('/')}/"
        for output, name in transformed:
            put_file(self._objects, output, f"{output_prefix}{name}")
        if reason is not None:
            return JobResult("Failed", reason)
        if "DataCaptureConfig" in self._record:
            put_manifests(self._objects, self._record, found, output_prefix, self._folder)
        return JobResult("Completed")

    def _transform_objects(
        self, server: ServedModel, found: list[tuple[str, str, str]], outputs: Path, data_log: LogStream
    ) -> tuple[list[tuple[Path, str]], str | None]:
        """Transform each object; if one fails, continue with the others, whose outputs the service uploads, too.

        Args:
            server: The model's container.
            found: Bucket, key and relative name of each object, from `find_objects`.
            outputs: Folder for the outputs.
            data_log: Log stream for errors.

        Returns:
            The output files with the names to upload them to, and the first FailureReason, if any.
        """
        transformed: list[tuple[Path, str]] = []
        reason = None
        for number, (bucket, key, relative) in enumerate(found):
            if self._requested_result is not None:
                break
            output = outputs / str(number)
            try:
                self._transform.transform(server, bucket, key, output)
                transformed.append((output, f"{relative}.out"))
            except TransformError as error:
                lines = error.details.splitlines()
                data_log.write(f"[sagemaker logs]: {bucket}/{key}: {line}" for line in lines)
                reason = reason or f"{error.fault}: {_SEE_LOGS}: {bucket}/{key}: {error}"
                if not server.alive:
                    break
        return transformed, reason

    def _start_server(self, stream: str) -> ServedModel:
        """Start the model's container, or those of an inference pipeline.

        Raises:
            ModelServerError: A container exits or does not become ready in time.
        """
        server = served_model(
            self._record["Container"],
            self._folder / "model",
            lambda name: self._log_stream(f"{stream}{name}"),
            self._container,
        )
        with self._lock:
            self._server = server
            stopped = self._requested_result is not None
            self._change(TransformStartTime=time.time())
        if stopped:
            server.close()
        server.start(START_SECONDS)
        return server

    def _container(self, container: Record, folder: Path, log_stream: LogStream) -> ModelServer:
        concurrent = max_concurrent(self._record)
        # only options in the request are passed on ("Use Your Own Inference Code with Batch Transform")
        options = {
            "BatchStrategy": ("SAGEMAKER_BATCH_STRATEGY", self._strategy),
            "MaxPayloadInMB": ("SAGEMAKER_MAX_PAYLOAD_IN_MB", str(max_payload(self._record))),
            "MaxConcurrentTransforms": ("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", str(concurrent)),
        }
        variables = {
            "SAGEMAKER_MODEL_SERVER_WORKERS": str(min(concurrent, os.cpu_count() or 1)),
            **container.get("Environment", {}),
            **self._record.get("Environment", {}),
            "SAGEMAKER_BATCH": "true",
            **dict(variable for member, variable in options.items() if member in self._record),
        }
        return ModelServer(
            {**container, "Environment": variables},
            folder,
            self._objects,
            self._environment,
            log_stream,
            self._images,
        )

    def _log_stream(self, stream: str) -> LogStream:
        path = logs.log_file(self._store.data_dir, logs.TRANSFORM_JOBS, stream)
        return LogStream(path, lambda line, now: None)
