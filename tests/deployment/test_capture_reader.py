"""Captures are found by inference id, in the hours that can hold them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from botocore.response import StreamingBody

from deployment.capture_reader import CapturedRequest, wait_for_captures
from tests.deployment.aws import Account

SINCE = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
PREFIX = "demo/captures/demo"


def line(data: str, encoding: str, **metadata: str) -> str:
    captured = {
        "endpointInput": {"data": data, "encoding": encoding},
        "endpointOutput": {"data": "1", "encoding": "CSV"},
    }
    return json.dumps({"captureData": captured, "eventMetadata": {"eventId": "event", **metadata}})


@pytest.fixture
def files(account: Account) -> dict[str, str]:
    """Contents by key."""
    kept: dict[str, str] = {}

    def listing(request: dict[str, Any]) -> dict[str, Any]:
        keys = sorted(key for key in kept if key.startswith(request["Prefix"]) and key > request.get("StartAfter", ""))
        if "Delimiter" not in request:
            return {"Contents": [{"Key": key} for key in keys]}
        variants = {key.removeprefix(request["Prefix"]).partition("/")[0] for key in keys}
        return {"CommonPrefixes": [{"Prefix": f"{request['Prefix']}{variant}/"} for variant in sorted(variants)]}

    def content(request: dict[str, Any]) -> dict[str, Any]:
        body = kept[request["Key"]].encode()
        return {"Body": StreamingBody(BytesIO(body), len(body))}

    account.answers |= {"ListObjectsV2": listing, "GetObject": content}
    return kept


def found(account: Account, count: int = 1) -> dict[str, CapturedRequest]:
    return wait_for_captures(account.target, f"s3://bucket/{PREFIX}", SINCE, lambda them: len(them) >= count, 0)


def test_all_variants_are_read_and_each_encoding(account: Account, files: dict[str, str]) -> None:
    files[f"{PREFIX}/champion/2026/03/01/09/31-00-000-a.jsonl"] = line('{"a": 1}', "JSON", inferenceId="one") + "\n"
    coded = base64.b64encode(b"\x00\xff").decode()
    files[f"{PREFIX}/challenger/2026/03/01/10/00-00-000-b.jsonl"] = line(coded, "BASE64", inferenceId="two")
    captures = found(account, 2)
    assert {name: capture.input for name, capture in captures.items()} == {"one": b'{"a": 1}', "two": b"\x00\xff"}


def test_earlier_hours_and_other_files_are_not_read(account: Account, files: dict[str, str]) -> None:
    files[f"{PREFIX}/champion/2026/03/01/08/59-00-000-a.jsonl"] = "not to be read"
    files[f"{PREFIX}/champion/2026/03/01/09/31-00-000-b.tmp"] = "nor this"
    assert found(account) == {}
    assert account.sent("GetObject") == []


def test_without_an_inference_id_the_event_s_is_taken(account: Account, files: dict[str, str]) -> None:
    files[f"{PREFIX}/champion/2026/03/01/09/31-00-000-a.jsonl"] = line("1,2", "CSV")
    assert list(found(account)) == ["event"]
