"""Model archives as training jobs write them."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.bundles import VALUES
from tests.container_scripts import REPOSITORY, Project, make_project, run_preprocess, run_train

__all__ = ["make_project", "run_preprocess", "run_train"]


@pytest.fixture
def pack(tmp_path: Path) -> Callable[[Path], Path]:
    """Return a function that packs the folder of a model with the code that the training bundle adds to it."""

    def packed(model: Path) -> Path:
        archive = tmp_path / f"{model.parent.name}.tar.gz"
        with tarfile.open(archive, "w:gz") as members:
            members.add(model, ".")
            for name in VALUES:
                members.add(REPOSITORY / "analyzer" / name, f"code/analyzer/{name}")
        return archive

    return packed


@pytest.fixture
def make_archive(pack: Callable[[Path], Path], make_project: Callable[[str], Project]) -> Callable[[str], Path]:
    """Return a function that makes the archive of a project, by its name."""
    return lambda name: pack(make_project(name).model)
