"""Settings of all tests."""

import os
import tempfile

import pytest

# A server keeps a process with imported libraries for its jobs: seconds of processor time for each of the many servers
# that tests start, although few of their jobs import a library. Tests of warm starts set it to 1.
os.environ["LOCAL_SAGEMAKER_WARM"] = "0"
# definitions that earlier test runs have built must not hide a fault in building them
_cache = tempfile.TemporaryDirectory(prefix="test-cache-")
os.environ["XDG_CACHE_HOME"] = _cache.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the stories first: they are the longest modules, and no worker should start one at the end.

    `make test` has pytest-xdist keep this order.
    """
    items.sort(key=lambda item: "stories" not in item.path.parts)
