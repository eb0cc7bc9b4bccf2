"""Programs that use the SageMaker SDK, version 2, in an environment of their own."""

from pathlib import Path

import pytest

from tests.clients.conftest import RunStory, stories

PYTHON = Path(__file__).parents[2] / ".venv-sdk2" / "bin" / "python"


@pytest.mark.parametrize("story", stories("sdk2"))
def test_the_program_runs_to_its_end(story: Path, run_story: RunStory) -> None:
    assert PYTHON.exists(), "the environment with version 2 of the SDK is missing; run `make test-clients`"
    run_story(PYTHON, story)
