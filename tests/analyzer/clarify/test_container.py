"""The container contract, the command and the metrics of a Clarify job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyzer import QualityError
from analyzer.clarify import __main__ as container
from analyzer.clarify.metrics import MetricSettings, metrics
from analyzer.cloudwatch import namespace_of
from tests.analyzer.clarify.conftest import CONFIG, LOANS, RunJob
from tests.container_scripts import REPOSITORY

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The container's folders, below a temporary one."""
    for name in ("CONFIG", "DATA", "OUTPUT", "EXIT_MESSAGE", "METRICS"):
        path = tmp_path / Path(getattr(container, name)).relative_to("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(container, name, path)
    container.CONFIG.write_text(json.dumps(CONFIG))
    container.DATA.mkdir()
    (container.DATA / "data.csv").write_text(LOANS)
    for name in os.environ:
        if name.startswith(("dataset_", "AWS_")):
            monkeypatch.delenv(name)
    return tmp_path


def test_a_job_reads_and_writes_the_folders_of_clarifys_container(
    paths: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert container.main() == 0
    assert {path.name for path in container.OUTPUT.iterdir()} == {"analysis.json", "report.html"}
    assert container.EXIT_MESSAGE.read_text() == "Completed: Job completed successfully.\n"
    assert capsys.readouterr().out == "Completed: Job completed successfully.\n"


def test_the_only_configuration_may_have_another_name_as_in_awss_notebooks(paths: Path) -> None:
    container.CONFIG.rename(container.CONFIG.with_name("bias_analysis_config.json"))
    assert container.main() == 0
    (container.CONFIG.parent / "shap_analysis_config.json").write_text("{}")
    assert container.main() == 1
    assert "analysis_config.json does not exist" in container.EXIT_MESSAGE.read_text()


def test_a_monitor_compares_with_its_constraints_and_writes_metrics(
    paths: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert container.main() == 0
    baseline = (container.OUTPUT / "analysis.json").rename(paths / "analysis.json")
    (container.DATA / "data.csv").write_text(LOANS.replace("female,35,own,yes,yes", "female,35,own,yes,no"))
    for name, value in {
        "baseline_constraints": str(baseline),
        "publish_cloudwatch_metrics": "Enabled",
        "sagemaker_endpoint_name": "credit",
        "sagemaker_monitoring_schedule_name": "credit-bias",
        "monitoring_input_type": "ENDPOINT_INPUT",
        "start_time": "2026-01-31T12:00:00Z",
        "end_time": "2026-01-31T13:00:00Z",
    }.items():
        monkeypatch.setenv(name, value)
    assert container.main() == 0
    assert container.EXIT_MESSAGE.read_text().startswith("CompletedWithViolations: Job completed successfully with 3")
    assert len(json.loads((container.OUTPUT / "constraint_violations.json").read_text())["violations"]) == 3
    data = [json.loads(line) for line in (container.METRICS / "cloudwatch_metrics.jsonl").read_text().splitlines()]
    (ci,) = [item for item in data if item["MetricName"] == "bias_metric_CI"]
    assert ci["Timestamp"] == "2026-01-31T12:00:00Z"
    assert ci["Value"] == pytest.approx(0.2)
    assert {item["Name"]: item["Value"] for item in ci["Dimensions"]} == {
        "Endpoint": "credit",
        "MonitoringSchedule": "credit-bias",
        "BiasStage": "Pre-training",
        "Label": "credit",
        "LabelValue": "yes",
        "Facet": "sex",
        "FacetValue": "female",
    }
    # Metrics without a value are not published.
    assert not any(item["MetricName"] == "bias_metric_CDDL" for item in data)


def test_a_failure_is_said_in_one_line(
    paths: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    container.CONFIG.write_text(json.dumps(CONFIG | {"label": "credits"}))
    assert container.main() == 1
    assert capsys.readouterr().err.startswith("error: label is 'credits', which is not a column of the dataset")
    assert container.EXIT_MESSAGE.read_text().startswith("Failed: label is 'credits'")


def test_variables_become_the_settings_of_the_job() -> None:
    job = container.job_of(
        {
            "dataset_source": "/data",
            "output_path": "/output",
            "dataset_format": '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}}',
            "features_attribute": "instances[*].features",
            "probability_attribute": "score",
            "probability_threshold_attribute": "0.8",
            "exclude_features_attribute": "id, name",
            "model_name": "credit",
            "model_archive": "/model.tar.gz",
            "metric_tolerance": "2",
            "end_time_offset": "-PT1H",
            "baseline_constraints": "",
        },
        NOW,
    )
    assert (job.dataset, job.output, job.model) == (Path("/data"), Path("/output"), Path("/model.tar.gz"))
    assert job.attributes.features == "instances[*].features"
    assert (job.attributes.probability, job.attributes.probability_threshold) == ("score", 0.8)
    assert (job.excluded_columns, job.model_name, job.metric_tolerance) == (("id", "name"), "credit", 2)
    assert job.window.end == datetime(2026, 1, 31, 23, tzinfo=UTC)
    assert job.baseline is None


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("dataset_format", "csv", "dataset_format 'csv' is not a JSON object with one format"),
        ("metric_tolerance", "much", "metric_tolerance 'much' is not a number of at least 0"),
        ("metric_tolerance", "nan", "metric_tolerance 'nan' is not a number of at least 0"),
        ("probability_threshold_attribute", "-1", "probability_threshold_attribute '-1' is not a number of at least 0"),
        ("publish_cloudwatch_metrics", "yes", "unknown publish_cloudwatch_metrics 'yes'; use Enabled or Disabled"),
    ],
)
def test_an_invalid_variable_is_named(variable: str, value: str, message: str) -> None:
    with pytest.raises(QualityError, match=message):
        container.job_of({variable: value}, NOW)


def test_attributions_are_metrics_by_feature_and_infinity_is_a_large_number() -> None:
    analysis = {
        "explanations": {"kernel_shap": {"label0": {"global_shap_values": {"age": 0.25}, "expected_value": 0.5}}},
        "post_training_bias_metrics": {
            "label": "credit",
            "label_value_or_threshold": "yes",
            "facets": {"sex": [{"value_or_threshold": "f", "metrics": [{"name": "DI", "value": "Infinity"}]}]},
        },
    }
    by_kind = metrics(analysis, MetricSettings(NOW, endpoint="credit"))
    feature, expected = by_kind["explainability-metrics"]
    assert (feature["MetricName"], feature["Value"]) == ("feature_age", 0.25)
    assert feature["Dimensions"][1:] == [
        {"Name": "ExplainabilityMethod", "Value": "KernelShap"},
        {"Name": "Label", "Value": "label0"},
        {"Name": "ValueType", "Value": "GlobalShapValues"},
    ]
    assert (expected["MetricName"], expected["Value"]) == ("ExpectedValue", 0.5)
    # The number that AWS documents.
    assert by_kind["bias-metrics"][0]["Value"] == pytest.approx(2.348543e108)
    assert namespace_of("bias-metrics", "credit") == "aws/sagemaker/Endpoints/bias-metrics"
    assert namespace_of("bias-metrics", None) == "aws/sagemaker/ModelMonitoring/bias-metrics"


def test_the_command_exits_with_3_on_violations_only_with_fail_on_violation(run_job: RunJob, tmp_path: Path) -> None:
    run_job(CONFIG)
    baseline = (tmp_path / "output" / "analysis.json").rename(tmp_path / "baseline.json")
    (tmp_path / "worse.csv").write_text(LOANS.replace("female,35,own,yes,yes", "female,35,own,yes,no"))

    def run_command(*options: str) -> subprocess.CompletedProcess[str]:
        arguments = ["--config", str(tmp_path / "config.json"), "--dataset", str(tmp_path / "worse.csv")]
        return subprocess.run(
            [sys.executable, "-m", "analyzer", "clarify", *arguments, "-o", str(tmp_path / "output"), *options],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run_command("--baseline", str(baseline)).returncode == 0
    ended = run_command("--baseline", str(baseline), "--fail-on-violation")
    assert ended.returncode == 3
    assert ended.stdout.startswith("CompletedWithViolations: Job completed successfully with 3 violations.")
