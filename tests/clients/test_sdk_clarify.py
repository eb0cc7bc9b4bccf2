"""Clarify through the SageMaker SDK: processor, ClarifyCheck steps and monitors, on models of two frameworks."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.client_environment import client_environment
from local_sagemaker.http.background import RunningServer, ensure_server, stop_server

pytest.importorskip("xgboost")

PROGRAM = Path(__file__).with_name("sdk_clarify.py")
SECONDS = 600


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clarify")


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Iterator[RunningServer]:
    yield ensure_server(data_dir)
    stop_server(data_dir)


@pytest.fixture(scope="module")
def found(server: RunningServer, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The output of the program."""
    environment = {**os.environ, **client_environment(data_dir, server.port)}
    folder = tmp_path_factory.mktemp("program")
    done = subprocess.run(
        [sys.executable, PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_the_processor_measures_bias_of_data_and_of_models(found: dict[str, Any]) -> None:
    expected = found["expected"]
    assert found["pre"]["CI"] == pytest.approx(expected["CI"], abs=1e-12)
    assert found["pre"]["DPL"] == pytest.approx(expected["DPL"], abs=1e-12)
    for model in ("with-xgboost", "with-lightgbm"):
        assert found[model]["post"]["DPPL"] == pytest.approx(expected[model], abs=1e-12)
        # run_bias computes both
        assert (found[model]["pre"], found[model]["both"]) == (found["pre"], found[model]["post"])


def test_the_processor_explains_models(found: dict[str, Any]) -> None:
    for model in ("with-xgboost", "with-lightgbm"):
        values = found[model]["shap"]
        assert set(sorted(values, key=values.__getitem__)[-2:]) == {"sex", "income"}, values


def test_endpoints_that_jobs_have_created_are_deleted(found: dict[str, Any]) -> None:
    assert found["endpoints"] == []


def test_clarify_check_steps_register_baselines_and_fail_on_violations(found: dict[str, Any]) -> None:
    first, second = found["checks"]
    assert first == dict.fromkeys(("DataBias", "ModelBias", "Explainability"), "Succeeded")
    # more women changes the bias, but not what the model looks at
    for name in ("DataBias", "ModelBias"):
        assert second[name].startswith("ClientError: Clarify check failed. See violation report: s3://"), second
    assert second["Explainability"] == "Succeeded"


def test_monitors_find_drift_of_bias_and_of_feature_attribution(found: dict[str, Any]) -> None:
    groups, reasons = found["groups"], found["reasons"]
    assert groups["status"] == reasons["status"] == "CompletedWithViolations"
    metrics = {violation["metric_name"] for violation in groups["violations"]}
    assert "CI" in metrics and {violation["facet"] for violation in groups["violations"]} == {"sex"}
    [violation] = reasons["violations"]
    assert (violation["metric_name"], violation["constraint_check_type"]) == ("shap", "feature_attribution_drift_check")
    assert groups["attached"] and reasons["attached"]
