"""A batch transform job: objects sent piece by piece through a model's container, and its answers put as objects.

Its record has the members of DescribeTransformJob and, ours, `Container`: what runs the model, as it was when the job
was created. However many instances it asks for, one container does the work: on one machine more are no faster.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import secrets
import shutil
import threading
import time
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, BinaryIO, cast

from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.model_server import ModelServer, ModelServerError
from local_sagemaker.containers.output import LogStream
from local_sagemaker.jobs.job import NOUNS, JobResult, end_of_record, job_record
from local_sagemaker.jobs.transform.capture import put_manifests
from local_sagemaker.jobs.transform.data_processing import DataProcessing, DataProcessingError
from local_sagemaker.jobs.transform.payloads import payloads
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.times import iso_time
from local_sagemaker.storage import log_files as logs
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.record_kinds import TRANSFORM_JOB
from local_sagemaker.storage.records import Record, RecordStore
from local_sagemaker.storage.transfers import ClientFault, Input, find_objects, put_file, split_uri

log = logging.getLogger(__name__)

KIND = TRANSFORM_JOB.kind

MEGABYTE = 1 << 20
MOST_MEGABYTES = 100
# the service's defaults
DEFAULT_PAYLOAD = 6
DEFAULT_RETRIES = 3
DEFAULT_TIMEOUT = 600
# how long a container may take to load its model
START_SECONDS = 600
# what the data log keeps of an error that the container answers with
LONGEST_MESSAGE = 4096

_SEE_LOGS = "See job logs for more information"
# as logs and containers have it
_STRATEGIES = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}


def new_record(request: Record, images: Images, now: float) -> Record:
    """The record of a transform job as it is created, by its Create request and `Container`.

    Raises ServiceError for a request that cannot be honoured here.
    """
    source = request["TransformInput"]["DataSource"]["S3DataSource"]
    split_type = request["TransformInput"].get("SplitType", "None")
    payload, at_once = request.get("MaxPayloadInMB", DEFAULT_PAYLOAD), request.get("MaxConcurrentTransforms") or 1
    faults = {
        f"S3DataType {source['S3DataType']!r} is not supported on this machine; use S3Prefix or ManifestFile": (
            source["S3DataType"] not in ("S3Prefix", "ManifestFile")
        ),
        f"SplitType {split_type!r} is not supported on this machine; use Line or None": (
            split_type not in ("Line", "None")
        ),
        "MaxPayloadInMB 0, a payload without end, is not supported on this machine; give 1 to 100": payload == 0,
        f"MaxPayloadInMB ({payload}) * MaxConcurrentTransforms ({at_once}) must not exceed {MOST_MEGABYTES} MB": (
            payload * at_once > MOST_MEGABYTES
        ),
    }
    for fault, is_one in faults.items():
        if is_one:
            raise ServiceError("ValidationException", fault)
    try:
        images.find(request["Container"].get("Image", ""), "model")
        for uri in (source["S3Uri"], request["TransformOutput"]["S3OutputPath"]):
            split_uri(uri)
    except (UnsupportedImage, ClientFault) as error:
        raise ServiceError("ValidationException", str(error)) from error
    return job_record(KIND, request, now)


class _Failed(Exception):
    """An object cannot be transformed.

    fault: whose it is, ClientError or AlgorithmError. details: for the data log, by default the message.
    """

    def __init__(self, message: str, fault: str = "ClientError", details: str = "") -> None:
        super().__init__(message)
        self.fault = fault
        self.details = details or message


class Transform:
    """One transform job on its way. Raises ServiceError for a DataProcessing that can't work.

    folder: for its container and its output; is made, and removed at the end.
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
        self.done = threading.Event()
        self.name: str = record[f"{NOUNS[KIND]}Name"]
        self._record, self._folder = record, folder
        self._store, self._objects, self._images, self._environment = store, objects, images, environment
        self._at_once = record.get("MaxConcurrentTransforms") or 1
        self._megabytes = record.get("MaxPayloadInMB", DEFAULT_PAYLOAD)
        self._strategy = record.get("BatchStrategy", "MultiRecord")
        try:
            self._processing = DataProcessing(record, lambda: str(uuid.uuid4()), iso_time(record["CreationTime"]))
        except DataProcessingError as error:
            raise ServiceError("ValidationException", str(error)) from error
        # guards the two below
        self._lock = threading.Lock()
        self._server: ModelServer | None = None
        self._ending: JobResult | None = None

    def start(self, ended: Callable[[], object]) -> None:
        threading.Thread(target=self._run, args=(ended,), name=f"job {self.name}", daemon=True).start()

    def end(self, ending: JobResult) -> None:
        """Begin to end the job in this way, unless that has begun already."""
        with self._lock:
            if self._ending is not None or self.done.is_set():
                return
            self._ending = ending
            if ending.status == "Stopped":
                self._change(TransformJobStatus="Stopping")
        # the requests under way end with their container
        threading.Thread(target=self.kill, daemon=True).start()

    def kill(self) -> None:
        """End the container, which is given a moment."""
        with self._lock:
            server = self._server
        if server is not None:
            server.close()

    def _run(self, ended: Callable[[], object]) -> None:
        try:
            ending = self._outcome()
        except ClientFault as fault:
            ending = JobResult("Failed", f"ClientError: {fault}")
        except Exception as error:
            log.exception("job %s: internal error", self.name)
            ending = JobResult("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            self.kill()
            shutil.rmtree(self._folder, ignore_errors=True)
        try:
            with self._lock:
                self._store.update_best_effort(
                    KIND, self.name, **end_of_record(KIND, self._ending or ending, time.time())
                )
        except Exception:
            log.exception("job %s: its end cannot be recorded", self.name)
        finally:
            self.done.set()
            ended()

    def _outcome(self) -> JobResult:
        source = self._record["TransformInput"]["DataSource"]["S3DataSource"]
        found = [
            place
            for place in find_objects(self._objects, Input("data", "", source["S3Uri"], source["S3DataType"]))
            if not place[1].endswith("/")  # what stands for a folder
        ]
        shutil.rmtree(self._folder, ignore_errors=True)  # of a job of this name whose record is no more
        outputs = self._folder / "output"
        outputs.mkdir(parents=True)
        stream = f"{self.name}/i-{secrets.token_hex(9)[:17]}-{int(time.time())}"
        with contextlib.closing(self._log(f"{stream}/data-log")) as data_log:
            try:
                server = self._start_server(stream)
            except ModelServerError as error:
                return JobResult("Failed", f"AlgorithmError: {_SEE_LOGS}: {error}")
            data_log.write(
                [
                    f"[sagemaker logs]: MaxConcurrentTransforms={self._at_once}, MaxPayloadInMB={self._megabytes}, "
                    f"BatchStrategy={_STRATEGIES[self._strategy]}"
                ]
            )
            done, reason = self._transform_all(server, found, outputs, data_log)
        if self._ending is not None:  # a stopped job leaves no output
            return self._ending
        for output, name in done:
            put_file(self._objects, output, f"{self._output_prefix}{name}")
        if reason is not None:
            return JobResult("Failed", reason)
        if "DataCaptureConfig" in self._record:
            put_manifests(self._objects, self._record, found, self._output_prefix, self._folder)
        return JobResult("Completed")

    def _transform_all(
        self, server: ModelServer, found: list[tuple[str, str, str]], outputs: Path, data_log: LogStream
    ) -> tuple[list[tuple[Path, str]], str | None]:
        """The outputs that were written with the names they are to have, and why the first of the others was not.

        found: as `find_objects` has it. Where one object can't be transformed the others may still give usable results.
        """
        done: list[tuple[Path, str]] = []
        reason = None
        for number, (bucket, key, relative) in enumerate(found):
            if self._ending is not None:
                break
            output = outputs / str(number)
            try:
                self._transform(server, bucket, key, output)
                done.append((output, f"{relative}.out"))
            except _Failed as error:
                lines = error.details.splitlines()
                data_log.write(f"[sagemaker logs]: {bucket}/{key}: {line}" for line in lines)
                reason = reason or f"{error.fault}: {_SEE_LOGS}: {bucket}/{key}: {error}"
                if not server.alive:
                    break
        return done, reason

    @property
    def _output_prefix(self) -> str:
        return f"{self._record['TransformOutput']['S3OutputPath'].rstrip('/')}/"

    def _start_server(self, stream: str) -> ModelServer:
        """Bring the model's container up. Raises ModelServerError."""
        container = self._record["Container"]
        # "Use Your Own Inference Code with Batch Transform": those that the request does not give are not passed
        options = {
            "BatchStrategy": ("SAGEMAKER_BATCH_STRATEGY", _STRATEGIES[self._strategy]),
            "MaxPayloadInMB": ("SAGEMAKER_MAX_PAYLOAD_IN_MB", str(self._megabytes)),
            "MaxConcurrentTransforms": ("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", str(self._at_once)),
        }
        variables = {
            "SAGEMAKER_MODEL_SERVER_WORKERS": str(min(self._at_once, os.cpu_count() or 1)),
            **container.get("Environment", {}),
            **self._record.get("Environment", {}),
            "SAGEMAKER_BATCH": "true",
            **dict(variable for member, variable in options.items() if member in self._record),
        }
        server = ModelServer(
            {**container, "Environment": variables},
            self._folder / "model",
            self._objects,
            self._environment,
            self._log(stream),
            self._images,
        )
        with self._lock:
            self._server = server
            stopped = self._ending is not None
            self._change(TransformStartTime=time.time())
        if stopped:
            server.close()
        server.start(START_SECONDS)
        return server

    def _transform(self, server: ModelServer, bucket: str, key: str, output: Path) -> None:
        """Write what the model answers to an object to a file, in order. Raises _Failed."""
        packed = self._record["TransformInput"].get("CompressionType") == "Gzip"
        split_type = self._record["TransformInput"].get("SplitType", "None")
        end_of_line = self._record["TransformOutput"].get("AssembleWith") == "Line"
        # no more than so many payloads and their answers are held, however long the object is
        waiting: deque[Future[bytes]] = deque()

        def write_first(file: IO[bytes]) -> None:
            answer = waiting.popleft().result()
            file.write(answer)
            if end_of_line and not answer.endswith(b"\n"):
                file.write(b"\n")

        try:
            stored, _ = self._objects.open(bucket, key)
            with stored, output.open("wb") as file, ThreadPoolExecutor(self._at_once) as pool:
                reading = cast(BinaryIO, gzip.GzipFile(fileobj=stored)) if packed else stored
                for payload in payloads(reading, split_type, self._strategy, self._megabytes * MEGABYTE):
                    if len(waiting) == self._at_once:
                        write_first(file)
                    waiting.append(pool.submit(self._answer, server, payload))
                while waiting:
                    write_first(file)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise _Failed(f"it cannot be unpacked (CompressionType Gzip): {error}") from error
        except (ClientFault, KeyError) as error:
            raise _Failed(str(error)) from error
        except (ModelServerError, TimeoutError) as error:
            raise _Failed(f"the model's container has ended: {error}", "AlgorithmError") from error

    def _answer(self, server: ModelServer, payload: bytes) -> bytes:
        """What of the output a payload comes to. Raises _Failed, ClientFault, ModelServerError, TimeoutError."""
        config = self._record.get("ModelClientConfig", {})
        headers = {
            "Content-Type": self._record["TransformInput"].get("ContentType"),
            "Accept": self._record["TransformOutput"].get("Accept"),
        }
        given = {name: value for name, value in headers.items() if value is not None}
        body = self._processing.body(payload)
        for _ in range(1 + config.get("InvocationsMaxRetries", DEFAULT_RETRIES)):
            response = server.invoke(body, given, config.get("InvocationsTimeoutInSeconds", DEFAULT_TIMEOUT))
            if response.status < 500:  # another try would change nothing
                break
        if 200 <= response.status < 300:
            return self._processing.result(payload, response.body)
        fault = "ClientError" if response.status < 500 else "AlgorithmError"
        message = response.body[:LONGEST_MESSAGE].decode("utf-8", errors="replace").strip()
        first_line = message.partition("\n")[0]
        raise _Failed(f"{response.status}: {first_line}", fault, f"{fault}: {response.status}\n\nMessage:\n{message}")

    def _log(self, stream: str) -> LogStream:
        return LogStream(logs.log_file(self._store.data_dir, logs.TRANSFORM_JOBS, stream), _note_nothing)

    def _change(self, **changes: object) -> None:
        self._store.update_best_effort(KIND, self.name, **changes, LastModifiedTime=time.time())


def _note_nothing(line: str, now: float) -> None:
    """The lines of a transform job's logs mean nothing to it."""
