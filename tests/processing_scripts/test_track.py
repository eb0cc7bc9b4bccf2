"""track.py: what is logged of an execution, and that nothing that MLflow does fails one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# the tests' environment of the container image has no boto3
pytest.importorskip("boto3")

import track
from tracking.contents import Point, execution_contents, metric_name, read_member, texts, trial_contents
from tracking.datasets import fingerprint

EXECUTION = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/churn/execution/abc123def456"
CURVE = "iteration,train_ndcg@5,validation_ndcg@5\n1,0.5,0.4\n2,,0.45\n"
SUMMARY: dict[str, Any] = {
    "problem_type": "BinaryClassification",
    "target": "churned",
    "rows": {"train": 70, "test": 20},
    "metrics": {
        "test": {"auc": {"value": 0.9, "lower": 0.8, "upper": None}},
        "train": {"auc": 0.99},
        "validation": {"auc": 0.91},
    },
    "gates": [{"metric": "auc", "direction": "min", "threshold": 0.85}],
    "verdict": {"passed": True, "sentence": "auc is 0.9"},
    "decision_threshold": {"value": 0.4},
    "calibration": {"method": "none"},
    "folds": None,
    "parameters": {"num_leaves": 31, "objective": "binary", "monotone_constraints": [1, 0], "alpha": None},
    "remarks": ["There are few rows."],
}
TRIAL: dict[str, Any] = {
    "training_job": "tuning-001",
    "status": "Completed",
    "value": 0.93,
    "seconds": 12,
    "hyperparameters": {"num_leaves": "7"},
    "failure": "",
}


def test_the_run_has_the_final_metrics_with_intervals_and_the_curve_by_iteration() -> None:
    contents = execution_contents(SUMMARY, {"best_iteration": 2, "training_seconds": 1.5}, CURVE)
    metrics = {(name, iteration): value for name, value, iteration in contents.metrics}
    assert metrics == {
        ("test_auc", 0): 0.9,
        ("test_auc_lower", 0): 0.8,
        ("train_auc", 0): 0.99,
        ("validation_auc", 0): 0.91,
        ("best_iteration", 0): 2,
        ("training_seconds", 0): 1.5,
        ("train_rows", 0): 70,
        ("test_rows", 0): 20,
        ("boosting/train_ndcg_at_5", 1): 0.5,
        ("boosting/validation_ndcg_at_5", 1): 0.4,
        ("boosting/validation_ndcg_at_5", 2): 0.45,
    }
    assert contents.parameters["monotone_constraints"] == "[1, 0]"
    assert contents.parameters["auc_required"] == "at least 0.85"
    assert "alpha" not in contents.parameters
    assert contents.tags["mlflow.note.content"] == "auc is 0.9.\n\nThere are few rows."


@pytest.mark.parametrize(("passed", "status"), [(True, "FINISHED"), (False, "FAILED")])
def test_the_run_of_a_model_that_is_not_good_enough_has_failed(passed: bool, status: str) -> None:
    summary = SUMMARY | {"verdict": {"passed": passed, "sentence": "auc is 0.9"}}
    assert execution_contents(summary, {}, CURVE).status == status


@pytest.mark.parametrize(
    ("status", "expected"), [("Completed", "FINISHED"), ("Stopped", "KILLED"), ("Failed", "FAILED")]
)
def test_a_trial_has_its_objective_and_hyperparameters(status: str, expected: str) -> None:
    contents = trial_contents(TRIAL | {"status": status}, "validation:ndcg@10", "")
    assert contents.metrics == [Point("validation_ndcg_at_10", 0.93), Point("training_seconds", 12)]
    assert (contents.parameters, contents.status) == ({"num_leaves": "7"}, expected)


def test_a_trial_that_has_no_result_has_its_reason() -> None:
    failed = TRIAL | {"status": "Failed", "value": None, "seconds": None, "failure": "out of memory"}
    contents = trial_contents(failed, "validation:auc", "")
    assert (contents.metrics, contents.tags) == ([], {"mlflow.note.content": "out of memory"})


def test_parameters_are_texts_that_all_versions_of_mlflow_take() -> None:
    values = {"a": "text", "b": 0.1, "c": [1, 0], "d": False, "e": None, "f": "", "g": "long" * 2000}
    assert texts(values) == {"a": "text", "b": "0.1", "c": "[1, 0]", "d": "false", "g": "long" * 1250}


@pytest.mark.parametrize(
    ("name", "expected"), [("validation:auc", "validation_auc"), ("train_ndcg@5", "train_ndcg_at_5")]
)
def test_metric_names_have_no_characters_that_mlflow_refuses(name: str, expected: str) -> None:
    assert metric_name(name) == expected


class Pages:
    """An S3 client that lists objects in one page."""

    def __init__(self, **etags: str) -> None:
        self.contents = [{"Key": f"a/train/{name}", "Size": 1, "ETag": etag} for name, etag in etags.items()]

    def get_paginator(self, operation: str) -> Pages:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        assert (Bucket, Prefix) == ("bucket", "a/train/")
        yield {"Contents": self.contents}


def test_a_fingerprint_changes_with_the_content() -> None:
    first, same, other = (
        fingerprint(Pages(part=etag), uri)
        for etag, uri in (("x", "s3://bucket/a/train"), ("x", "s3://bucket/a/train/"), ("y", "s3://bucket/a/train"))
    )
    assert first == same != other
    assert len(first) == 16


def test_a_file_that_an_archive_does_not_have_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("here")
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.txt", "./a.txt")
    assert (read_member(tmp_path / "x.tar.gz", "a.txt"), read_member(tmp_path / "x.tar.gz", "b")) == ("here", "")


@pytest.mark.parametrize("error", [OSError("no route"), ValueError("bad answer"), ImportError("no module mlflow")])
def test_whatever_goes_wrong_is_a_warning_and_the_reason_is_kept(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> dict[str, str]:
        raise error

    monkeypatch.setattr(track, "track", fail)
    track.main(required("https://mlflow.example.com", tmp_path))
    result = json.loads((tmp_path / "run" / "run.json").read_text())
    assert result == {"unavailable": f"{type(error).__name__}: {error}"}
    assert "warning: the execution is not tracked by https://mlflow.example.com" in capsys.readouterr().out


def test_an_app_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class NoApps(Pages):
        def get_paginator(self, operation: str) -> Pages:
            return self

        def paginate(self, **query: str) -> Iterator[dict[str, Any]]:
            yield {"Summaries": [{"Arn": "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/a", "Name": "other"}]}

    monkeypatch.setattr(track, "client", lambda service: NoApps())
    assert track.tracking_uri("other").endswith("mlflow-app/a")
    track.main(required("team", tmp_path))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["unavailable"] == (
        "the account does not have an MLflow App 'team'; create one, or set tracking.mlflow to another"
    )


@pytest.mark.slow
def test_a_server_that_refuses_connections_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        mlflow = f"http://127.0.0.1:{server.getsockname()[1]}"
    assert run_track([*required(mlflow, tmp_path), "--total-seconds", "60"], tmp_path) == {
        "unavailable": f"{mlflow} cannot be reached from the job (ConnectionError); start the server or correct "
        "tracking.mlflow, then run the pipeline again"
    }


@pytest.mark.slow
def test_a_server_that_accepts_connections_and_never_answers_costs_bounded_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        mlflow = f"http://127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        result = run_track([*required(mlflow, tmp_path), "--total-seconds", "5"], tmp_path)
    assert time.monotonic() - began < 60
    assert result == {"unavailable": "MLflow has not answered within 5 s"}


def run_track(arguments: list[str], output: Path) -> Any:
    """Run track.py in a process of its own, because MLflow's tracking URI is global; return its run.json."""
    done = subprocess.run(
        [sys.executable, str(Path(track.__file__)), *arguments],
        env=os.environ | {"AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((output / "run" / "run.json").read_text())


def required(mlflow: str, output: Path) -> list[str]:
    names = {"--mlflow": mlflow, "--experiment": "churn", "--execution-arn": EXECUTION, "--output-dir": str(output)}
    return [part for item in names.items() for part in item]
