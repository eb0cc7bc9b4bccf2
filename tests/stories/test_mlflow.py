"""Tracking with a real MLflow: an execution is a run with curves, trials, artifacts and the registered version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from mlflow.entities import Run

from project.paths import REPOSITORY
from tests.stories.workplace import Workplace

pytestmark = pytest.mark.slow

TUNING = {"max_jobs": 2, "ranges": {"num_leaves": {"min": 3, "max": 15}}}


@pytest.fixture(scope="module")
def settings(workplace: Workplace) -> str:
    example = REPOSITORY / "examples" / "wine"
    content: dict[str, Any] = yaml.safe_load((example / "settings.yaml").read_text())
    content |= {"name": "tracked-wine", "tuning": TUNING, "tracking": {}, "quality_checks": "processing"}
    content["data"]["input"] = str(example / "data.csv")
    content["training"] |= {"num_boost_round": 20}
    path = workplace.data_dir.parent / "tracked.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture(scope="module")
def first(workplace: Workplace, settings: str) -> dict[str, Any]:
    started = workplace.python("local_sagemaker", "start", "--mlflow")
    assert started.code == 0, started.stderr
    return workplace.run(settings=settings)


@pytest.fixture(scope="module")
def client(workplace: Workplace, settings: str, first: dict[str, Any]) -> mlflow.MlflowClient:
    address = workplace.pipelines("mlflow", "--local", "--settings", settings)
    assert address.code == 0, address.stderr
    return mlflow.MlflowClient(address.stdout.partition("#")[0].strip())


def run_of(client: mlflow.MlflowClient, result: dict[str, Any]) -> Run:
    """Return the run of an execution, which has only one."""
    name = result["PipelineExecutionArn"].rsplit("/", 1)[-1]
    (run,) = client.search_runs([result["MlflowRun"]["experiment_id"]], f"attributes.run_name = '{name}'")
    return run


def test_the_run_has_metrics_curves_datasets_and_the_registered_version(
    client: mlflow.MlflowClient, first: dict[str, Any]
) -> None:
    run = run_of(client, first)
    assert (run.info.run_id, run.info.status) == (first["MlflowRun"]["run_id"], "FINISHED")
    assert run.data.metrics["test_accuracy"] == pytest.approx(first["Metrics"]["accuracy"])
    assert run.data.metrics["test_accuracy_lower"] <= run.data.metrics["test_accuracy"]
    assert run.data.params["objective"] == "multiclass"
    assert run.data.tags["sagemaker.model_package_arn"] == first["ModelPackage"]["arn"]
    curve = client.get_metric_history(run.info.run_id, "boosting/validation_multi_logloss")
    assert [point.step for point in curve] == [*range(1, len(curve) + 1)]
    assert {item.tags[0].value for item in run.inputs.dataset_inputs} == {"train", "validation", "test"}


def test_report_curve_and_model_are_artifacts_and_records_are_not(
    workplace: Workplace, client: mlflow.MlflowClient, first: dict[str, Any]
) -> None:
    folder = workplace.object(run_of(client, first).info.artifact_uri)
    names = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}
    assert {"report/report.html", "training/training_curve.svg", "model/model.tar.gz"} < names
    assert not [name for name in names if "samples" in name or "predictions" in name]


def test_each_trial_is_a_child_run_with_its_hyperparameters_and_curve(
    client: mlflow.MlflowClient, first: dict[str, Any]
) -> None:
    run = run_of(client, first)
    children = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert len(children) == 2
    for child in children:
        assert child.info.status == "FINISHED"
        assert 3 <= int(child.data.params["num_leaves"]) <= 15
        assert {"validation_multi_logloss", "boosting/validation_multi_logloss"} <= child.data.metrics.keys()


def test_an_execution_from_the_cache_is_a_complete_run_and_a_failed_one_is_failed(
    workplace: Workplace, settings: str, client: mlflow.MlflowClient, first: dict[str, Any]
) -> None:
    second = workplace.run(settings=settings)
    assert {step["StepName"]: step["Cached"] for step in second["Steps"]}["Tune"]
    assert run_of(client, second).data.metrics == run_of(client, first).data.metrics
    workplace.pipelines("run", "--local", "--settings", settings, "-p", "MetricThreshold=1")
    (latest,) = client.search_runs(
        [second["MlflowRun"]["experiment_id"]], "tags.mlflow.source.type = 'JOB'", max_results=1
    )
    assert latest.info.status == "FAILED"
