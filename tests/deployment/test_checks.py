"""The checks of an endpoint find its faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from deployment import checks
from deployment.capture_reader import CapturedRequest
from deployment.checks import EndpointTest
from deployment.endpoints import capture_settings, find_endpoint
from deployment.invocations import runtime_client
from deployment.records import Records
from project.settings import Settings
from tests.deployment.local_account import PROGRAM, ClientEvents, LocalAccount, deploy

RECORDS = Records(({"age": 31, "rate": 0.5}, {"age": 40, "rate": None}))

# predicts something for anything
UNDISCERNING = """
def model_fn(folder):
    return None
def transform_fn(model, body, content_type, accept):
    return '{"predictions": [{}]}', "application/json"
"""
Captured = dict[str, CapturedRequest]


class Results:
    def __init__(self, test: EndpointTest) -> None:
        self.passed = {check.name: check.passed for check in test.run()}
        self.detail = {check.name: check.detail for check in test.checks}
        self.report = test.report()


def run(account: LocalAccount, percentage: int | None = None) -> Results:
    endpoint = find_endpoint(account.target, "demo")
    assert endpoint is not None
    capture = capture_settings(endpoint, [])
    return Results(EndpointTest(account.target, endpoint, RECORDS, 10, 2, capture if percentage else None))


def test_a_good_endpoint_passes_and_its_requests_are_captured(settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    results = run(account, percentage=100)
    assert all(results.passed.values()), results.detail
    assert results.detail["one record"] == '{"prediction": 1.5}'
    assert results.detail["captures"] == "12 of 12 requests captured at 100 %"
    report = json.loads(json.dumps(results.report))
    assert (report["endpoint"], report["passed"], report["load"]["failed"]) == ("demo", True, 0)


def test_its_requests_are_captured_as_test_requests(settings: Settings, account: LocalAccount) -> None:
    def captured() -> dict[str, Any]:
        listed = account.target.s3.list_objects_v2(Bucket=account.target.bucket, Prefix="demo/captures/demo/")
        uris = [f"s3://{account.target.bucket}/{item['Key']}" for item in listed.get("Contents", [])]
        events = [json.loads(line)["eventMetadata"] for uri in uris for line in account.read(uri).splitlines()]
        return {event["eventId"]: event for event in events}

    deploy(settings, account)
    of_other_tests = captured()
    assert run(account, percentage=100).passed["captures"]
    own = [event for name, event in captured().items() if name not in of_other_tests]
    assert own
    assert all(event["customAttributes"] == ["test-request"] for event in own)


def test_an_endpoint_that_predicts_something_for_invalid_payloads_fails(
    settings: Settings, account: LocalAccount
) -> None:
    with account.registered(UNDISCERNING) as version:
        deploy(settings, account, version)
        results = run(account)
    assert not results.passed["broken JSON is refused"]
    assert "a prediction, expected an error" in results.detail["broken JSON is refused"]
    assert results.detail["batch"] == "1 predictions for 20 records"
    assert not results.passed["batch"]


def test_a_500_for_an_invalid_payload_fails(settings: Settings, account: LocalAccount) -> None:
    with account.registered(PROGRAM.replace("400", "500")) as version:
        deploy(settings, account, version)
        results = run(account)
    assert results.detail["broken JSON is refused"].startswith("HTTP 500: not a record")
    assert not results.report["passed"]


def test_failed_requests_are_counted_with_their_message(
    settings: Settings, account: LocalAccount, events: ClientEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(settings, account)
    client = events.listen(runtime_client(account.target, 2))
    monkeypatch.setattr(checks, "runtime_client", lambda *_: client)
    events.fail("InvokeEndpoint", "ThrottlingException", "Rate exceeded", 429)
    results = run(account)
    assert results.detail["load"] == "10 of 10 failed: 10 x Rate exceeded"
    assert not results.passed["one record"]
    assert not results.passed["batch"]
    assert results.report["load"]["p99"] is None


def test_captures_must_match_what_was_sent_and_a_sample_must_have_one(
    settings: Settings, account: LocalAccount, events: ClientEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(settings, account)
    client = events.listen(runtime_client(account.target, 2))
    monkeypatch.setattr(checks, "runtime_client", lambda *_: client)

    def check(percentage: int, change: Callable[[Captured], Captured]) -> tuple[bool, str]:
        events.requests.clear()
        events.change("DescribeEndpoint", lambda response: _set_percentage(response, percentage))
        monkeypatch.setattr(checks, "wait_for_captures", lambda *_: change(_captured(events)))
        results = run(account, percentage)
        return results.passed["captures"], results.detail["captures"]

    passed, detail = check(100, lambda captured: {name: CapturedRequest(name, b"?", b"?") for name in captured})
    assert not passed
    assert "12 of 12 requests captured at 100 %; 12 differ from what was sent" in detail
    assert check(100, lambda captured: dict(list(captured.items())[1:])) == (
        False,
        "11 of 12 requests captured at 100 %",
    )
    assert check(10, lambda captured: dict(list(captured.items())[:1])) == (True, "1 of 12 requests captured at 10 %")
    assert check(10, lambda _: {}) == (False, "0 of 12 requests captured at 10 %")


def _captured(events: ClientEvents) -> Captured:
    """The valid requests as they were sent and answered."""
    captured = {}
    for request in events.sent("InvokeEndpoint"):
        with suppress(ValueError):
            records = json.loads(request["Body"])
            count = len(records) if isinstance(records, list) else 1
            response = json.dumps({"predictions": [{"prediction": 1.5}] * count}).encode()
            captured[request["InferenceId"]] = CapturedRequest(request["InferenceId"], request["Body"], response)
    return captured


def _set_percentage(response: dict[str, Any], percentage: int) -> None:
    response["DataCaptureConfig"]["CurrentSamplingPercentage"] = percentage


def test_an_endpoint_that_is_not_in_service_gets_no_requests(
    settings: Settings, account: LocalAccount, events: ClientEvents
) -> None:
    deploy(settings, account)
    events.change("DescribeEndpoint", lambda response: response.update(EndpointStatus="Updating"))
    assert run(account).passed == {"in service": False}
