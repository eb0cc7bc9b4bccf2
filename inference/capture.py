"""Requests and answers as files in the layout of SageMaker's data capture, for endpoints at which it captures nothing.

    {destination}/{endpoint}/{variant}/yyyy/mm/dd/hh/{minutes}-{seconds}-{milliseconds}-{uuid}.jsonl

An answer never waits for this, nor fails of it: what does not fit into the buffer, or cannot be uploaded, is counted
and dropped. A serverless container sleeps between requests, so that a file may come with the next one, and what is left
when it is taken away is lost.

Settings, from the container's environment:
    DATA_CAPTURE_DESTINATION_S3_URI    where to; without it nothing is captured
    DATA_CAPTURE_SAMPLING_PERCENTAGE   of the requests, 0 to 100 (100)
    DATA_CAPTURE_ENDPOINT_NAME         of the endpoint, which a container does not know
    DATA_CAPTURE_VARIANT_NAME          (AllTraffic)
"""

from __future__ import annotations

import atexit
import base64
import json
import random
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

FLUSH_BYTES, FLUSH_SECONDS = 1 << 20, 10.0
# of captures that wait for their upload; more than three of the largest payloads of a serverless endpoint both ways
MOST_WAITING_BYTES = 32 << 20
EXIT_SECONDS = 5.0
ENCODINGS = {"text/csv": "CSV", "application/json": "JSON", "application/jsonlines": "JSON"}


@dataclass(frozen=True)
class Destination:
    """prefix: of the keys, up to the hour."""

    bucket: str
    prefix: str
    sampling_percentage: float = 100.0


@dataclass(frozen=True)
class Payload:
    data: bytes | str
    content_type: str


@dataclass(frozen=True)
class Event:
    time: datetime
    request: Payload
    answer: Payload
    inference_id: str | None

    @property
    def size(self) -> int:
        return len(self.request.data) + len(self.answer.data)


def destination_of(environment: Mapping[str, str]) -> Destination:
    """Where to capture to, by the settings.

    Raises:
        ValueError: a setting is missing or cannot be.
    """
    uri = environment["DATA_CAPTURE_DESTINATION_S3_URI"]
    bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise ValueError(f"DATA_CAPTURE_DESTINATION_S3_URI is {uri!r}; give s3://bucket/prefix")
    endpoint = environment.get("DATA_CAPTURE_ENDPOINT_NAME")
    if not endpoint:
        raise ValueError("DATA_CAPTURE_ENDPOINT_NAME is not set; it is part of where captures are written to")
    percentage = environment.get("DATA_CAPTURE_SAMPLING_PERCENTAGE", "100")
    try:
        is_percentage = 0 <= float(percentage) <= 100
    except ValueError:
        is_percentage = False
    if not is_percentage:
        raise ValueError(f"DATA_CAPTURE_SAMPLING_PERCENTAGE is {percentage!r}; give a number from 0 to 100")
    variant = environment.get("DATA_CAPTURE_VARIANT_NAME") or "AllTraffic"
    return Destination(bucket, "/".join(filter(None, (prefix, endpoint, variant))), float(percentage))


class Capture:
    """Keeps sampled events and uploads them from a thread of its own.

    upload: takes bucket, key and content; boto3's put_object unless given. dropped: how many events were lost so far.
    """

    def __init__(self, destination: Destination, upload: Callable[[str, str, bytes], None] | None = None):
        self.dropped = 0
        self._destination, self._upload = destination, upload or S3Upload()
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._events: list[Event] = []
        self._waiting_bytes = 0
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def add(self, request: Payload, answer: Payload, inference_id: str | None) -> None:
        """Take an event if it is sampled and there is room for it."""
        # no secret depends on which requests are captured
        if random.random() * 100 >= self._destination.sampling_percentage:  # noqa: S311
            return
        event = Event(datetime.now(UTC), request, answer, inference_id)
        with self._lock:
            if self._is_closed or self._waiting_bytes + event.size > MOST_WAITING_BYTES:
                self.dropped += 1
                return
            self._events.append(event)
            self._waiting_bytes += event.size
            if self._waiting_bytes >= FLUSH_BYTES:
                self._wake.set()

    def close(self) -> None:
        """Upload what is left, for at most some seconds."""
        atexit.unregister(self.close)
        with self._lock:
            self._is_closed = True
        self._wake.set()
        self._thread.join(EXIT_SECONDS)

    def _run(self) -> None:
        while not self._is_closed:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            events, self._events = self._events, []
        # who reads an hour reads its folder
        by_hour: dict[str, list[Event]] = {}
        for event in events:
            by_hour.setdefault(f"{event.time:%Y/%m/%d/%H}", []).append(event)
        for hour, of_hour in by_hour.items():
            first = of_hour[0].time
            name = f"{first:%M-%S}-{first.microsecond // 1000:03}-{uuid.uuid4()}.jsonl"
            try:
                content = "".join(line_of(event) for event in of_hour).encode()
                self._upload(self._destination.bucket, f"{self._destination.prefix}/{hour}/{name}", content)
            except Exception as error:
                with self._lock:
                    self.dropped += len(of_hour)
                print(
                    f"{len(of_hour)} captures are lost, {self.dropped} so far: {type(error).__name__}: {error}",
                    file=sys.stderr,
                    flush=True,
                )
        with self._lock:
            self._waiting_bytes -= sum(event.size for event in events)


class S3Upload:
    """boto3, imported when there is something to upload."""

    def __init__(self) -> None:
        self._client: Any = None

    def __call__(self, bucket: str, key: str, content: bytes) -> None:
        if self._client is None:
            import boto3

            self._client = boto3.client("s3")
        self._client.put_object(Bucket=bucket, Key=key, Body=content)


def line_of(event: Event) -> str:
    """An event as SageMaker writes it."""
    metadata = {"eventId": str(uuid.uuid4())}
    if event.inference_id:
        metadata["inferenceId"] = event.inference_id
    metadata["inferenceTime"] = f"{event.time:%Y-%m-%dT%H:%M:%SZ}"
    captured = {
        "endpointInput": captured_payload(event.request, "INPUT"),
        "endpointOutput": captured_payload(event.answer, "OUTPUT"),
    }
    return json.dumps({"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}) + "\n"


def captured_payload(payload: Payload, mode: str) -> dict[str, str]:
    encoding = ENCODINGS.get(payload.content_type.partition(";")[0].strip().lower(), "BASE64")
    data = payload.data.encode() if isinstance(payload.data, str) else bytes(payload.data)
    text = base64.b64encode(data).decode() if encoding == "BASE64" else data.decode()
    return {"observedContentType": payload.content_type, "mode": mode, "data": text, "encoding": encoding}
