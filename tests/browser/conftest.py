"""Fixtures: Studio in Chromium, on a local SageMaker of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from local_sagemaker.http.background import find_server, stop_server
from project.paths import REPOSITORY
from tests.stories.workplace import Workplace

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
# a page waits for parts that are read from the API
PATIENCE_MS = 60_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@dataclass
class CheckedPage:
    """A page of a browser whose problems are kept.

    Attributes:
        page: Playwright's page.
        problems: Errors of scripts, refusals by the page's policy, and requests to other sites.
    """

    page: Any
    problems: list[str] = field(default_factory=list)

    def keep_error(self, message: Any) -> None:
        # what a sandbox refuses to somebody's report is not a fault of the page
        if message.type == "error" and "/content?" not in message.location["url"]:
            self.problems.append(f"console: {message.text} ({message.location['url']})")

    def open(self, address: str) -> None:
        """Open an address, and wait until its parts have arrived; live pages keep a connection open."""
        self.page.goto(address)
        self.wait_until_loaded()

    def wait_until_loaded(self) -> None:
        self.page.wait_for_function(
            "() => ![...document.querySelectorAll('[hx-trigger~=load], [hx-trigger=revealed]')]"
            ".some((element) => element.matches('.loading, .later') && element.getClientRects().length"
            " && element.getBoundingClientRect().top < innerHeight)"
        )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    api = pytest.importorskip("playwright.sync_api", reason="run `make test-browser`, which installs Playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A new local SageMaker."""
    place = Workplace(REPOSITORY, tmp_path_factory.mktemp("browser") / "local_sagemaker")
    try:
        assert place.python("local_sagemaker", "start").code == 0, sys.executable
        yield place
    finally:
        stop_server(place.data_dir)


@pytest.fixture(scope="module")
def root(workplace: Workplace) -> str:
    """The root of the local server, which leads to Studio."""
    server = find_server(workplace.data_dir)
    assert server is not None
    return f"{server.url}/"


@pytest.fixture(scope="module")
def studio(chromium: Any, root: str) -> str:
    """The address of Studio, without a slash at its end."""
    page = chromium.new_page()
    page.goto(root, timeout=PATIENCE_MS)
    parts = urlsplit(page.url)
    page.close()
    return f"{parts.scheme}://{parts.netloc}"


@pytest.fixture
def checked(chromium: Any, studio: str) -> Iterator[CheckedPage]:
    context = chromium.new_context(
        viewport={"width": 1400, "height": 1000}, timezone_id="Europe/Berlin", locale="en-US"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    made = CheckedPage(page)
    page.on("pageerror", lambda error: made.problems.append(f"script: {error}"))
    page.on("console", made.keep_error)
    page.on(
        "request",
        lambda request: (
            request.url.startswith((studio, "data:", "about:", "blob:"))
            or made.problems.append(f"request to {request.url}")
        ),
    )
    yield made
    context.close()
    assert made.problems == []
