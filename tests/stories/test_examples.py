"""Every example runs and reaches the threshold of its settings."""

from __future__ import annotations

import pytest

from examples import EXAMPLES
from tests.stories.workplace import Workplace

pytestmark = pytest.mark.slow


# test_training_pipeline.py covers breast-cancer
@pytest.mark.parametrize("name", sorted({*EXAMPLES} - {"breast-cancer"}))
def test_an_example_reaches_its_threshold(workplace: Workplace, name: str) -> None:
    result = workplace.run(settings=f"examples/{name}/settings.yaml")
    assert result["PipelineExecutionStatus"] == "Succeeded"
    assert result["ModelPackage"]["version"] == 1
