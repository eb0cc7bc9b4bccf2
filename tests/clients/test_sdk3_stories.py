"""Programs that use the SageMaker SDK, version 3."""

import sys
from pathlib import Path

import pytest

from tests.clients.conftest import RunStory, stories


@pytest.mark.parametrize("story", stories("sdk3"))
def test_the_program_runs_to_its_end(story: Path, run_story: RunStory) -> None:
    run_story(Path(sys.executable), story)
