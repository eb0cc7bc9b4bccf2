"""Data capture: requests and responses of endpoints, written to S3 in SageMaker's layout and format.

Files are `<DestinationS3Uri>/<endpoint>/<variant>/yyyy/mm/dd/hh/<mm-ss-ms>-<uuid>.jsonl` with one event per line; the
hour is in UTC.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_sagemaker.protocol.times import iso_time
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, put_file

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
# events beyond this are dropped, because requests do not wait for the disk
MAX_PENDING_BYTES = 256 << 20

MODES = ("Input", "Output")


@dataclass(frozen=True)
class DataCaptureConfig:
    """Which requests of an endpoint are captured, and how.

    Attributes:
        destination: The S3 URI of DestinationS3Uri.
        percentage: The share of requests to capture, from 0 to 100.
        modes: Which of Input and Output to capture.
        csv: The media types to capture as CSV.
        json: The media types to capture as JSON.
    """

    destination: str
    percentage: float
    modes: frozenset[str]
    csv: frozenset[str]
    json: frozenset[str]

    @classmethod
    def from_endpoint_config(cls, config: Record | None) -> DataCaptureConfig | None:
        """Return the settings of an endpoint configuration's DataCaptureConfig; None if capture is disabled."""
        if config is None or not config.get("EnableCapture", True):
            return None
        modes = [option["CaptureMode"] for option in config["CaptureOptions"]]
        types = config.get("CaptureContentTypeHeader", {})
        return cls(
            destination=config["DestinationS3Uri"].rstrip("/"),
            percentage=config["InitialSamplingPercentage"],
            modes=frozenset(MODES if "InputAndOutput" in modes else modes),
            csv=frozenset(map(_media_type, types.get("CsvContentTypes", []))),
            json=frozenset(map(_media_type, types.get("JsonContentTypes", []))),
        )

    def is_sampled(self) -> bool:
        """Decide at random whether to capture a request."""
        return random.random() * 100 < self.percentage  # noqa: S311 - not for cryptography


@dataclass(frozen=True)
class CapturedInvocation:
    """An invocation to capture.

    Attributes:
        endpoint: The endpoint's name.
        variant: The variant's name.
        input: Body and content type of the request.
        output: Body and content type of the response.
        inference_id: The request's InferenceId.
        custom_attributes: The request's CustomAttributes.
        time: When the request arrived, in epoch seconds.
    """

    endpoint: str
    variant: str
    input: tuple[bytes, str]
    output: tuple[bytes, str]
    inference_id: str | None
    custom_attributes: str | None
    time: float


class DataCapture:
    """Writes captured invocations to S3 in a background thread, so that `add` neither fails nor waits for the disk."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        # guards the pending events and their size
        self._lock = threading.Lock()
        self._events: list[tuple[DataCaptureConfig, CapturedInvocation]] = []
        self._bytes = 0
        # held while events are written, so that `flush` returns only when everything added before is on disk
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, config: DataCaptureConfig, event: CapturedInvocation) -> None:
        """Queue an invocation; it is dropped if too much is pending."""
        size = len(event.input[0]) + len(event.output[0])
        with self._lock:
            if self._bytes + size > MAX_PENDING_BYTES:
                log.warning("endpoint %s: dropped a captured request: too many are pending", event.endpoint)
                return
            self._events.append((config, event))
            self._bytes += size
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush_periodically, name="data capture", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Write what is pending and stop the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def flush(self) -> None:
        """Write what is pending, now."""
        with self._writing:
            with self._lock:
                events, self._events, self._bytes = self._events, [], 0
            self._write_all(events)

    def _flush_periodically(self) -> None:
        while not self._closed.wait(FLUSH_SECONDS):
            self.flush()

    def _write_all(self, events: list[tuple[DataCaptureConfig, CapturedInvocation]]) -> None:
        files: dict[str, list[str]] = {}
        for config, event in events:
            hour = datetime.fromtimestamp(event.time, UTC).strftime("%Y/%m/%d/%H")
            folder = f"{config.destination}/{event.endpoint}/{event.variant}/{hour}"
            files.setdefault(folder, []).append(capture_line(config, event))
        for folder, lines in files.items():
            try:
                self._write(folder, lines)
            except (ClientFault, OSError) as error:
                log.warning("cannot write %d captured requests to %s: %s", len(lines), folder, error)

    def _write(self, folder: str, lines: list[str]) -> None:
        now = datetime.fromtimestamp(time.time(), UTC)
        uri = f"{folder}/{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / "events.jsonl"
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            put_file(self._objects, file, uri)


def capture_line(config: DataCaptureConfig, event: CapturedInvocation) -> str:
    """Return an event as a line of a capture file."""
    bodies = {"Input": event.input, "Output": event.output}
    metadata: Mapping[str, Any] = {
        "eventId": str(uuid.uuid4()),
        "customAttributes": [event.custom_attributes] if event.custom_attributes else None,
        "inferenceId": event.inference_id,
        "inferenceTime": iso_time(event.time),
    }
    line = {
        "captureData": {
            f"endpoint{mode}": {
                "observedContentType": bodies[mode][1],
                "mode": mode.upper(),
                **_encoded(config, *bodies[mode]),
            }
            for mode in MODES
            if mode in config.modes
        },
        "eventMetadata": {name: value for name, value in metadata.items() if value is not None},
        "eventVersion": "0",
    }
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def _encoded(config: DataCaptureConfig, body: bytes, content_type: str) -> Record:
    media_type = _media_type(content_type)
    for encoding, types in (("CSV", config.csv), ("JSON", config.json)):
        if media_type in types:
            try:
                return {"data": body.decode(), "encoding": encoding}
            except UnicodeDecodeError:
                break
    return {"data": base64.b64encode(body).decode(), "encoding": "BASE64"}


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
