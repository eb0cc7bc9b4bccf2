from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.bundles import REPOSITORY
from tests.stories.workplace import Workplace


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """The repo itself with a fresh data directory; what is started in it is stopped in the end."""
    yield from open_workplace(REPOSITORY, tmp_path_factory.mktemp("workplace"))


@pytest.fixture
def copied_workplace(tmp_path: Path) -> Iterator[Workplace]:
    """A copy of the repo that a test may change."""
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "tests", "benchmarks", "*.egg-info")
    shutil.copytree(REPOSITORY, checkout, ignore=ignored)
    yield from open_workplace(checkout, tmp_path)


def open_workplace(checkout: Path, folder: Path) -> Iterator[Workplace]:
    place = Workplace(checkout, folder / "local_sagemaker")
    try:
        yield place
    finally:
        place.python("local_sagemaker", "stop", timeout=60)
