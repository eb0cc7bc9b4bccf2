"""Every example runs and passes the threshold of its own settings."""

from __future__ import annotations

import pytest

from examples import EXAMPLES
from tests.stories.workplace import Workplace


# the other one is the story of test_training_pipeline.py
@pytest.mark.parametrize("name", sorted({*EXAMPLES} - {"breast-cancer"}))
def test_an_example_passes_its_threshold(workplace: Workplace, name: str) -> None:
    result = workplace.run(settings=f"examples/{name}/settings.yaml")
    assert result["PipelineExecutionStatus"] == "Succeeded"
    assert result["ModelPackage"]["version"] == 1
