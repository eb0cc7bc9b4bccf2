"""Tuning, as a user does it: a section in the settings, a run, the best trial, and a second run from the cache."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from project.paths import REPOSITORY
from tests.stories.workplace import Workplace

pytestmark = pytest.mark.slow

TUNING = {
    "max_jobs": 3,
    "ranges": {"num_leaves": {"min": 3, "max": 15}, "learning_rate": {"min": 0.1, "max": 0.3}},
}


@pytest.fixture(scope="module")
def settings(workplace: Workplace) -> str:
    example = REPOSITORY / "examples" / "wine"
    content: dict[str, Any] = yaml.safe_load((example / "settings.yaml").read_text())
    content |= {"name": "tuned-wine", "tuning": TUNING}
    content["data"]["input"] = str(example / "data.csv")
    content["training"] |= {"num_boost_round": 20}
    path = workplace.data_dir.parent / "tuned.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture(scope="module")
def first(workplace: Workplace, settings: str) -> dict[str, Any]:
    return workplace.run(settings=settings)


def test_the_best_trial_is_evaluated_and_registered_with_its_hyperparameters(
    workplace: Workplace, first: dict[str, Any]
) -> None:
    best, package = first["BestTrial"], first["ModelPackage"]
    assert (best["trials"], best["objective"]) == (3, "validation:multi_logloss")
    assert {name: package["metadata"][f"tuned_{name}"] for name in TUNING["ranges"]} == best["hyperparameters"]
    assert package["metadata"]["training_job"] == best["training_job"]
    assert float(package["metadata"]["tuning_objective_value"]) == best["value"]
    (archive,) = (workplace.data_dir / "s3").glob(f"*/tuned-wine/tuning/{best['training_job']}/output/model.tar.gz")
    model = model_text(archive)
    for name, value in best["hyperparameters"].items():
        assert float(model.partition(f"[{name}: ")[2].partition("]")[0]) == pytest.approx(float(value))


def model_text(archive: Path) -> str:
    with tarfile.open(archive) as members:
        file = members.extractfile("model.txt")
        assert file is not None
        return file.read().decode()


def test_the_report_has_all_trials(workplace: Workplace, first: dict[str, Any]) -> None:
    report = workplace.object(first["ReportUri"])
    assert f"3 trials of tuning job {first['BestTrial']['tuning_job']}" in report.read_text(encoding="utf-8")
    summary = json.loads((report.parent.parent / "evaluation" / "summary.json").read_text())
    best, *others = summary["tuning"]["trials"]
    assert best["training_job"] == first["BestTrial"]["training_job"]
    assert all(best["value"] <= other["value"] for other in others)


def test_a_second_execution_takes_the_tuning_job_from_the_cache_and_registers_nothing(
    workplace: Workplace, settings: str, first: dict[str, Any]
) -> None:
    second = workplace.run(settings=settings)
    cached = {step["StepName"]: step["Cached"] for step in second["Steps"]}
    assert cached["Tune"] and cached["Evaluate"]
    assert second["BestTrial"] == first["BestTrial"]
    assert (second["NewVersionRegistered"], second["ModelPackage"]) == (False, first["ModelPackage"])
