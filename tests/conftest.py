"""What holds for all tests."""

import os

import pytest

# A server keeps an interpreter ready that has imported all that jobs may want: seconds of work, for each of the many
# servers that are started here, and few of their jobs import anything. Tests in which they do say otherwise.
os.environ["LOCAL_SAGEMAKER_WARM"] = "0"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The stories, the longest modules, first: with two workers none is left with one of them in the end.

    `make test` has pytest-xdist keep the order.
    """
    items.sort(key=lambda item: "stories" not in item.path.parts)
