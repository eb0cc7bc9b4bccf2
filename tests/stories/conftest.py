from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_sagemaker.http.background import stop_server
from project.paths import REPOSITORY
from tests.stories.workplace import Workplace


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """The repo itself with a fresh data directory; what is started in it is stopped in the end."""
    yield from open_workplace(REPOSITORY, tmp_path_factory.mktemp("workplace"))


def open_workplace(checkout: Path, folder: Path) -> Iterator[Workplace]:
    place = Workplace(checkout, folder / "local_sagemaker")
    try:
        yield place
    finally:
        if place.data_dir.exists():
            stop_server(place.data_dir)
