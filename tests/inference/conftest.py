"""Fixtures shared by the tests of all container scripts, and of the serving toolkit that the handler changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.container_scripts import make_project, run_preprocess, run_train

__all__ = ["make_project", "run_preprocess", "run_train"]


@pytest.fixture(autouse=True, scope="module")
def toolkit_as_installed() -> Iterator[None]:
    """Undo what the handler changes in SageMaker's serving toolkit, which other tests use in the same process."""
    try:
        from sagemaker_inference import content_types
    except ImportError:
        yield
        return
    decoded = list(content_types.UTF8_TYPES)
    yield
    content_types.UTF8_TYPES[:] = decoded
