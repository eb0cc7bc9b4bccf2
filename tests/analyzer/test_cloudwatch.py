"""CloudWatch metrics: Model Monitor's names, the metrics file, and publishing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analyzer import QualityError, cloudwatch, container
from analyzer.analysis import Analysis, DataQuality, ModelQuality
from analyzer.constraints.data_quality import check, suggest
from analyzer.constraints.model_quality import collect_metrics, suggest_metrics
from analyzer.datasets.malformed_records import Skipped
from analyzer.drift.feature_drift import measure
from analyzer.performance.metrics import model_quality
from analyzer.profile.profile import Profile
from analyzer.profile.statistics import Statistics
from analyzer.window import Window

Write = Callable[[str, str | bytes], Path]

TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)


def statistics(**columns: Any) -> Statistics:
    return Profile.from_batches([pa.RecordBatch.from_pydict(columns)]).statistics()


def data_quality(**overrides: dict[str, Any]) -> Analysis:
    before, now = statistics(age=[1, 2, 3], plan=["a", "b", "a"]), statistics(age=[4, None], plan=["a", "c"])
    constraints = suggest(before)
    features = tuple(replace(item, overrides=overrides.get(item.name, {})) for item in constraints.features)
    constraints = replace(constraints, features=features)
    violations = tuple(check(now, constraints, before))
    result = DataQuality(now, constraints, before, violations, measure(now, before, constraints.config_of))
    return Analysis("churn", TIME, Window(), Skipped(), result)


def by_name(data: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {datum["MetricName"]: datum for datum in data}


def test_data_quality_has_model_monitors_metrics_for_every_feature() -> None:
    found = by_name(cloudwatch.metrics(data_quality(), TIME, "endpoint", "schedule"))
    assert found.keys() == {
        "feature_data_age",
        "feature_non_null_age",
        "feature_baseline_drift_age",
        "feature_non_null_plan",
        "feature_baseline_drift_plan",
        "total_number_of_violations",
    }
    assert found["feature_data_age"] == {
        "MetricName": "feature_data_age",
        "StatisticValues": {"SampleCount": 1.0, "Sum": 4.0, "Minimum": 4.0, "Maximum": 4.0},
        "Unit": "None",
        "Timestamp": "2026-01-31T12:00:00Z",
        "Dimensions": [
            {"Name": "Endpoint", "Value": "endpoint"},
            {"Name": "MonitoringSchedule", "Value": "schedule"},
        ],
    }
    assert found["feature_non_null_age"]["Value"] == 0.5
    assert found["total_number_of_violations"]["Value"] == 1


def test_emit_metrics_can_be_disabled_for_a_feature() -> None:
    found = by_name(cloudwatch.metrics(data_quality(age={"emit_metrics": "Disabled"}), TIME, None, "schedule"))
    assert found.keys() == {"feature_non_null_plan", "feature_baseline_drift_plan", "total_number_of_violations"}


def test_model_quality_has_its_metrics_by_their_own_names() -> None:
    document = model_quality("Regression", [1.0], [2.0])
    result = ModelQuality(
        "Regression", document, suggest_metrics(document, "Regression"), collect_metrics(document, "Regression")
    )
    found = by_name(cloudwatch.metrics(Analysis("churn", TIME, Window(), Skipped(), result), TIME, None, None))
    # r2 of one row is undefined, and CloudWatch rejects NaN.
    assert {name: datum["Value"] for name, datum in found.items()} == {"mae": 1.0, "mse": 1.0, "rmse": 1.0}
    assert found["mae"]["Dimensions"] == [{"Name": "MonitoringSchedule", "Value": "churn"}]


def test_the_namespace_distinguishes_endpoints_from_batch_inference() -> None:
    assert cloudwatch.namespace(data_quality(), "endpoint") == "aws/sagemaker/Endpoints/data-metrics"
    assert cloudwatch.namespace(data_quality(), None) == "aws/sagemaker/ModelMonitoring/data-metrics"


def test_names_are_ascii_and_values_within_cloudwatchs_limits() -> None:
    now = statistics(**{"größe" + "x" * 300: [1.7e308, 1.7e308]})
    analysis = Analysis("churn", TIME, Window(), Skipped(), DataQuality(now, suggest(now)))
    found = cloudwatch.metrics(analysis, TIME, None, None)
    assert all(datum["MetricName"].isascii() and len(datum["MetricName"]) <= 255 for datum in found)
    values = next(datum["StatisticValues"] for datum in found if "StatisticValues" in datum)
    assert values["Sum"] == values["Maximum"] == 2.0**360


def test_a_metrics_file_has_a_metric_on_each_line(tmp_path: Path) -> None:
    data = cloudwatch.metrics(data_quality(), TIME, "endpoint", "schedule")
    cloudwatch.write(tmp_path / "cloudwatch", data)
    (path,) = (tmp_path / "cloudwatch").iterdir()
    assert path.name == "cloudwatch_metrics.jsonl"
    assert [json.loads(line) for line in path.read_text().splitlines()] == data


@pytest.fixture
def environment(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    return {
        "dataset_source": str(write("data.csv", "x\n1\n3\n")),
        "dataset_format": '{"csv": {"header": true}}',
        "output_path": str(tmp_path / "output"),
        "publish_cloudwatch_metrics": "Enabled",
        "sagemaker_endpoint_name": "endpoint",
        "sagemaker_monitoring_schedule_name": "schedule",
        "metric_time": datetime.now(UTC).isoformat(),
    }


def test_published_metrics_arrive_in_cloudwatch(environment: dict[str, str]) -> None:
    import boto3
    from moto import mock_aws

    with mock_aws():
        container.run(environment)
        found = boto3.client("cloudwatch").list_metrics(Namespace="aws/sagemaker/Endpoints/data-metrics")["Metrics"]
    assert {metric["MetricName"] for metric in found} == {"feature_data_x", "feature_non_null_x"}
    assert all({"Name": "Endpoint", "Value": "endpoint"} in metric["Dimensions"] for metric in found)


def test_metrics_that_cannot_be_published_fail_the_run_after_its_files_are_written(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(QualityError, match=r"the results were written, but .* allow cloudwatch:PutMetricData"):
        container.run(environment)
    assert (tmp_path / "output" / "statistics.json").exists()


def test_metrics_are_not_published_if_model_monitor_runs_the_job(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    container.run(environment | {"monitoring_input_type": "ENDPOINT_INPUT"}, metrics=tmp_path / "metrics")
    assert (tmp_path / "metrics" / cloudwatch.FILE).read_text()


def test_in_a_container_the_metrics_file_is_written_where_model_monitor_reads_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    container.run(environment | {"publish_cloudwatch_metrics": "Disabled"}, metrics=tmp_path / "metrics")
    names = [json.loads(line)["MetricName"] for line in (tmp_path / "metrics" / cloudwatch.FILE).open()]
    assert names == ["feature_non_null_x", "feature_data_x"]
