"""Outputs of monitor.py for captures and labels in S3."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto")
pytest.importorskip("datasketches")

import monitor  # noqa: E402
from window.files import hours  # noqa: E402

from analyzer.__main__ import main as analyze  # noqa: E402

# a few hours ago, as labels are listed for every hour until now
END = (datetime.now(UTC) - timedelta(hours=2)).replace(minute=5, second=0, microsecond=0)
CAPTURES, LABELS = "s3://bucket/captures/churn", "s3://bucket/labels/churn"
THRESHOLDS = ["--max-drifted-share=0.4", "--metric=accuracy", "--metric-threshold=0.8", "--max-missing-label-share=0.5"]


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline of `traffic` without drift, in the input folder of a job."""
    folder = tmp_path_factory.mktemp("baseline")
    rows = [record for record, _ in traffic(2000, seed=1)]
    lines = ["age,plan", *(f"{row['age']},{row['plan']}" for row in rows)]
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    assert run_analyzer("baseline", str(folder / "data.csv"), "-o", str(folder / "made")) == 0
    for name in ("statistics", "constraints"):
        target = folder / "input" / f"data-quality-{name}" / f"{name}.json"
        target.parent.mkdir(parents=True)
        (folder / "made" / f"{name}.json").rename(target)
    return folder / "input"


def run_analyzer(*arguments: str) -> int:
    try:
        return analyze(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def traffic(count: int, seed: int, shift: float = 0.0) -> list[tuple[dict[str, Any], str]]:
    """Generate records with their labels."""
    chance = random.Random(seed)  # noqa: S311
    records = [
        {"age": round(chance.gauss(40 + shift, 8), 3), "plan": chance.choice(["basic", "gold"])} for _ in range(count)
    ]
    return [(record, "yes" if record["age"] > 40 else "no") for record in records]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        yield client


def capture(
    s3: Any, records: list[tuple[dict[str, Any], str]], at: datetime, variant: str = "AllTraffic/", tests: int = 0
) -> None:
    """Upload records as one capture file, with predictions that are right nine times out of ten."""
    events = []
    for number, (record, label) in enumerate(records):
        answer = label if number % 10 else {"yes": "no", "no": "yes"}[label]
        prediction = {"label": answer, "probability": 0.9 if answer == "yes" else 0.1}
        payloads = {"endpointInput": record, "endpointOutput": {"predictions": [prediction]}}
        data = {
            side: {"observedContentType": "application/json", "data": json.dumps(payload), "encoding": "JSON"}
            for side, payload in payloads.items()
        }
        time = (at + timedelta(milliseconds=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        metadata: dict[str, Any] = {"eventId": f"e{number}", "inferenceId": f"i{number}", "inferenceTime": time}
        if number < tests:
            metadata["customAttributes"] = ["test-request"]
        events.append({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})
    key = f"captures/churn/{variant}{at:%Y/%m/%d/%H}/file.jsonl"
    s3.put_object(Bucket="bucket", Key=key, Body="\n".join(map(json.dumps, events)))


def label(s3: Any, records: list[tuple[dict[str, Any], str]], at: datetime) -> None:
    events = [
        {"groundTruthData": {"data": label, "encoding": "CSV"}, "eventMetadata": {"eventId": f"i{number}"}}
        for number, (_, label) in enumerate(records)
    ]
    key = f"labels/churn/{at:%Y/%m/%d/%H}/file.jsonl"
    s3.put_object(Bucket="bucket", Key=key, Body="\n".join(json.dumps({**one, "eventVersion": "0"}) for one in events))


def run(folder: Path, baseline: Path, analyses: str, *more: str) -> dict[str, Any]:
    inputs = folder / "input"
    if not inputs.exists():
        inputs.mkdir(parents=True)
        for path in baseline.iterdir():
            (inputs / path.name).symlink_to(path)
    code = monitor.main(
        [
            *(f"--analyses={analyses}", "--endpoint=churn", "--schedule=churn-monitoring", f"--captures={CAPTURES}"),
            *(f"--labels={LABELS}", f"--window-end={END.isoformat()}", "--window-minutes=60"),
            *("--problem-type=BinaryClassification", "--positive-label=yes", *THRESHOLDS, *more),
            *(f"--input-dir={inputs}", f"--output-dir={folder / 'output'}"),
        ]
    )
    assert code == 0
    summary: dict[str, Any] = json.loads((folder / "output" / "summary" / "monitoring_summary.json").read_text())
    return summary


def published() -> Mapping[str, float]:
    """Read the newest value of each metric of the namespace LightGBMPipelines."""
    found = boto3.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": name.lower(),
                "Label": name,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "LightGBMPipelines",
                        "MetricName": name,
                        "Dimensions": [{"Name": "Endpoint", "Value": "churn"}],
                    },
                    "Period": 60,
                    "Stat": "Maximum",
                },
            }
            for name in ("MonitoringAlert", "DriftedFeatureShare", "CapturedRecords", "MissingLabelShare")
        ],
        StartTime=END - timedelta(days=1),
        EndTime=END + timedelta(days=1),
    )["MetricDataResults"]
    return {one["Label"]: one["Values"][0] for one in found if one["Values"]}


def test_traffic_like_the_training_data_raises_no_alert(s3: Any, baseline: Path, tmp_path: Path) -> None:
    records = traffic(500, seed=2)
    capture(s3, records, END - timedelta(minutes=30))
    label(s3, records, END - timedelta(minutes=10))
    summary = run(tmp_path, baseline, "data-quality,model-quality")
    assert (summary["status"], summary["alert"], summary["reasons"]) == ("Completed", False, [])
    assert summary["data_quality"]["records"] == summary["model_quality"]["records"] == 500
    assert summary["model_quality"]["metrics"]["accuracy"] == pytest.approx(0.9)
    assert summary["missing_label_share"] == 0
    assert published() == {
        "MonitoringAlert": 0,
        "DriftedFeatureShare": 0,
        "CapturedRecords": 500,
        "MissingLabelShare": 0,
    }
    files = {path.relative_to(tmp_path / "output").as_posix() for path in (tmp_path / "output").rglob("*.*")}
    assert {
        "data-quality/constraint_violations.json",
        "data-quality/report.html",
        "model-quality/statistics.json",
    } <= files


def test_drifted_traffic_raises_an_alert_that_names_the_features(s3: Any, baseline: Path, tmp_path: Path) -> None:
    capture(s3, traffic(500, seed=3, shift=16), END - timedelta(minutes=30))
    summary = run(tmp_path, baseline, "data-quality", "--critical-features=age,plan")
    assert summary["alert"]
    assert summary["reasons"] == [
        "1 feature drifted, 50% of the compared features (at most 40%): age",
        "critical feature age drifted",
    ]
    (drifted,) = summary["data_quality"]["drifted"]
    assert drifted["feature"] == "age" and drifted["distance"] > 0.5 > drifted["threshold"]
    assert published()["MonitoringAlert"] == 1


def test_a_metric_below_its_threshold_and_missing_labels_raise_alerts(s3: Any, baseline: Path, tmp_path: Path) -> None:
    records = traffic(500, seed=4)
    capture(s3, records, END - timedelta(minutes=30))
    label(s3, records[:200], END)
    summary = run(tmp_path, baseline, "model-quality", "--metric-threshold=0.95")
    assert summary["reasons"] == [
        "accuracy is 0.9 (at least 0.95)",
        "60% of the inferences have no label (at most 50%)",
    ]
    assert summary["data_quality"] is None


def test_without_any_labels_all_of_them_are_missing(s3: Any, baseline: Path, tmp_path: Path) -> None:
    capture(s3, traffic(50, seed=5), END - timedelta(minutes=30))
    summary = run(tmp_path, baseline, "model-quality")
    assert summary["missing_label_share"] == 1 and summary["model_quality"] is None and summary["alert"]


@pytest.mark.parametrize("minutes", [-10, 61, 600])
def test_a_window_without_captures_is_not_a_failure(s3: Any, baseline: Path, tmp_path: Path, minutes: int) -> None:
    capture(s3, traffic(50, seed=6), END - timedelta(minutes=minutes))
    summary = run(tmp_path, baseline, "data-quality,model-quality")
    assert (summary["status"], summary["alert"]) == ("NoData", False)
    assert summary["data_quality"] is summary["model_quality"] is summary["missing_label_share"] is None
    assert published() == {"MonitoringAlert": 0, "CapturedRecords": 0}


def test_model_quality_uses_a_window_whose_labels_have_arrived(s3: Any, baseline: Path, tmp_path: Path) -> None:
    records = traffic(300, seed=7)
    capture(s3, records, END - timedelta(minutes=150))
    label(s3, records, END - timedelta(minutes=5))
    summary = run(tmp_path, baseline, "data-quality,model-quality", "--label-delay-minutes=120")
    assert summary["data_quality"] is None and summary["model_quality"]["records"] == 300
    assert summary["label_delay_minutes"] == 120


def test_requests_that_are_marked_as_tests_are_left_out_unless_included(
    s3: Any, baseline: Path, tmp_path: Path
) -> None:
    records = traffic(300, seed=2)
    capture(s3, records, END - timedelta(minutes=30), tests=12)
    label(s3, records, END - timedelta(minutes=10))
    summary = run(tmp_path / "without", baseline, "data-quality,model-quality")
    assert (summary["test_requests"], summary["data_quality"]["records"]) == (12, 288)
    assert (summary["model_quality"]["records"], summary["missing_label_share"]) == (288, 0.0)
    summary = run(tmp_path / "with", baseline, "data-quality,model-quality", "--include-test-requests")
    assert summary["test_requests"] == 0
    assert summary["data_quality"]["records"] == summary["model_quality"]["records"] == 300


def test_captures_of_all_variants_count(s3: Any, baseline: Path, tmp_path: Path) -> None:
    for variant in ("champion/", "challenger/", ""):
        capture(s3, traffic(20, seed=8), END - timedelta(minutes=30), variant)
    assert run(tmp_path, baseline, "data-quality")["data_quality"]["records"] == 60


def test_an_invalid_baseline_is_named(s3: Any, baseline: Path, tmp_path: Path, capsys: Any) -> None:
    capture(s3, traffic(20, seed=9), END - timedelta(minutes=30))
    broken = tmp_path / "input" / "data-quality-statistics" / "statistics.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{}")
    with pytest.raises(AssertionError):
        run(tmp_path, baseline, "data-quality")
    assert f"{broken} does not contain data quality statistics" in capsys.readouterr().err


def test_the_hours_of_a_window_include_the_next_hour() -> None:
    assert list(hours(datetime(2026, 12, 31, 22, 59, tzinfo=UTC), datetime(2026, 12, 31, 23, 0, tzinfo=UTC))) == [
        *("2026/12/31/22", "2026/12/31/23", "2027/01/01/00")
    ]


def test_the_schema_in_the_model_archive_says_what_values_are(s3: Any, baseline: Path, tmp_path: Path) -> None:
    put_model(s3)
    records = traffic(400, seed=2)
    spelt = [({"age": f" {record['age']}", "plan": f"{record['plan']} "}, answer) for record, answer in records]
    capture(s3, spelt, END - timedelta(minutes=30))
    label(s3, [(record, f" {answer}" if number else "maybe") for number, (record, answer) in enumerate(records)], END)
    summary = run(tmp_path, baseline, "data-quality,model-quality", "--model=s3://bucket/models/model.tar.gz")
    assert (summary["data_quality"]["violations"], summary["data_quality"]["compared_features"]) == (0, 2)
    # The predictions of `capture` are right in nine of ten cases.
    assert summary["model_quality"]["metrics"]["accuracy"] > 0.85
    assert "1 label (such as 'maybe' x 1) is none of the classes" in summary["model_quality"]["unknown_classes"]
    assert summary["missing_label_share"] == 1 / 400


def test_a_model_archive_that_cannot_be_read_is_named(s3: Any, baseline: Path, tmp_path: Path, capsys: Any) -> None:
    capture(s3, traffic(10, seed=2), END - timedelta(minutes=30))
    with pytest.raises(AssertionError):
        run(tmp_path, baseline, "data-quality", "--model=s3://bucket/models/gone.tar.gz")
    assert "the model archive s3://bucket/models/gone.tar.gz with the training schema" in capsys.readouterr().err


def put_model(s3: Any) -> None:
    schema = {
        "problem_type": "BinaryClassification",
        "features": [
            {"name": "age", "type": "number"},
            {"name": "plan", "type": "category", "categories": ["basic", "gold"]},
        ],
        "classes": ["no", "yes"],
    }
    content = json.dumps(schema).encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("schema.json")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    s3.put_object(Bucket="bucket", Key="models/model.tar.gz", Body=archive.getvalue())
