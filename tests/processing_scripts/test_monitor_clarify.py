"""Bias and feature attribution of captured traffic, by monitor.py."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto")
pytest.importorskip("lightgbm")

import monitor  # noqa: E402
from window.clarify import joined  # noqa: E402

from analyzer.clarify.job import ClarifyJob  # noqa: E402
from analyzer.clarify.job import run as run_job  # noqa: E402
from tests.analyzer.attribution.conftest import make_archive, pack  # noqa: E402
from tests.container_scripts import make_project, raw_data, run_train  # noqa: E402
from tests.processing_scripts.test_monitor import CAPTURES, END, LABELS, label, s3  # noqa: E402

pytestmark = pytest.mark.slow

__all__ = ["make_archive", "make_project", "pack", "run_train", "s3"]

Labelled = tuple[dict[str, Any], str, str]

CONFIG = {
    "label": "repaid",
    "label_values_or_threshold": ["yes"],
    "facet": [{"name_or_index": "sex", "value_or_threshold": ["f"]}],
    "methods": {
        "pre_training_bias": {"methods": ["CI", "DPL"]},
        "post_training_bias": {"methods": ["AD", "DI", "DPPL"]},
    },
}
# metrics that need no labels
UNLABELLED = {"CI", "DI", "DPPL"}


def loans(count: int, seed: int, women_accepted: float = 0.6) -> list[Labelled]:
    """Generate requests with their predictions and labels; 60 % of the men are accepted, and 70 % repay."""
    chance = random.Random(seed)  # noqa: S311
    found = []
    for number in range(count):
        sex = "f" if number % 3 == 0 else "m"
        accepted = chance.random() < (women_accepted if sex == "f" else 0.6)
        repaid = chance.random() < 0.7
        found.append(
            (
                {"amount": round(chance.gauss(5, 1), 3), "sex": sex},
                *("yes" if it else "no" for it in (accepted, repaid)),
            )
        )
    return found


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline of `loans` in the input folder of a job."""
    folder = tmp_path_factory.mktemp("bias-baseline")
    lines = [f"{record['sex']},{predicted},{repaid}" for record, predicted, repaid in loans(3000, seed=1)]
    (folder / "data.csv").write_text("\n".join(["sex,predicted,repaid", *lines]))
    config = {**CONFIG, "dataset_type": "text/csv", "predicted_label": "predicted"}
    (folder / "training.json").write_text(json.dumps(config))
    run_job(ClarifyJob(folder / "training.json", folder / "data.csv", folder / "input" / "bias-constraints"))
    (folder / "input" / "bias-config").mkdir()
    (folder / "input" / "bias-config" / "config.json").write_text(json.dumps(CONFIG))
    return folder / "input"


def capture(s3: Any, records: list[Labelled], minutes: int = 30, without: str = "") -> None:
    """Upload records as captured so many minutes before the end of the window."""
    at, events = END - timedelta(minutes=minutes), []
    for number, (record, predicted, _) in enumerate(records):
        request = {name: value for name, value in record.items() if name != without}
        prediction = {"label": predicted, "probability": 0.5}
        payloads = {"endpointInput": request, "endpointOutput": {"predictions": [prediction]}}
        data = {
            side: {"observedContentType": "application/json", "data": json.dumps(payload), "encoding": "JSON"}
            for side, payload in payloads.items()
        }
        time = (at + timedelta(milliseconds=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        metadata = {"eventId": f"e{number}", "inferenceId": f"i{number}", "inferenceTime": time}
        events.append({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})
    key = f"captures/churn/AllTraffic/{at:%Y/%m/%d/%H}/file.jsonl"
    s3.put_object(Bucket="bucket", Key=key, Body="\n".join(map(json.dumps, events)))


def run(folder: Path, inputs: Path, analyses: str, *more: str) -> dict[str, Any]:
    if not (folder / "input").exists():
        (folder / "input").mkdir(parents=True)
        for path in inputs.iterdir():
            (folder / "input" / path.name).symlink_to(path)
    code = monitor.main(
        [
            *(f"--analyses={analyses}", "--endpoint=churn", "--schedule=churn-monitoring", f"--captures={CAPTURES}"),
            *(f"--labels={LABELS}", f"--window-end={END.isoformat()}", "--window-minutes=60"),
            *("--problem-type=BinaryClassification", "--metric-tolerance=2.5", *more),
            *(f"--input-dir={folder / 'input'}", f"--output-dir={folder / 'output'}"),
        ]
    )
    assert code == 0
    summary: dict[str, Any] = json.loads((folder / "output" / "summary" / "monitoring_summary.json").read_text())
    return summary


def values(folder: Path) -> dict[str, Any]:
    """Return the value of each bias metric in the analysis of the window."""
    analysis = json.loads((folder / "output" / "bias" / "analysis.json").read_text())
    return {
        metric["name"]: metric["value"]
        for section in ("pre_training_bias_metrics", "post_training_bias_metrics")
        for metric in analysis[section]["facets"]["sex"][0]["metrics"]
    }


def published(namespace: str) -> dict[str, float]:
    """Return the metrics of a namespace in CloudWatch, by name."""
    client = boto3.client("cloudwatch")
    found = {}
    for metric in client.list_metrics(Namespace=namespace)["Metrics"]:
        data = client.get_metric_statistics(
            **metric,
            StartTime=END - timedelta(days=1),
            EndTime=END + timedelta(days=1),
            Period=60,
            Statistics=["Average"],
        )["Datapoints"]
        found[metric["MetricName"]] = data[0]["Average"]
    return found


def test_traffic_like_the_baseline_s_raises_no_alert(s3: Any, baseline: Path, tmp_path: Path) -> None:
    records = loans(600, seed=2)
    capture(s3, records)
    label(s3, [(record, repaid) for record, _, repaid in records], END)
    summary = run(tmp_path, baseline, "bias")
    assert (summary["status"], summary["alert"], summary["reasons"]) == ("Completed", False, [])
    assert summary["bias"] == {"records": 600, "labelled_records": 600, "measured_metrics": 5, "violations": 0}
    assert all(value is not None for value in values(tmp_path).values())
    assert json.loads((tmp_path / "output" / "bias" / "constraint_violations.json").read_text())["violations"] == []
    assert (tmp_path / "output" / "bias" / "report.html").is_file()
    assert published("LightGBMPipelines") == {"MonitoringAlert": 0, "CapturedRecords": 600, "BiasViolations": 0}
    assert published("aws/sagemaker/Endpoints/bias-metrics").keys() == {
        f"bias_metric_{name}" for name in values(tmp_path)
    }


def test_a_group_that_is_treated_worse_raises_an_alert_with_the_numbers(
    s3: Any, baseline: Path, tmp_path: Path
) -> None:
    capture(s3, loans(600, seed=3, women_accepted=0.3))
    summary = run(tmp_path, baseline, "bias")
    assert summary["alert"]
    (reason,) = summary["reasons"]
    assert reason.startswith("bias for sex = f: ")
    found = values(tmp_path)
    assert f"DPPL is {found['DPPL']:.3g} (baseline " in reason
    violations = json.loads((tmp_path / "output" / "bias" / "constraint_violations.json").read_text())["violations"]
    assert {(item["facet"], item["facet_value"], item["constraint_check_type"]) for item in violations} == {
        ("sex", "f", "bias_drift_check")
    }
    assert {item["metric_name"] for item in violations} == {"DI", "DPPL"}
    assert published("LightGBMPipelines")["BiasViolations"] == 2


def test_what_needs_no_labels_is_measured_without_them_and_the_rest_says_why_it_is_not(
    s3: Any, baseline: Path, tmp_path: Path
) -> None:
    capture(s3, loans(300, seed=4))
    summary = run(tmp_path, baseline, "bias")
    assert (summary["bias"]["records"], summary["bias"]["labelled_records"]) == (300, 0)
    assert {name for name, value in values(tmp_path).items() if value is not None} == UNLABELLED
    analysis = json.loads((tmp_path / "output" / "bias" / "analysis.json").read_text())
    errors = [
        metric["error"]
        for metric in analysis["pre_training_bias_metrics"]["facets"]["sex"][0]["metrics"]
        if metric["name"] == "DPL"
    ]
    assert len(errors) == 1 and "label" in errors[0]


def test_metrics_that_need_labels_are_those_of_the_window_whose_labels_are_due(
    s3: Any, baseline: Path, tmp_path: Path
) -> None:
    capture(s3, loans(300, seed=5, women_accepted=0.2), minutes=150)
    label(s3, [(record, repaid) for record, _, repaid in loans(300, seed=5, women_accepted=0.2)], END)
    capture(s3, loans(600, seed=6), minutes=30)
    summary = run(tmp_path, baseline, "bias", "--label-delay-minutes=120")
    assert (summary["bias"]["records"], summary["bias"]["labelled_records"]) == (600, 300)
    # the accuracy is that of the labelled window, the positive predictions are those of the latest
    assert "AD is" in " ".join(summary["reasons"]) and "DPPL is" not in " ".join(summary["reasons"])


def test_a_group_that_requests_do_not_name_has_the_reason(s3: Any, baseline: Path, tmp_path: Path) -> None:
    capture(s3, loans(100, seed=7), without="sex")
    summary = run(tmp_path, baseline, "bias")
    assert (summary["status"], summary["alert"]) == ("Completed", False)
    assert summary["bias"]["measured_metrics"] == 0
    assert set(values(tmp_path).values()) == {None}
    assert "sex" in (tmp_path / "output" / "bias" / "report.html").read_text()


def test_a_window_without_predictions_is_not_a_failure(s3: Any, baseline: Path, tmp_path: Path) -> None:
    summary = run(tmp_path, baseline, "bias")
    assert (summary["status"], summary["alert"], summary["bias"]) == ("NoData", False, None)
    assert published("LightGBMPipelines") == {"MonitoringAlert": 0, "CapturedRecords": 0}


def test_a_baseline_that_is_not_there_is_named(s3: Any, baseline: Path, tmp_path: Path, capsys: Any) -> None:
    capture(s3, loans(50, seed=8))
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "bias-config").symlink_to(baseline / "bias-config")
    with pytest.raises(AssertionError):
        run(tmp_path, baseline, "bias")
    assert "bias-constraints has no JSON file; create the monitoring schedule again" in capsys.readouterr().err


def test_two_analyses_are_joined_by_metric_and_group() -> None:
    def analysis(group: str, **metrics: float | None) -> dict[str, Any]:
        entries = [{"name": name, "value": value} for name, value in metrics.items()]
        section = {"label": "y", "facets": {"age": [{"value_or_threshold": group, "metrics": entries}]}}
        return {"version": "1.0", "pre_training_bias_metrics": section, "post_training_bias_metrics": section}

    first, second = analysis("(25, 70]", CI=0.1, DPL=None), analysis("(25, 75]", CI=0.5, DPL=0.2)
    (group,) = joined(first, second)["pre_training_bias_metrics"]["facets"]["age"]
    assert group["value_or_threshold"] == "(25, 70]"
    assert {metric["name"]: metric["value"] for metric in group["metrics"]} == {"CI": 0.1, "DPL": 0.2}
    assert joined(first, {}) == first and joined({}, second) == second


# --- attribution ---


@pytest.fixture
def attributed(s3: Any, make_archive: Callable[[str], Path], tmp_path: Path) -> Path:
    """The inputs of a job on attribution, with the model archive in S3 and the SHAP values of its own data."""
    archive = make_archive("cancer")
    s3.upload_file(str(archive), "bucket", "models/model.tar.gz")
    folder = tmp_path / "attributed"
    (folder / "attribution-config").mkdir(parents=True)
    config = {"methods": {"shap": {"agg_method": "mean_abs", "use_logit": True}}}
    (folder / "attribution-config" / "config.json").write_text(json.dumps(config))
    (tmp_path / "training.json").write_text(json.dumps({**config, "dataset_type": "text/csv", "label": "target"}))
    (tmp_path / "data.csv").write_text(raw_data("cancer")[1])
    places = tmp_path / "training.json", tmp_path / "data.csv", folder / "attribution-constraints"
    run_job(ClarifyJob(*places, model=archive))
    return folder


def patients() -> list[Labelled]:
    """Return the requests for the patients of the training data."""
    rows = csv.DictReader(io.StringIO(raw_data("cancer")[1]))
    return [
        ({name: float(value) for name, value in row.items() if name != "target"}, "1", row["target"]) for row in rows
    ]


def top_features(folder: Path) -> list[str]:
    """Return the features by decreasing attribution in the baseline."""
    analysis = json.loads((folder / "attribution-constraints" / "analysis.json").read_text())
    (label,) = analysis["explanations"]["kernel_shap"].values()
    shap: dict[str, float] = label["global_shap_values"]
    return sorted(shap, key=lambda name: -shap[name])


def test_requests_like_the_training_data_have_the_baseline_s_ranking(s3: Any, attributed: Path, tmp_path: Path) -> None:
    capture(s3, patients())
    summary = run(tmp_path, attributed, "attribution", "--model=s3://bucket/models/model.tar.gz")
    assert (summary["status"], summary["alert"]) == ("Completed", False)
    assert summary["attribution"]["records"] == 569
    (score,) = summary["attribution"]["ndcg"].values()
    # the same data by the same model, exactly
    assert score == pytest.approx(1)
    assert published("LightGBMPipelines")["AttributionNdcg"] == pytest.approx(1)
    shap = published("aws/sagemaker/Endpoints/explainability-metrics")
    assert {f"feature_{name}" for name in top_features(attributed)} <= shap.keys()


def test_features_that_decide_in_place_of_others_raise_an_alert_that_names_both(
    s3: Any, attributed: Path, tmp_path: Path
) -> None:
    # a baseline in which the features that decide least decided most
    path = attributed / "attribution-constraints" / "analysis.json"
    analysis = json.loads(path.read_text())
    (label_values,) = analysis["explanations"]["kernel_shap"].values()
    shap = label_values["global_shap_values"]
    ranked = top_features(attributed)
    label_values["global_shap_values"] = {name: shap[other] for name, other in zip(ranked, ranked[::-1], strict=True)}
    path.write_text(json.dumps(analysis))
    capture(s3, patients())
    summary = run(tmp_path, attributed, "attribution", "--model=s3://bucket/models/model.tar.gz")
    (score,) = summary["attribution"]["ndcg"].values()
    assert score < 0.9
    (reason,) = summary["reasons"]
    assert f"NDCG {score:.3g} (at least 0.9)" in reason
    assert f"the first are {', '.join(ranked[:3])}, in the baseline {', '.join(ranked[:-4:-1])}" in reason
    (violation,) = json.loads((tmp_path / "output" / "attribution" / "constraint_violations.json").read_text())[
        "violations"
    ]
    assert violation["constraint_check_type"] == "feature_attribution_drift_check"


def test_a_few_requests_are_explained_but_are_not_a_drift(s3: Any, attributed: Path, tmp_path: Path) -> None:
    path = attributed / "attribution-constraints" / "analysis.json"
    analysis = json.loads(path.read_text())
    (label_values,) = analysis["explanations"]["kernel_shap"].values()
    shap, ranked = label_values["global_shap_values"], top_features(attributed)
    label_values["global_shap_values"] = {name: shap[other] for name, other in zip(ranked, ranked[::-1], strict=True)}
    path.write_text(json.dumps(analysis))
    capture(s3, patients()[:9])
    summary = run(tmp_path, attributed, "attribution", "--model=s3://bucket/models/model.tar.gz")
    assert (summary["alert"], summary["attribution"]) == (False, {"records": 9, "ndcg": {}, "violations": 0})
    assert "AttributionNdcg" not in published("LightGBMPipelines")
    written = tmp_path / "output" / "attribution"
    assert json.loads((written / "constraint_violations.json").read_text())["violations"] == []
    assert (written / "report.html").is_file()


def test_a_few_predictions_raise_no_alert_of_bias(s3: Any, baseline: Path, tmp_path: Path) -> None:
    capture(s3, loans(9, seed=2, women_accepted=0))
    summary = run(tmp_path, baseline, "bias")
    assert (summary["alert"], summary["bias"]["records"], summary["bias"]["violations"]) == (False, 9, 0)
    assert values(tmp_path)["DI"] == 0


def test_all_analyses_of_a_window_are_one_summary(s3: Any, baseline: Path, tmp_path: Path) -> None:
    records = loans(200, seed=9)
    capture(s3, records)
    label(s3, [(record, predicted) for record, predicted, _ in records], END)
    summary = run(tmp_path, baseline, "model-quality,bias", "--positive-label=yes")
    assert (summary["model_quality"]["records"], summary["bias"]["labelled_records"]) == (200, 200)
    # the labels are the predictions
    assert summary["model_quality"]["metrics"]["accuracy"] == 1
    assert values(tmp_path)["AD"] == 0
