"""Settings of all tests."""

import os
import tempfile
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# A server keeps a process with imported libraries for its jobs: seconds of processor time for each of the many servers
# that tests start, although few of their jobs import a library. Tests of warm starts set it to 1.
os.environ["LOCAL_SAGEMAKER_WARM"] = "0"
# definitions that earlier test runs have built must not hide a fault in building them
_cache = tempfile.TemporaryDirectory(prefix="test-cache-")
os.environ["XDG_CACHE_HOME"] = _cache.name


class _Scheduling(LoadScopeScheduling):
    """Gives the modules of tests/studio, which share a server with a trained model, to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/studio" if nodeid.startswith("tests/studio/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return _Scheduling(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the stories first: they are the longest modules, and no worker should start one at the end.

    `make test` has pytest-xdist keep this order.
    """
    items.sort(key=lambda item: "stories" not in item.path.parts)
