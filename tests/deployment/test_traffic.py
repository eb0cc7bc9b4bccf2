"""Traffic: in an order that the seed determines, at the requested rate, with labels by inference id."""

from __future__ import annotations

import csv
import json
import time
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from deployment import traffic
from deployment.drift import parse_drift
from deployment.invocations import TEST_REQUEST, runtime_client
from deployment.load_test import LoadResult
from deployment.progress import request_progress
from deployment.records import Records
from tests.deployment.local_account import ClientEvents, LocalAccount, minimal_settings

RECORDS = Records(tuple({"n": number} for number in range(10)), tuple(f"label {number}" for number in range(10)))


@pytest.fixture
def runtime(account: LocalAccount, events: ClientEvents, monkeypatch: pytest.MonkeyPatch) -> ClientEvents:
    """An endpoint that answers every request at once."""
    client = events.listen(runtime_client(account.target, 16))
    monkeypatch.setattr(traffic, "runtime_client", lambda *_: client)
    events.respond("InvokeEndpoint", lambda _: {"Body": BytesIO(b"{}")})
    return events


def send(account: LocalAccount, file: Path, records: Records = RECORDS, **more: Any) -> LoadResult:
    options: dict[str, Any] = {
        "drifts": [],
        "requests": 10,
        "rate": 10000,
        "seed": 1,
        "report": lambda completed, failed: None,
    }
    options |= more
    return traffic.send_traffic(account.target, "demo", records, labels_file=file, **options)


def sent(runtime: ClientEvents) -> dict[str, int]:
    """The records by inference id."""
    return {request["InferenceId"]: json.loads(request["Body"])["n"] for request in runtime.sent("InvokeEndpoint")}


def labels(file: Path) -> dict[str, str]:
    with file.open(newline="") as lines:
        return {row["id"]: row["label"] for row in csv.DictReader(lines)}


def test_each_label_is_written_with_its_record_s_inference_id(
    account: LocalAccount, runtime: ClientEvents, tmp_path: Path
) -> None:
    result = send(account, tmp_path / "labels.csv", requests=25)
    assert (result.requests, result.failed) == (25, 0)
    assert labels(tmp_path / "labels.csv") == {name: f"label {n}" for name, n in sent(runtime).items()}
    assert len(sent(runtime)) == 25


def test_every_record_is_sent_once_before_any_is_repeated(
    account: LocalAccount, runtime: ClientEvents, tmp_path: Path
) -> None:
    send(account, tmp_path / "labels.csv", requests=20)
    assert sorted(sent(runtime).values()) == sorted([*range(10)] * 2)


def test_a_seed_gives_the_same_records_with_other_ids(
    account: LocalAccount, runtime: ClientEvents, tmp_path: Path
) -> None:
    drifts = parse_drift(["n=missing@0.5"], RECORDS.rows, minimal_settings())
    runs = []
    for _ in range(2):
        runtime.requests.clear()
        send(account, tmp_path / "labels.csv", drifts=drifts)
        runs.append(sent(runtime))
    assert sorted(map(str, runs[0].values())) == sorted(map(str, runs[1].values()))
    assert not runs[0].keys() & runs[1].keys()


def test_without_labels_the_ids_are_written_alone(account: LocalAccount, runtime: ClientEvents, tmp_path: Path) -> None:
    send(account, tmp_path / "labels.csv", Records(RECORDS.rows))
    assert set(labels(tmp_path / "labels.csv").values()) == {""}


def test_a_failed_request_gets_no_label(account: LocalAccount, runtime: ClientEvents, tmp_path: Path) -> None:
    runtime.fail(
        "InvokeEndpoint",
        "ModelError",
        "Received client error (400)",
        424,
        OriginalStatusCode=400,
        OriginalMessage="no",
    )
    result = send(account, tmp_path / "labels.csv")
    assert (result.failed, result.errors) == (10, {"no": 10})
    assert labels(tmp_path / "labels.csv") == {}


@pytest.mark.usefixtures("runtime")
def test_requests_are_not_sent_faster_than_the_rate(account: LocalAccount, tmp_path: Path) -> None:
    start = time.perf_counter()
    send(account, tmp_path / "labels.csv", rate=50)
    assert time.perf_counter() - start >= 9 / 50


def test_requests_are_marked_as_test_requests_only_if_asked(
    account: LocalAccount, runtime: ClientEvents, tmp_path: Path
) -> None:
    send(account, tmp_path / "labels.csv")
    assert not any("CustomAttributes" in request for request in runtime.sent("InvokeEndpoint"))
    runtime.requests.clear()
    send(account, tmp_path / "labels.csv", custom_attributes=TEST_REQUEST)
    assert {request["CustomAttributes"] for request in runtime.sent("InvokeEndpoint")} == {"test-request"}


def test_the_numbers_of_completed_and_failed_requests_are_reported(
    account: LocalAccount, runtime: ClientEvents, tmp_path: Path
) -> None:
    runtime.fail("InvokeEndpoint", "InternalFailure", "no", 500)
    reports: list[tuple[int, int]] = []
    send(account, tmp_path / "labels.csv", report=lambda *numbers: reports.append(numbers))
    assert reports[-1] == (10, 10)


def test_without_a_terminal_progress_is_a_line_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.5, 2.5, 4.5])
    monkeypatch.setattr("deployment.progress.time.monotonic", lambda: next(now))
    monkeypatch.setattr("deployment.progress.Progress", lambda *_, **__: nullcontext(Mock()))
    with request_progress(90, "Sending") as report:
        report(10, 0)
        report(20, 1)
        report(80, 1)
    assert capsys.readouterr().err == "80 of 90 requests, 20/s, 1 failed\n"
