"""The handler captures like SageMaker, and captures never delay or fail a request."""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import capture
import pytest
from capture import Capture, Destination, Payload, destination_from

import inference

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
URI = "DATA_CAPTURE_DESTINATION_S3_URI"
ENVIRONMENT = {URI: "s3://bucket/captures/", "DATA_CAPTURE_ENDPOINT_NAME": "churn"}


class Bucket:
    """A bucket that can be slow or fail."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.is_open = threading.Event()
        self.is_open.set()
        self.error: Exception | None = None

    def __call__(self, bucket: str, key: str, content: bytes) -> None:
        self.is_open.wait(10)
        if self.error:
            raise self.error
        assert bucket == "bucket"
        self.files[key] = content

    def events(self) -> list[dict]:
        return [json.loads(line) for content in self.files.values() for line in content.splitlines()]


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def add(captured: Capture, body: str = "1,2", content_type: str = CSV, inference_id: str | None = None) -> None:
    captured.add(Payload(body, content_type), Payload("0,0.25\n", CSV), inference_id)


def test_custom_attributes_are_captured_as_sagemaker_does(bucket):
    captured = Capture(destination_from(ENVIRONMENT), bucket)
    context = SimpleNamespace(get_request_header=lambda _, name: "test-request" if "Custom" in name else None)
    request = SimpleNamespace(body="1,2", content_type=CSV)
    inference.add_capture(captured, request, "0", CSV, context)
    captured.close()
    assert bucket.events()[0]["eventMetadata"]["customAttributes"] == ["test-request"]


def test_events_and_keys_are_those_of_sagemaker(bucket):
    captured = Capture(destination_from(ENVIRONMENT), bucket)
    captured.add(Payload(b"1,2", "text/csv; charset=utf-8"), Payload('{"predictions": []}', JSON), "order-7")
    captured.close()
    ((key, content),) = bucket.files.items()
    assert re.fullmatch(r"captures/churn/AllTraffic/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl", key)
    event = json.loads(content)
    assert event.pop("eventVersion") == "0"
    metadata = event.pop("eventMetadata")
    assert metadata.pop("inferenceId") == "order-7"
    at = datetime.fromisoformat(metadata.pop("inferenceTime"))
    assert f"{at:%Y/%m/%d/%H}" in key and abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert metadata.keys() == {"eventId"}
    assert event == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv; charset=utf-8",
                "mode": "INPUT",
                "data": "1,2",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": JSON,
                "mode": "OUTPUT",
                "data": '{"predictions": []}',
                "encoding": "JSON",
            },
        }
    }


def test_events_of_two_hours_go_to_two_folders(bucket, monkeypatch):
    times = iter([datetime(2026, 3, 1, 9, 59, 59, tzinfo=UTC), datetime(2026, 3, 1, 10, 0, 0, 1000, tzinfo=UTC)])
    monkeypatch.setattr(capture, "datetime", SimpleNamespace(now=lambda zone: next(times)))
    captured = Capture(Destination("bucket", "p"), bucket)
    add(captured)
    add(captured)
    captured.close()
    assert sorted(key.rpartition("-")[0][:26] for key in bucket.files) == [
        "p/2026/03/01/09/59-59-000-",
        "p/2026/03/01/10/00-00-001-",
    ]


def test_only_the_sampled_share_is_captured(bucket):
    none, some = (Capture(Destination("bucket", "p", percentage), bucket) for percentage in (0, 25))
    for _ in range(1000):
        add(none)
        add(some)
    none.close()
    assert bucket.events() == []
    some.close()
    assert 150 < len(bucket.events()) < 350


def test_a_slow_bucket_drops_captures_and_delays_no_request(bucket, monkeypatch):
    monkeypatch.setattr(capture, "FLUSH_BYTES", 1000)
    monkeypatch.setattr(capture, "MAX_PENDING_BYTES", 10_000)
    bucket.is_open.clear()
    captured = Capture(Destination("bucket", "p"), bucket)
    start = time.perf_counter()
    for _ in range(100):
        add(captured, "x" * 993)
    assert time.perf_counter() - start < 1
    assert captured.dropped == 90
    bucket.is_open.set()
    captured.close()
    assert len(bucket.events()) == 10


def test_large_events_are_divided_into_files(bucket, monkeypatch):
    monkeypatch.setattr(capture, "MAX_FILE_BYTES", 1000)
    captured = Capture(Destination("bucket", "p"), bucket)
    for size in (3000, 400, 400, 400):
        add(captured, "x" * size)
    captured.close()
    assert sorted(content.count(b"\n") for content in bucket.files.values()) == [1, 1, 2]


def test_a_failing_bucket_loses_only_captures_and_logs_their_number(bucket, capsys):
    bucket.error = PermissionError("AccessDenied")
    captured = Capture(Destination("bucket", "p"), bucket)
    add(captured)
    captured.close()
    assert captured.dropped == 1
    assert "captures lost: 1, in total 1 (PermissionError: AccessDenied)" in capsys.readouterr().err
    add(captured)
    assert captured.dropped == 2, "after closing"


def test_events_are_uploaded_after_a_time_without_closing(bucket, monkeypatch):
    monkeypatch.setattr(capture, "FLUSH_SECONDS", 0.01)
    captured = Capture(Destination("bucket", "p"), bucket)
    add(captured)
    deadline = time.monotonic() + 10
    while not bucket.files and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(bucket.events()) == 1
    captured.close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({URI: "https://bucket/x"}, f"{URI} is 'https://bucket/x'; set it to s3://bucket/prefix"),
        ({"DATA_CAPTURE_ENDPOINT_NAME": ""}, "DATA_CAPTURE_ENDPOINT_NAME is not set"),
        (
            {"DATA_CAPTURE_SAMPLING_PERCENTAGE": "half"},
            "DATA_CAPTURE_SAMPLING_PERCENTAGE is 'half'; set it to a number",
        ),
        ({"DATA_CAPTURE_SAMPLING_PERCENTAGE": "101"}, "DATA_CAPTURE_SAMPLING_PERCENTAGE is '101'; set it to a number"),
    ],
)
def test_an_invalid_setting_is_refused_at_startup(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        destination_from(ENVIRONMENT | settings)


def test_the_handler_captures_responses_but_not_refused_requests(make_project, monkeypatch, bucket):
    for name, value in (ENVIRONMENT | {"DATA_CAPTURE_VARIANT_NAME": "blue"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(capture, "S3Upload", lambda: bucket)
    model = inference.model_fn(str(make_project("mixed").model))
    context = SimpleNamespace(get_request_header=lambda index, name: "id-1" if "Inference-Id" in name else None)
    body = b"malic acid\n2.5\n"
    answer, _ = inference.output_fn(inference.predict_fn(inference.input_fn(body, CSV), model), CSV, context)
    with pytest.raises(inference.InputError):
        inference.predict_fn(inference.input_fn(b"smell\n1\n", CSV), model)
    model.capture.close()
    (event,) = bucket.events()
    assert event["captureData"]["endpointInput"]["data"] == body.decode()
    assert event["captureData"]["endpointOutput"]["data"] == answer
    assert event["eventMetadata"]["inferenceId"] == "id-1"
    assert next(iter(bucket.files)).startswith("captures/churn/blue/")


def test_the_analyzer_reads_captures_of_every_content_type(bucket, tmp_path):
    datasets = pytest.importorskip("analyzer.datasets.dataset")
    captured = Capture(Destination("bucket", "p"), bucket)
    for body, content_type in (("a,b\n1,2", CSV), ('{"a": 1, "b": 2}', JSON), ('{"a": 1, "b": 2}\n' * 2, LINES)):
        add(captured, body, content_type)
    captured.close()
    (content,) = bucket.files.values()
    (tmp_path / "captured.jsonl").write_bytes(content)
    options = {"captureIndexNames": ["endpointInput"]}
    dataset = datasets.Dataset.from_format(
        tmp_path, json.dumps({"sagemakerCaptureJson": options}), known_names=["a", "b"]
    )
    assert [row for batch in dataset.batches() for row in batch.to_pylist()] == [{"a": 1, "b": 2}] * 4
