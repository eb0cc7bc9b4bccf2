"""Programs that use boto3 alone."""

import sys
from pathlib import Path

import pytest

from tests.clients.conftest import RunStory, stories


@pytest.mark.parametrize("story", stories("boto3"))
def test_the_program_runs_to_its_end(story: Path, run_story: RunStory) -> None:
    run_story(Path(sys.executable), story)
