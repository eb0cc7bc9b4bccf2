"""Labels: read from CSV or JSON lines, matched with captures, written as Model Monitor merges them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analyzer.performance.ground_truth import merge
from monitoring.ground_truth_upload import read_labels
from project.errors import UserError
from tests.monitoring.conftest import Run
from tests.monitoring.monitored_account import MonitoredAccount

NOW = datetime.now(UTC)
HOUR, BEFORE = NOW.strftime("%Y/%m/%d/%H"), (NOW - timedelta(hours=2)).strftime("%Y/%m/%d/%H")
CAPTURES = "s3://bucket/demo/captures/demo/champion"


def capture(account: MonitoredAccount, hour: str, *ids: str) -> None:
    events = [
        {
            "captureData": {"endpointOutput": {"data": "1", "encoding": "CSV", "mode": "OUTPUT"}},
            "eventMetadata": {"eventId": f"event-{one}", "inferenceId": one, "inferenceTime": NOW.isoformat()},
            "eventVersion": "0",
        }
        for one in ids
    ]
    account.put(f"{CAPTURES}/{hour}/{ids[0]}.jsonl", "".join(f"{json.dumps(event)}\n" for event in events).encode())


def uploaded(account: MonitoredAccount) -> dict[str, str]:
    """The keys of labels below their prefix, with their contents."""
    prefix = "demo/ground-truth/demo/"
    return {key.removeprefix(prefix): account.read(f"s3://bucket/{key}").decode() for key in account.keys(prefix)}


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("id,label\na,yes\nb,no\nc,yes\n")
    return path


def test_labels_are_uploaded_to_the_hour_of_their_inference(run: Run, account: MonitoredAccount, labels: Path) -> None:
    capture(account, HOUR, "a", "x")
    capture(account, BEFORE, "b", "c")
    stdout = run("ground-truth", "upload", str(labels)).stdout
    assert "3 of 3 labels match" in stdout
    files = uploaded(account)
    assert sorted(Path(key).parent.as_posix() for key in files) == [BEFORE, HOUR]
    (now,) = (content for key, content in files.items() if key.startswith(HOUR))
    assert [json.loads(line) for line in now.splitlines()] == [
        {
            "groundTruthData": {"data": "yes", "encoding": "CSV"},
            "eventMetadata": {"eventId": "a"},
            "eventVersion": "0",
        }
    ]


def test_uploading_again_changes_nothing(run: Run, account: MonitoredAccount, labels: Path) -> None:
    capture(account, HOUR, "a", "b", "c")
    run("ground-truth", "upload", str(labels))
    before = uploaded(account)
    run("ground-truth", "upload", str(labels))
    assert uploaded(account) == before


def test_the_analyzer_merges_uploaded_labels(run: Run, account: MonitoredAccount, labels: Path, tmp_path: Path) -> None:
    capture(account, HOUR, "a", "b", "x")
    run("ground-truth", "upload", str(labels))
    for folder in ("captures", "ground-truth"):
        for key in account.keys(f"demo/{folder}/"):
            path = tmp_path / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(account.read(f"s3://bucket/{key}"))
    merged = merge(tmp_path / "demo/captures", tmp_path / "demo/ground-truth", tmp_path / "merged")
    assert (merged.inferences, merged.merged, merged.unmatched) == (3, 2, 0)


def test_labels_without_a_captured_inference_are_counted_and_not_uploaded(
    run: Run, account: MonitoredAccount, labels: Path
) -> None:
    capture(account, HOUR, "b")
    result = run("ground-truth", "upload", str(labels))
    assert "1 of 3 labels match" in result.stdout
    assert "2 labels match none, such as a, c" in result.stderr
    assert "run the same command again later" in result.stderr
    assert '"a"' not in "".join(uploaded(account).values())


def test_labels_none_of_which_was_captured_are_refused(run: Run, account: MonitoredAccount, labels: Path) -> None:
    capture(account, HOUR, "x")
    capture(account, (NOW - timedelta(days=9)).strftime("%Y/%m/%d/%H"), "a")
    stdout = run("ground-truth", "upload", str(labels), code=2).stderr
    assert "none of the 3 ids" in stdout
    assert "increase --days" in stdout
    assert not uploaded(account)
    assert "1 of 3" in run("ground-truth", "upload", str(labels), "--days", "10").stdout


def test_labels_of_batches_match_the_ids_in_their_outputs(run: Run, account: MonitoredAccount, labels: Path) -> None:
    manifest = [{"prefix": "s3://bucket/batch/output/"}, "rows.jsonl.out", "rows.csv.out"]
    account.put_json(f"s3://bucket/demo/batch-captures/output/{HOUR}/one.json", manifest)
    lines = '{"label": "yes", "SageMakerInferenceId": "a", "SageMakerInferenceTime": "2026-01-01T00:00:00Z"}\n'
    account.put("s3://bucket/batch/output/rows.jsonl.out", lines.encode())
    account.put("s3://bucket/batch/output/rows.csv.out", b"0.5,b,2026-01-01T00:00:00Z\n")
    run("ground-truth", "upload", str(labels), "--batch")
    (content,) = uploaded(account).values()
    assert [json.loads(line)["eventMetadata"]["eventId"] for line in content.splitlines()] == ["a", "b"]


def test_labels_are_read_from_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"id": "a", "label": "yes"}\n\n{"id": 7, "label": 1.5}\n{"id": "c", "label": null}\n')
    assert read_labels(path) == ({"a": "yes", "7": "1.5"}, 1)


def test_the_last_label_of_an_inference_counts(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("note,label,id\nfirst,no,a\nsecond,yes,a\nnone,,b\n")
    assert read_labels(path) == ({"a": "yes"}, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "columns none; expected id and label"),
        (b"key,label\n1,2\n", "columns key, label; expected id and label"),
        (b"id,label\na,\n", "has no labels"),
        (b'{"id": "a"}\n', "line 1 is not of the form"),
        (b'{"id": "a", "label": "b"}\nnothing\n', "line 2 is not of the form"),
        (b"\xff\xfe", "not UTF-8 text"),
    ],
)
def test_a_file_without_labels_is_refused_with_the_reason(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_labels(path)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"labels\.csv: No such file"):
        read_labels(tmp_path / "labels.csv")


def test_line_separators_of_unicode_do_not_end_a_json_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"id": "a", "label": "x\u2028y\u0085z"}\n{"id": "b", "label": "n"}\n', encoding="utf-8")
    assert read_labels(path) == ({"a": "x\u2028y\u0085z", "b": "n"}, 0)
