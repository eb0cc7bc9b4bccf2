"""Capture requests and responses in the files of SageMaker's data capture, where an endpoint does not support it.

    {destination}/{endpoint}/{variant}/yyyy/mm/dd/hh/{minutes}-{seconds}-{milliseconds}-{uuid}.jsonl

Responses never wait for the capture, and its failures do not affect them: events that do not fit into the buffer, or
cannot be uploaded, are counted and dropped. A serverless container is frozen between invocations, so that a file may be
uploaded during the next invocation, and events in the buffer are lost when the container is shut down.

Settings, from the container's environment:
    DATA_CAPTURE_DESTINATION_S3_URI    S3 prefix of the files; nothing is captured without it
    DATA_CAPTURE_SAMPLING_PERCENTAGE   percentage of the requests to capture, 0 to 100 (default: 100)
    DATA_CAPTURE_ENDPOINT_NAME         name of the endpoint, which a container cannot look up
    DATA_CAPTURE_VARIANT_NAME          name of the variant (default: AllTraffic)
"""

from __future__ import annotations

import atexit
import base64
import json
import random
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

FLUSH_BYTES, FLUSH_SECONDS = 1 << 20, 10.0
# Of the payloads in a file, which is several times as long in memory while it is written. A longer event has its own.
MAX_FILE_BYTES = 4 << 20
# Of events that wait for their upload: at least three with the largest payloads of a serverless endpoint.
MAX_PENDING_BYTES = 32 << 20
EXIT_SECONDS = 5.0
ENCODINGS = {"text/csv": "CSV", "application/json": "JSON", "application/jsonlines": "JSON"}


@dataclass(frozen=True)
class Destination:
    """Where captures are written.

    Attributes:
        bucket: The S3 bucket.
        prefix: The part of the keys before the hour.
        sampling_percentage: The percentage of the requests to capture.
    """

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
    response: Payload
    inference_id: str | None
    custom_attributes: str | None

    @property
    def size(self) -> int:
        return len(self.request.data) + len(self.response.data)


def destination_from(environment: Mapping[str, str]) -> Destination:
    """Read the settings.

    Raises:
        ValueError: A setting is missing or invalid.
    """
    uri = environment["DATA_CAPTURE_DESTINATION_S3_URI"]
    bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise ValueError(f"DATA_CAPTURE_DESTINATION_S3_URI is {uri!r}; set it to s3://bucket/prefix")
    endpoint = environment.get("DATA_CAPTURE_ENDPOINT_NAME")
    if not endpoint:
        raise ValueError("DATA_CAPTURE_ENDPOINT_NAME is not set; set it to the name of the endpoint")
    percentage = environment.get("DATA_CAPTURE_SAMPLING_PERCENTAGE", "100")
    try:
        is_percentage = 0 <= float(percentage) <= 100
    except ValueError:
        is_percentage = False
    if not is_percentage:
        raise ValueError(f"DATA_CAPTURE_SAMPLING_PERCENTAGE is {percentage!r}; set it to a number from 0 to 100")
    variant = environment.get("DATA_CAPTURE_VARIANT_NAME") or "AllTraffic"
    return Destination(bucket, "/".join(filter(None, (prefix, endpoint, variant))), float(percentage))


class Capture:
    """A buffer of sampled events, which a background thread uploads.

    Args:
        destination: Where and how often to capture.
        upload: Called with bucket, key and content; boto3's put_object by default.

    Attributes:
        dropped: The number of events lost so far.
    """

    def __init__(self, destination: Destination, upload: Callable[[str, str, bytes], None] | None = None):
        self.dropped = 0
        self._destination, self._upload = destination, upload or S3Upload()
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._events: list[Event] = []
        self._pending_bytes = 0
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def add(
        self, request: Payload, response: Payload, inference_id: str | None, custom_attributes: str | None = None
    ) -> None:
        """Add an event, if it is sampled and the buffer has room for it."""
        # The choice need not be unpredictable, hence no cryptographic generator.
        if random.random() * 100 >= self._destination.sampling_percentage:  # noqa: S311
            return
        event = Event(datetime.now(UTC), request, response, inference_id, custom_attributes)
        with self._lock:
            if self._is_closed or self._pending_bytes + event.size > MAX_PENDING_BYTES:
                self.dropped += 1
                return
            self._events.append(event)
            self._pending_bytes += event.size
            if self._pending_bytes >= FLUSH_BYTES:
                self._wake.set()

    def close(self) -> None:
        """Upload the remaining events, for at most EXIT_SECONDS."""
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
        # Readers of an hour list the folder of that hour.
        by_hour: dict[str, list[Event]] = {}
        for event in events:
            by_hour.setdefault(f"{event.time:%Y/%m/%d/%H}", []).append(event)
        for hour, events_of_hour in by_hour.items():
            for events_of_file in files_of(events_of_hour):
                self._write(hour, events_of_file)
        with self._lock:
            self._pending_bytes -= sum(event.size for event in events)

    def _write(self, hour: str, events: Sequence[Event]) -> None:
        first = events[0].time
        name = f"{first:%M-%S}-{first.microsecond // 1000:03}-{uuid.uuid4()}.jsonl"
        try:
            content = b"".join(capture_line(event).encode() for event in events)
            self._upload(self._destination.bucket, f"{self._destination.prefix}/{hour}/{name}", content)
        except Exception as error:
            with self._lock:
                self.dropped += len(events)
            print(
                f"captures lost: {len(events)}, in total {self.dropped} ({type(error).__name__}: {error})",
                file=sys.stderr,
                flush=True,
            )


class S3Upload:
    """Upload with boto3, imported at the first upload."""

    def __init__(self) -> None:
        self._client: Any = None

    def __call__(self, bucket: str, key: str, content: bytes) -> None:
        if self._client is None:
            import boto3

            self._client = boto3.client("s3")
        self._client.put_object(Bucket=bucket, Key=key, Body=content)


def files_of(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Divide events into files of about MAX_FILE_BYTES."""
    start, size = 0, 0
    for index, event in enumerate(events):
        if size and size + event.size > MAX_FILE_BYTES:
            yield events[start:index]
            start, size = index, 0
        size += event.size
    yield events[start:]


def capture_line(event: Event) -> str:
    """Format an event as SageMaker does."""
    metadata: dict[str, Any] = {"eventId": str(uuid.uuid4())}
    if event.custom_attributes:
        metadata["customAttributes"] = [event.custom_attributes]
    if event.inference_id:
        metadata["inferenceId"] = event.inference_id
    metadata["inferenceTime"] = f"{event.time:%Y-%m-%dT%H:%M:%SZ}"
    captured = {
        "endpointInput": captured_payload(event.request, "INPUT"),
        "endpointOutput": captured_payload(event.response, "OUTPUT"),
    }
    return json.dumps({"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}) + "\n"


def captured_payload(payload: Payload, mode: str) -> dict[str, str]:
    encoding = ENCODINGS.get(payload.content_type.partition(";")[0].strip().lower(), "BASE64")
    data = payload.data.encode() if isinstance(payload.data, str) else bytes(payload.data)
    text = base64.b64encode(data).decode() if encoding == "BASE64" else data.decode()
    return {"observedContentType": payload.content_type, "mode": mode, "data": text, "encoding": encoding}
