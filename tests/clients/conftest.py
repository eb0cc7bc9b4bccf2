"""Programs of clients that are not modified, run against one local server for each kind.

A story is a program `<kind>/<name>.py` that asserts what it expects and exits with 0. Nothing but the environment
variables of `python -m local_sagemaker env` ties it to the local server.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local_sagemaker.client_environment import client_environment
from local_sagemaker.http.background import RunningServer
from tests.local_sagemaker.conftest import bucket, client, data_dir, s3, server

__all__ = ["bucket", "client", "data_dir", "s3", "server"]

FOLDER = Path(__file__).parent
STORY_SECONDS = 300

RunStory = Callable[..., None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.clients)


def stories(kind: str) -> list[object]:
    """Return the programs of a kind, as parameters of a test."""
    return [pytest.param(story, id=story.stem) for story in sorted((FOLDER / kind).glob("*.py"))]


@pytest.fixture
def run_story(server: RunningServer, data_dir: Path, tmp_path: Path) -> RunStory:
    """Run a program with an interpreter in an empty folder, and fail with its output if it fails."""
    environment = {**os.environ, **client_environment(data_dir, server.port)}

    def run(python: Path, story: Path, *arguments: str) -> None:
        done = subprocess.run(
            [str(python), str(story), *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STORY_SECONDS,
        )
        assert done.returncode == 0, done.stdout

    return run
