"""Data capture: what was asked and answered, as files in S3 in the layout and format of SageMaker's data capture.

`<DestinationS3Uri>/<endpoint>/<variant>/yyyy/mm/dd/hh/<mm-ss-ms>-<uuid>.jsonl`, an event a line, the hour in UTC.
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
# what may wait for the disk; beyond it events are dropped, for no request is to wait
MOST_WAITING_BYTES = 256 << 20

BOTH = ("Input", "Output")


@dataclass(frozen=True)
class CaptureConfig:
    """percentage: of the requests, 0 to 100. modes: of Input and Output. csv, json: media types captured as such."""

    destination: str
    percentage: float
    modes: frozenset[str]
    csv: frozenset[str]
    json: frozenset[str]

    @classmethod
    def of(cls, config: Record | None) -> CaptureConfig | None:
        """That of an endpoint configuration's DataCaptureConfig, None where nothing is to be captured."""
        if config is None or not config.get("EnableCapture", True):
            return None
        modes = [option["CaptureMode"] for option in config["CaptureOptions"]]
        types = config.get("CaptureContentTypeHeader", {})
        return cls(
            destination=config["DestinationS3Uri"].rstrip("/"),
            percentage=config["InitialSamplingPercentage"],
            modes=frozenset(BOTH if "InputAndOutput" in modes else modes),
            csv=frozenset(map(_media_type, types.get("CsvContentTypes", []))),
            json=frozenset(map(_media_type, types.get("JsonContentTypes", []))),
        )

    def samples(self) -> bool:
        """Whether a request is to be captured: a throw of the dice."""
        return random.random() * 100 < self.percentage  # noqa: S311 - no secret


@dataclass(frozen=True)
class Event:
    """A request that was answered. input, output: body and content type. moment: when it came, epoch seconds."""

    endpoint: str
    variant: str
    input: tuple[bytes, str]
    output: tuple[bytes, str]
    inference_id: str | None
    custom_attributes: str | None
    moment: float


class Capture:
    """Writes events to S3, by and by, in a thread of its own. Never fails and never waits for the disk."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        # guards the events and their size
        self._lock = threading.Lock()
        self._events: list[tuple[CaptureConfig, Event]] = []
        self._bytes = 0
        # held while events become files, so that a flush returns when all that came before it is written
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, config: CaptureConfig, event: Event) -> None:
        size = len(event.input[0]) + len(event.output[0])
        with self._lock:
            if self._bytes + size > MOST_WAITING_BYTES:
                log.warning("endpoint %s: a request was not captured: too many wait for the disk", event.endpoint)
                return
            self._events.append((config, event))
            self._bytes += size
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush_on, name="capture", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Write what is left."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def flush(self) -> None:
        """Write what waits, now."""
        with self._writing:
            with self._lock:
                events, self._events, self._bytes = self._events, [], 0
            self._write_all(events)

    def _flush_on(self) -> None:
        while not self._closed.wait(FLUSH_SECONDS):
            self.flush()

    def _write_all(self, events: list[tuple[CaptureConfig, Event]]) -> None:
        files: dict[str, list[str]] = {}
        for config, event in events:
            hour = datetime.fromtimestamp(event.moment, UTC).strftime("%Y/%m/%d/%H")
            folder = f"{config.destination}/{event.endpoint}/{event.variant}/{hour}"
            files.setdefault(folder, []).append(captured(config, event))
        for folder, lines in files.items():
            try:
                self._write(folder, lines)
            except (ClientFault, OSError) as error:
                log.warning("%d requests were not captured to %s: %s", len(lines), folder, error)

    def _write(self, folder: str, lines: list[str]) -> None:
        now = datetime.fromtimestamp(time.time(), UTC)
        uri = f"{folder}/{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        with tempfile.TemporaryDirectory() as aside:
            file = Path(aside) / "events.jsonl"
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            put_file(self._objects, file, uri)


def captured(config: CaptureConfig, event: Event) -> str:
    """An event as a line of a capture file."""
    bodies = {"Input": event.input, "Output": event.output}
    metadata: Mapping[str, Any] = {
        "eventId": str(uuid.uuid4()),
        "customAttributes": [event.custom_attributes] if event.custom_attributes else None,
        "inferenceId": event.inference_id,
        "inferenceTime": iso_time(event.moment),
    }
    line = {
        "captureData": {
            f"endpoint{mode}": {
                "observedContentType": bodies[mode][1],
                "mode": mode.upper(),
                **_encoded(config, *bodies[mode]),
            }
            for mode in BOTH
            if mode in config.modes
        },
        "eventMetadata": {name: value for name, value in metadata.items() if value is not None},
        "eventVersion": "0",
    }
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def _encoded(config: CaptureConfig, body: bytes, content_type: str) -> Record:
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
