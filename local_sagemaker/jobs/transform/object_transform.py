"""Sends the records of one S3 object through the model's container and writes its responses to a file."""

from __future__ import annotations

import gzip
import uuid
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, BinaryIO, cast

from local_sagemaker.containers.inference_pipeline import ServedModel
from local_sagemaker.containers.model_server import ModelServerError
from local_sagemaker.jobs.transform.data_processing import DataProcessing, DataProcessingError
from local_sagemaker.jobs.transform.payloads import payloads
from local_sagemaker.jobs.transform.transform_request import max_concurrent, max_payload
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.times import iso_time
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault

MEGABYTE = 1 << 20
# the service's defaults of ModelClientConfig
DEFAULT_RETRIES = 3
DEFAULT_TIMEOUT = 600
# maximum length of a container's error message in the data log
LONGEST_MESSAGE = 4096


class TransformError(Exception):
    """An object that cannot be transformed.

    Args:
        message: The reason.
        fault: ClientError or AlgorithmError.
        details: Text for the data log; by default the message.
    """

    def __init__(self, message: str, fault: str = "ClientError", details: str = "") -> None:
        super().__init__(message)
        self.fault = fault
        self.details = details or message


class ObjectTransform:
    """Transforms the objects of one transform job.

    Raises:
        ServiceError: The request's DataProcessing is invalid.
    """

    def __init__(self, record: Record, objects: ObjectStore) -> None:
        self._record, self._objects = record, objects
        self._concurrent = max_concurrent(record)
        try:
            self._processing = DataProcessing(record, lambda: str(uuid.uuid4()), iso_time(record["CreationTime"]))
        except DataProcessingError as error:
            raise ServiceError("ValidationException", str(error)) from error

    def transform(self, server: ServedModel, bucket: str, key: str, output: Path) -> None:
        """Write the model's responses for an object to a file, in the order of its records.

        Raises:
            TransformError: The object cannot be read, or the model does not respond to all of its records.
        """
        compressed = self._record["TransformInput"].get("CompressionType") == "Gzip"
        end_with_newline = self._record["TransformOutput"].get("AssembleWith") == "Line"
        # bounds the payloads and responses in memory, however large the object is
        pending: deque[Future[bytes]] = deque()

        def write_first(file: IO[bytes]) -> None:
            response = pending.popleft().result()
            file.write(response)
            if end_with_newline and not response.endswith(b"\n"):
                file.write(b"\n")

        try:
            stored, _ = self._objects.open(bucket, key)
            with stored, output.open("wb") as file, ThreadPoolExecutor(self._concurrent) as pool:
                reader = cast(BinaryIO, gzip.GzipFile(fileobj=stored)) if compressed else stored
                split_type = self._record["TransformInput"].get("SplitType", "None")
                strategy = self._record.get("BatchStrategy", "MultiRecord")
                for payload in payloads(reader, split_type, strategy, max_payload(self._record) * MEGABYTE):
                    if len(pending) == self._concurrent:
                        write_first(file)
                    pending.append(pool.submit(self._invoke, server, payload))
                while pending:
                    write_first(file)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise TransformError(f"the object is not valid gzip data (CompressionType Gzip): {error}") from error
        except (ClientFault, KeyError) as error:
            raise TransformError(str(error)) from error
        except (ModelServerError, TimeoutError) as error:
            raise TransformError(f"the model's container has exited: {error}", "AlgorithmError") from error

    def _invoke(self, server: ServedModel, payload: bytes) -> bytes:
        """Return the output for a payload.

        Raises:
            TransformError: The container responds with an error.
            ClientFault: The payload or the response cannot be processed.
            ModelServerError: The container has exited.
            TimeoutError: The container does not respond in time.
        """
        config = self._record.get("ModelClientConfig", {})
        headers = {
            "Content-Type": self._record["TransformInput"].get("ContentType"),
            "Accept": self._record["TransformOutput"].get("Accept"),
        }
        given = {name: value for name, value in headers.items() if value is not None}
        body = self._processing.request_body(payload)
        for _ in range(1 + config.get("InvocationsMaxRetries", DEFAULT_RETRIES)):
            response = server.invoke(body, given, config.get("InvocationsTimeoutInSeconds", DEFAULT_TIMEOUT))
            # a retry cannot help after a client error
            if response.status < 500:
                break
        if 200 <= response.status < 300:
            return self._processing.output(payload, response.body)
        fault = "ClientError" if response.status < 500 else "AlgorithmError"
        message = response.body[:LONGEST_MESSAGE].decode("utf-8", errors="replace").strip()
        details = f"{fault}: {response.status}\n\nMessage:\n{message}"
        raise TransformError(f"{response.status}: {message.partition(chr(10))[0]}", fault, details)
