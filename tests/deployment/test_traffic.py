"""Traffic: in an order that a seed gives, at the pace asked for, with labels by inference id."""

from __future__ import annotations

import csv
import json
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from deployment import traffic
from deployment.drift import parse_drift
from deployment.load_test import LoadResult
from deployment.records import Records
from tests.deployment.aws import Account, Refused, client

RECORDS = Records(tuple({"n": number} for number in range(10)), tuple(f"label {number}" for number in range(10)))


@pytest.fixture(autouse=True)
def _endpoint(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.answers["InvokeEndpoint"] = lambda _: {"Body": BytesIO(b"{}")}
    monkeypatch.setattr(traffic, "runtime_client", lambda target, connections: client("sagemaker-runtime"))


def send(account: Account, file: Path, records: Records = RECORDS, **more: Any) -> LoadResult:
    options: dict[str, Any] = {"drifts": [], "requests": 10, "rate": 10000, "seed": 1, "report": lambda _: None}
    options |= more
    return traffic.send_traffic(account.target, "demo", records, labels_file=file, **options)


def sent(account: Account) -> dict[str, int]:
    """The records by inference id."""
    return {request["InferenceId"]: json.loads(request["Body"])["n"] for request in account.sent("InvokeEndpoint")}


def labels(file: Path) -> dict[str, str]:
    with file.open(newline="") as lines:
        return {row["id"]: row["label"] for row in csv.DictReader(lines)}


def test_each_label_is_kept_under_its_record_s_inference_id(account: Account, tmp_path: Path) -> None:
    result = send(account, tmp_path / "labels.csv", requests=25)
    assert (result.requests, result.failed) == (25, 0)
    assert labels(tmp_path / "labels.csv") == {name: f"label {n}" for name, n in sent(account).items()}
    assert len(sent(account)) == 25


def test_every_record_comes_once_before_any_comes_again(account: Account, tmp_path: Path) -> None:
    send(account, tmp_path / "labels.csv", requests=20)
    assert sorted(sent(account).values()) == sorted([*range(10)] * 2)


def test_a_seed_gives_the_same_records_and_other_ids(account: Account, tmp_path: Path) -> None:
    drifts = parse_drift(["n=missing@0.5"], RECORDS.rows)
    runs = []
    for _ in range(2):
        account.requests.clear()
        send(account, tmp_path / "labels.csv", drifts=drifts)
        runs.append(sent(account))
    assert sorted(map(str, runs[0].values())) == sorted(map(str, runs[1].values()))
    assert not runs[0].keys() & runs[1].keys()


def test_without_labels_the_ids_are_kept_for_them(account: Account, tmp_path: Path) -> None:
    send(account, tmp_path / "labels.csv", Records(RECORDS.rows))
    assert set(labels(tmp_path / "labels.csv").values()) == {""}


def test_what_was_not_answered_gets_no_label(account: Account, tmp_path: Path) -> None:
    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise Refused("ModelError", "Received client error (400)", 424, OriginalStatusCode=400, OriginalMessage="no")

    account.answers["InvokeEndpoint"] = refuse
    result = send(account, tmp_path / "labels.csv")
    assert (result.failed, result.errors) == (10, {"no": 10})
    assert labels(tmp_path / "labels.csv") == {}


def test_the_pace_is_kept(account: Account, tmp_path: Path) -> None:
    begin = time.perf_counter()
    send(account, tmp_path / "labels.csv", rate=50)
    assert time.perf_counter() - begin >= 9 / 50
