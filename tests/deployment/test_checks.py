"""The checks of an endpoint find what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from deployment import checks
from deployment.capture_reader import CapturedRequest
from deployment.checks import EndpointTest
from deployment.endpoints import CaptureSettings, find_endpoint
from deployment.records import Records
from project.settings import Settings
from tests.deployment.aws import Account, Refused, client
from tests.deployment.test_deploy import deploy

RECORDS = Records(({"age": 31, "rate": 0.5}, {"age": 40, "rate": None}))
Answer = dict[str, Any]


def good(request: dict[str, Any]) -> Answer:
    """What a model answers that knows `age` and `rate`."""
    try:
        content = json.loads(request["Body"]) if request["ContentType"] == "application/json" else None
    except ValueError:
        content = None
    rows = content if isinstance(content, list) else [content]
    if not all(isinstance(row, dict) and not isinstance(row["age"], dict) for row in rows):
        raise Refused("ModelError", "no", 424, OriginalStatusCode=400, OriginalMessage="not a record")
    return {"Body": BytesIO(json.dumps({"predictions": [{"prediction": 1.5} for _ in rows]}).encode())}


class Results:
    def __init__(self, test: EndpointTest, account: Account) -> None:
        self.passed = {check.name: check.passed for check in test.run()}
        self.detail = {check.name: check.detail for check in test.checks}
        self.report = test.report()


@pytest.fixture
def run(settings: Settings, account: Account, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Results]:
    deploy(settings, account)
    monkeypatch.setattr(checks, "runtime_client", lambda target, connections: client("sagemaker-runtime"))
    account.answers["InvokeEndpoint"] = good

    def captured(*_: Any) -> dict[str, CapturedRequest]:
        """All that was sent, as it was sent and answered."""
        return {
            request["InferenceId"]: CapturedRequest(request["InferenceId"], request["Body"], answer_to(request))
            for request in account.sent("InvokeEndpoint")
        }

    monkeypatch.setattr(checks, "wait_for_captures", captured)

    def test(percentage: int = 100, alter: Callable[[dict[str, CapturedRequest]], Any] | None = None) -> Results:
        if alter:
            monkeypatch.setattr(checks, "wait_for_captures", lambda *_: alter(captured()))
        endpoint = find_endpoint(account.target, "demo")
        assert endpoint is not None
        capture = CaptureSettings("s3://bucket/demo/captures", percentage)
        return Results(EndpointTest(account.target, endpoint, RECORDS, 10, 2, capture), account)

    return test


def answer_to(request: dict[str, Any]) -> bytes:
    try:
        body: bytes = good(request)["Body"].getvalue()
    except Refused:
        return b""
    return body


def test_a_good_endpoint_passes_and_says_so_in_json(run: Callable[..., Results]) -> None:
    tested = run()
    assert all(tested.passed.values()), tested.detail
    assert tested.detail["one record"] == '{"prediction": 1.5}'
    assert tested.detail["captures"] == "12 of 12 requests captured at 100 %"
    report = json.loads(json.dumps(tested.report))
    assert (report["endpoint"], report["passed"], report["load"]["failed"]) == ("demo", True, 0)


def test_an_endpoint_that_answers_nonsense_to_nonsense_fails(run: Callable[..., Results], account: Account) -> None:
    account.answers["InvokeEndpoint"] = lambda _: {"Body": BytesIO(b'{"predictions": [{}]}')}
    tested = run()
    assert not tested.passed["broken JSON is refused"]
    assert "an answer, where an error was expected" in tested.detail["broken JSON is refused"]
    assert tested.detail["batch"] == "1 predictions for 20 records"
    assert not tested.passed["batch"]


def test_a_client_s_mistake_that_is_a_500_fails(run: Callable[..., Results], account: Account) -> None:
    def crash(request: dict[str, Any]) -> Answer:
        try:
            return good(request)
        except Refused:
            raise Refused("ModelError", "no", 424, OriginalStatusCode=500, OriginalMessage="KeyError") from None

    account.answers["InvokeEndpoint"] = crash
    tested = run()
    assert tested.detail["broken JSON is refused"] == "HTTP 500: KeyError"
    assert not tested.report["passed"]


def test_failed_requests_are_counted_with_their_message(run: Callable[..., Results], account: Account) -> None:
    def throttle(_: dict[str, Any]) -> Answer:
        raise Refused("ThrottlingException", "Rate exceeded", 429)

    account.answers["InvokeEndpoint"] = throttle
    tested = run()
    assert tested.detail["load"] == "10 of 10 failed: 10 x Rate exceeded"
    assert not tested.passed["one record"]
    assert tested.report["load"]["p99"] is None


def test_captures_that_differ_or_are_absent_fail(run: Callable[..., Results]) -> None:
    changed = run(
        alter=lambda found: {name: CapturedRequest(name, b"other", one.output) for name, one in found.items()}
    )
    assert not changed.passed["captures"]
    assert "12 differ from what was sent" in changed.detail["captures"]
    absent = run(alter=lambda found: dict(list(found.items())[:-1]))
    assert not absent.passed["captures"]


def test_a_sample_has_to_hold_one_request_at_least(run: Callable[..., Results]) -> None:
    some = run(percentage=10, alter=lambda found: dict(list(found.items())[:1]))
    assert some.passed["captures"]
    assert not run(percentage=10, alter=lambda _: {}).passed["captures"]


def test_an_endpoint_that_is_not_in_service_is_asked_nothing(run: Callable[..., Results], account: Account) -> None:
    account.endpoints["demo"]["EndpointStatus"] = "Updating"
    tested = run()
    assert tested.passed == {"in service": False}
    assert not account.sent("InvokeEndpoint")
