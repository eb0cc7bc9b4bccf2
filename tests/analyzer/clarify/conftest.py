"""Jobs on small datasets, and model archives as training jobs write them."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analyzer.clarify.job import ClarifyJob, ClarifyResult, run
from pipelines.bundles import VALUES
from tests.container_scripts import REPOSITORY, Project, make_project, run_preprocess, run_train

__all__ = ["make_project", "run_preprocess", "run_train"]

# Ten loans: four women, of whom one pays back and two are predicted to.
LOANS = """sex,age,housing,credit,predicted
female,22,rent,no,no
female,35,own,yes,yes
female,41,rent,no,yes
female,58,own,no,no
male,24,rent,yes,yes
male,33,own,yes,yes
male,45,own,yes,no
male,52,rent,no,no
male,61,own,yes,yes
male,29,rent,yes,yes
"""
CONFIG = {
    "dataset_type": "text/csv",
    "label": "credit",
    "predicted_label": "predicted",
    "label_values_or_threshold": ["yes"],
    "facet": [{"name_or_index": "sex", "value_or_threshold": ["female"]}],
    "methods": {"pre_training_bias": {"methods": "all"}, "post_training_bias": {"methods": ["DPPL", "DI", "AD"]}},
}

RunJob = Callable[..., ClarifyResult]


@pytest.fixture
def run_job(tmp_path: Path) -> RunJob:
    """Return a function that writes a configuration and a dataset, and runs the job; its output is in `output`."""

    def run_files(
        config: dict[str, Any], data: str | Path | dict[str, str] = LOANS, name: str = "data.csv", **settings: Any
    ) -> ClarifyResult:
        (tmp_path / "config.json").write_text(json.dumps(config))
        if isinstance(data, Path):
            dataset = data
        else:
            files = {name: data} if isinstance(data, str) else data
            dataset = tmp_path / "data"
            dataset.mkdir(exist_ok=True)
            for path, content in files.items():
                (dataset / path).write_text(content)
        return run(ClarifyJob(tmp_path / "config.json", dataset, tmp_path / "output", **settings))

    return run_files


@pytest.fixture
def make_archive(tmp_path: Path, make_project: Callable[[str], Project]) -> Callable[[str], Path]:
    """Return a function that packs the model of a project with the code that the training bundle adds to it."""

    def pack(name: str) -> Path:
        archive = tmp_path / f"{name}.tar.gz"
        with tarfile.open(archive, "w:gz") as members:
            members.add(make_project(name).model, ".")
            for module in VALUES:
                members.add(REPOSITORY / "analyzer" / module, f"code/analyzer/{module}")
        return archive

    return pack


def metric(result: ClarifyResult, name: str, facet: str = "sex", place: int = 0) -> dict[str, Any]:
    """Return a metric of a facet's group."""
    for stage in ("pre_training_bias_metrics", "post_training_bias_metrics"):
        groups = result.analysis.get(stage, {}).get("facets", {}).get(facet, [])
        for entry in groups[place]["metrics"] if groups else ():
            if entry["name"] == name:
                return entry
    raise AssertionError(f"there is no {name} of {facet}")
