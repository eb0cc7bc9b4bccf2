"""Outputs of evaluate.py on real data."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import evaluate
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation import outcome
from evaluation.cloudwatch import publish
from sklearn import metrics

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ("cancer", "wine", "diabetes", "mixed")


@dataclass(frozen=True)
class Evaluated:
    output: Path

    @property
    def quality(self) -> dict:
        return json.loads((self.output / "evaluation" / "evaluation.json").read_text())

    @property
    def predictions(self) -> list[dict[str, str]]:
        with (self.output / "predictions" / "predictions.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def column(self, name: str) -> np.ndarray:
        return np.array([float(row[name]) for row in self.predictions])

    @property
    def page(self) -> str:
        return (self.output / "report" / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def evaluated(make_project, tmp_path_factory):
    done: dict[str, Evaluated] = {}

    def run(name: str) -> Evaluated:
        if name not in done:
            project, folder = make_project(name), tmp_path_factory.mktemp("evaluated")
            project.packed(folder / "model")
            evaluate.main(evaluate_arguments(folder, project.data.output / "test"))
            done[name] = Evaluated(folder / "output")
        return done[name]

    return run


def evaluate_arguments(folder: Path, test: Path) -> list[str]:
    return [f"--model-dir={folder / 'model'}", f"--test-dir={test}", f"--output-dir={folder / 'output'}"]


def test_the_report_lists_the_warnings_about_the_data(make_project, tmp_path):
    project = make_project("wine")
    project.packed(tmp_path / "model")
    checks = [
        {"severity": "warning", "messages": ["column '<a>' is constant", "column 'b' is constant"]},
        {"severity": "error", "messages": []},
    ]
    (tmp_path / "validation_report.json").write_text(json.dumps({"checks": checks}))
    evaluate.main([*evaluate_arguments(tmp_path, project.data.output / "test"), f"--validation-dir={tmp_path}"])
    page = Evaluated(tmp_path / "output").page
    assert "2 warnings about the data" in page
    assert "column &#x27;&lt;a&gt;&#x27; is constant" in page


def test_binary_metrics_are_those_of_scikit_learn(evaluated):
    found = evaluated("cancer").quality["binary_classification_metrics"]
    label, prediction, probability = map(evaluated("cancer").column, ("label", "prediction", "probability"))
    expected = {
        "auc": metrics.roc_auc_score(label, probability),
        "accuracy": metrics.accuracy_score(label, prediction),
        "precision": metrics.precision_score(label, prediction),
        "recall": metrics.recall_score(label, prediction),
        "f1": metrics.f1_score(label, prediction),
    }
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert found["auc"]["value"] > 0.97


def test_multiclass_metrics_are_those_of_scikit_learn(evaluated):
    found = evaluated("wine").quality["multiclass_classification_metrics"]
    label, prediction = evaluated("wine").column("label"), evaluated("wine").column("prediction")
    assert found["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(label, prediction), abs=1e-12)
    weighted = metrics.f1_score(label, prediction, average="weighted")
    assert found["weighted_f1"]["value"] == pytest.approx(weighted, abs=1e-12)
    assert found["accuracy"]["value"] > 0.9


def test_regression_metrics_are_those_of_scikit_learn(evaluated):
    found = evaluated("diabetes").quality["regression_metrics"]
    label, prediction = evaluated("diabetes").column("label"), evaluated("diabetes").column("prediction")
    assert found["rmse"]["value"] == pytest.approx(metrics.root_mean_squared_error(label, prediction), rel=1e-12)
    assert found["r2"]["value"] == pytest.approx(metrics.r2_score(label, prediction), rel=1e-9)
    assert found["r2"]["value"] > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_predictions_have_a_line_per_test_row(evaluated, make_project, name):
    rows, test = evaluated(name).predictions, make_project(name).data.rows("test")
    assert len(rows) == len(test) == evaluated(name).quality["dataset"]["item_count"]
    columns = ["prediction", "label"] if name == "diabetes" else ["prediction", "probability", "label"]
    assert list(rows[0]) == columns
    assert [float(row["label"]) for row in rows] == [float(row["target"]) for row in test]


def test_two_classes_are_written_as_0_and_1_and_several_by_name(evaluated, make_project):
    assert make_project("mixed").data.schema["classes"] == ["barolo", "other"]
    rows = evaluated("mixed").predictions
    assert {row["prediction"] for row in rows} == {row["label"] for row in rows} == {"0", "1"}
    assert all((float(row["probability"]) >= 0.5) == (row["prediction"] == "1") for row in rows)
    assert all(float(row["probability"]) > 1 / 3 for row in evaluated("wine").predictions), "of the predicted class"


class Page(html.parser.HTMLParser):
    """The structure of a page, parsed as a browser would."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.references: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta",):
            self.open.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h2", "h3"):
            self.titles.append(data)


QUALITY = {
    "cancer": ["ROC curve", "Precision-recall curve", "Confusion matrix", "Calibration", "Decision threshold"],
    "wine": ["ROC curve", "Precision-recall curve", "Confusion matrix", "Calibration"],
    "diabetes": ["Predicted against actual", "Residuals", "Distribution of the residuals"],
}


@pytest.mark.parametrize("name", QUALITY)
def test_the_report_has_the_metrics_first_then_charts_with_a_title_each(evaluated, name):
    page = Page(evaluated(name).page)
    assert page.open == [], "every tag is closed"
    assert page.titles.index("Quality") > 3, "headlines first"
    quality = page.titles[page.titles.index("Quality") + 1 : page.titles.index("Metrics")]
    assert quality == QUALITY[name]
    assert page.titles[page.titles.index("Reasons") + 1] == "Importance"
    assert page.titles[page.titles.index("Explained records") + 1 :][:3] == [
        *("Largest error", "Median error", "Smallest error")
    ]
    assert ("Classes" in page.titles) == (name == "wine")


@pytest.mark.parametrize("name", QUALITY)
def test_every_chart_is_named_for_screen_readers(evaluated, name):
    labels = re.findall(
        r'<svg viewBox="0 0 \d+ \d+" width="100%" role="img" aria-label="([^"]+)"', evaluated(name).page
    )
    assert len(labels) == evaluated(name).page.count("<svg") >= 8
    assert len(set(labels)) == len(labels)


def test_the_report_of_a_large_test_split_is_not_larger(evaluated, make_project, tmp_path):
    table = pq.read_table(make_project("diabetes").data.output / "test")
    (tmp_path / "test").mkdir()
    pq.write_table(pa.concat_tables([table] * 200), tmp_path / "test" / "test.parquet")
    make_project("diabetes").packed(tmp_path / "model")
    evaluate.main(evaluate_arguments(tmp_path, tmp_path / "test"))
    assert len(Evaluated(tmp_path / "output").page) < 400_000


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_the_report_is_self_contained(evaluated, name):
    page = Page(evaluated(name).page)
    assert all(reference.startswith("#") for reference in page.references)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "url(http" not in evaluated(name).page
    assert "@import" not in evaluated(name).page


def test_the_report_follows_light_and_dark_mode(evaluated):
    page = evaluated("cancer").page
    assert "prefers-color-scheme: dark" in page
    charts = page[page.index("<svg") :]
    assert "var(--accent)" in charts
    colors = {*re.findall(r'(?:stroke|fill)="([^"]+)"', charts), *re.findall(r"background: ([^;\"]+)", charts)}
    assert all(color == "none" or color.startswith("var(--") for color in colors), "all colours come from the page"


@pytest.mark.parametrize("classes", [["<q>&", "<script>alert(1)</script>"], ["<q>&", "<script>alert(1)</script>", "c"]])
def test_names_from_the_data_are_escaped(run_preprocess, run_train, classes):
    rows = [f"{row * 7 % 31}.5,{classes[row % len(classes)]}" for row in range(100)]
    problem_type = "BinaryClassification" if len(classes) == 2 else "MulticlassClassification"
    data = run_preprocess("\n".join(["<i>$x$</i>,target", *rows]), "--problem-type", problem_type)
    folder, _ = run_train(data, "--num_boost_round", "3")
    with tarfile.open(folder / "model" / "model.tar.gz", "w:gz") as archive:
        for name in ("model.txt", "schema.json", "metrics.json"):
            archive.add(folder / "model" / name, name)
    evaluate.main(evaluate_arguments(folder, data.output / "test"))
    page = Evaluated(folder / "output").page
    assert not {"script", "q", "i"} & set(Page(page).tags)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;i&gt;$x$&lt;/i&gt;" in page


def test_evaluating_again_gives_the_same_bytes(evaluated, make_project, tmp_path):
    make_project("cancer").packed(tmp_path / "model")
    evaluate.main(evaluate_arguments(tmp_path, make_project("cancer").data.output / "test"))
    again = Evaluated(tmp_path / "output")
    assert again.page == evaluated("cancer").page
    assert again.quality == evaluated("cancer").quality


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_a_split_of_several_files_is_evaluated_as_one(evaluated, make_project, tmp_path, monkeypatch, name):
    monkeypatch.setattr(outcome, "CSV_ROWS", 5)
    table = pq.read_table(make_project(name).data.output / "test")
    (tmp_path / "test").mkdir()
    for number, (start, rows) in enumerate([(0, 20), (20, 0), (20, len(table))]):
        pq.write_table(table.slice(start, rows), tmp_path / "test" / f"part-{number}.parquet", row_group_size=9)
    make_project(name).packed(tmp_path / "model")
    evaluate.main(evaluate_arguments(tmp_path, tmp_path / "test"))
    for path in ("evaluation/evaluation.json", "predictions/predictions.csv", "report/report.html"):
        assert (tmp_path / "output" / path).read_bytes() == (evaluated(name).output / path).read_bytes()


# --- invalid inputs ---


def archive_of(folder: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def link(name: str, target: Path) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, str(target)
    return member


def test_links_and_members_outside_the_archive_are_not_read(make_project, tmp_path):
    project = make_project("cancer")
    model, schema = (project.model / name for name in ("model.txt", "schema.json"))
    for members in (
        [(link("model.txt", model), b""), (tarfile.TarInfo("schema.json"), schema.read_bytes())],
        [(tarfile.TarInfo("../model.txt"), model.read_bytes()), (tarfile.TarInfo("schema.json"), schema.read_bytes())],
        [(tarfile.TarInfo(str(model)), model.read_bytes()), (tarfile.TarInfo("schema.json"), schema.read_bytes())],
    ):
        archive_of(tmp_path / "model", members)
        with pytest.raises(SystemExit, match=r"model\.tar\.gz has no file 'model\.txt'"):
            evaluate.main(evaluate_arguments(tmp_path, project.data.output / "test"))


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: b"no archive", lambda data: data[: len(data) // 2]])
def test_a_damaged_archive_is_named(make_project, tmp_path, damage):
    archive = make_project("cancer").packed(tmp_path / "model") / "model.tar.gz"
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(SystemExit, match=r"model\.tar\.gz is not a readable model archive"):
        evaluate.main(evaluate_arguments(tmp_path, make_project("cancer").data.output / "test"))
    assert not (tmp_path / "output").exists()


def test_a_missing_archive_and_a_missing_test_split_are_named(make_project, tmp_path):
    with pytest.raises(SystemExit, match=r"model\.tar\.gz is not a readable model archive"):
        evaluate.main(evaluate_arguments(tmp_path, make_project("cancer").data.output / "test"))
    make_project("cancer").packed(tmp_path / "model")
    with pytest.raises(SystemExit, match="has no Parquet file with rows"):
        evaluate.main(evaluate_arguments(tmp_path, tmp_path))
    (tmp_path / "test.parquet").write_text("a,b")
    with pytest.raises(SystemExit, match=r"test\.parquet is not a readable test split"):
        evaluate.main(evaluate_arguments(tmp_path, tmp_path))


def test_a_test_split_of_another_execution_is_refused(make_project, tmp_path):
    make_project("cancer").packed(tmp_path / "model")
    with pytest.raises(SystemExit, match="do not match the model's schema"):
        evaluate.main(evaluate_arguments(tmp_path, make_project("wine").data.output / "test"))


def test_the_metrics_are_published_under_the_model_name(make_project, tmp_path, monkeypatch):
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    make_project("cancer").packed(tmp_path / "model")
    with moto.mock_aws():
        arguments = evaluate_arguments(tmp_path, make_project("cancer").data.output / "test")
        evaluate.main([*arguments, "--model-name", "tumours"])
        cloudwatch = boto3.client("cloudwatch", region_name="eu-west-1")
        found = cloudwatch.list_metrics(Namespace="LightGBMPipelines")["Metrics"]
        now = datetime.now(UTC)
        points = cloudwatch.get_metric_statistics(
            Namespace="LightGBMPipelines",
            MetricName="ModelAccuracy",
            Dimensions=[{"Name": "ModelName", "Value": "tumours"}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
    assert {metric["MetricName"] for metric in found} == {
        *("ModelAuc", "ModelF1", "ModelPrecision", "ModelRecall", "ModelAccuracy", "TrainingTime")
    }
    quality = Evaluated(tmp_path / "output").quality["binary_classification_metrics"]
    assert [point["Maximum"] for point in points] == pytest.approx([quality["accuracy"]["value"]])


def test_an_undefined_metric_is_not_published_with_the_others(monkeypatch):
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with moto.mock_aws():
        publish({"auc": float("nan"), "f1": 0.5}, 1.0, "tumours")
        cloudwatch = boto3.client("cloudwatch", region_name="eu-west-1")
        found = cloudwatch.list_metrics(Namespace="LightGBMPipelines")["Metrics"]
    assert {metric["MetricName"] for metric in found} == {"ModelF1", "TrainingTime"}


def test_a_cloudwatch_failure_does_not_fail_the_evaluation(make_project, tmp_path, monkeypatch, capsys):
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "eu-west-1")
    make_project("cancer").packed(tmp_path / "model")
    arguments = evaluate_arguments(tmp_path, make_project("cancer").data.output / "test")
    evaluate.main([*arguments, "--model-name", "tumours"])
    assert Evaluated(tmp_path / "output").quality
    assert "cannot publish the metrics of tumours to CloudWatch" in capsys.readouterr().out


def test_run_sh_installs_the_requirements_beside_it_and_then_runs_the_script(tmp_path):
    stub = tmp_path / "bin" / "python3"
    stub.parent.mkdir()
    stub.write_text('#!/bin/sh\necho "$PWD: $@" >> "$LOG"\n')
    stub.chmod(0o755)
    script = REPOSITORY / "processing_scripts" / "run.sh"
    environment = {"PATH": f"{stub.parent}:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}
    subprocess.run(["bash", script, "evaluate.py", "--model-dir", "a b"], env=environment, check=True, timeout=30)  # noqa: S607
    install, run = (tmp_path / "log").read_text().splitlines()
    assert install.startswith(f"{script.parent}: -m pip install")
    assert install.endswith("--requirement requirements.txt")
    assert run == f"{script.parent}: evaluate.py --model-dir a b"
