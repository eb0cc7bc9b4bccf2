"""Captured requests are found by inference id, in the hours that can have them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from deployment.capture_reader import CapturedRequest, wait_for_captures
from tests.deployment.local_account import ClientEvents, LocalAccount

SINCE = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """The S3 prefix of a test's endpoint."""
    return f"s3://bucket/captures/{request.node.name}"


def line(data: str, encoding: str, **metadata: str) -> bytes:
    captured = {
        "endpointInput": {"data": data, "encoding": encoding},
        "endpointOutput": {"data": "1", "encoding": "CSV"},
    }
    return json.dumps({"captureData": captured, "eventMetadata": {"eventId": "event", **metadata}}).encode()


def read(account: LocalAccount, prefix: str, count: int = 1) -> dict[str, CapturedRequest]:
    return wait_for_captures(account.target, prefix, SINCE, lambda captured: len(captured) >= count, 0)


def test_all_variants_and_both_encodings_are_read(account: LocalAccount, prefix: str) -> None:
    account.put(f"{prefix}/champion/2026/03/01/09/31-a.jsonl", line('{"a": 1}', "JSON", inferenceId="one") + b"\n")
    encoded = base64.b64encode(b"\x00\xff").decode()
    account.put(f"{prefix}/challenger/2026/03/01/10/00-b.jsonl", line(encoded, "BASE64", inferenceId="two"))
    captured = read(account, prefix, 2)
    assert {name: request.input for name, request in captured.items()} == {"one": b'{"a": 1}', "two": b"\x00\xff"}


def test_earlier_hours_and_other_files_are_not_read(account: LocalAccount, events: ClientEvents, prefix: str) -> None:
    account.put(f"{prefix}/champion/2026/03/01/08/59-a.jsonl", b"an earlier hour")
    account.put(f"{prefix}/champion/2026/03/01/09/31-b.tmp", b"another file")
    assert read(account, prefix) == {}
    assert events.sent("GetObject") == []


def test_a_request_without_inference_id_has_its_event_id(account: LocalAccount, prefix: str) -> None:
    account.put(f"{prefix}/champion/2026/03/01/09/31-a.jsonl", line("1,2", "CSV"))
    assert list(read(account, prefix)) == ["event"]


def test_a_part_that_was_not_captured_is_none(account: LocalAccount, prefix: str) -> None:
    record = {"captureData": {}, "eventMetadata": {"eventId": "event"}}
    account.put(f"{prefix}/champion/2026/03/01/09/31-a.jsonl", json.dumps(record).encode())
    assert read(account, prefix) == {"event": CapturedRequest("event", None, None)}
