"""Fixtures: Studio on a local SageMaker with a trained project, shared by all tests of this folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from local_sagemaker.http.background import stop_server
from project.paths import REPOSITORY
from project.target import Target, local_target
from studio.app import create_app
from tests.stories.workplace import Workplace

# the name of a browser's address, as requests without Host are refused
ADDRESS = "http://127.0.0.1:8765"


@dataclass
class Browser:
    """A browser without JavaScript.

    Attributes:
        client: The client, which keeps cookies.
    """

    client: FlaskClient

    def get(self, address: str, status: int = 200) -> str:
        """Return a page, whose status is checked."""
        response = self.client.get(address, base_url=ADDRESS)
        text = response.text
        # a live page has its place until then
        response.close()
        assert response.status_code == status, text
        return text

    def post(self, address: str, page: str | None = None, **fields: str) -> TestResponse:
        """Send the form of an action, with the token of a page: by default, of the start form of the project."""
        page = page or self.get("/pipelines/breast-cancer/start")
        token = re.search(r'name="action_token" value="([^"]+)"', page)
        assert token, "the page has no form of an action"
        return self.client.post(address, base_url=ADDRESS, data={"action_token": token[1], **fields})


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A local SageMaker where the pipeline of the example breast-cancer has run."""
    place = Workplace(REPOSITORY, tmp_path_factory.mktemp("studio") / "local_sagemaker")
    try:
        place.run()
        yield place
    finally:
        stop_server(place.data_dir)


@contextmanager
def connected(workplace: Workplace) -> Iterator[Target]:
    """Yield the target, and have clients that are made meanwhile use it."""
    with workplace.here():
        yield local_target()


@pytest.fixture
def target(workplace: Workplace) -> Iterator[Target]:
    with connected(workplace) as target:
        yield target


@pytest.fixture(scope="session")
def app(workplace: Workplace) -> Flask:
    with connected(workplace) as target:
        return create_app(target)


@pytest.fixture
def browser(app: Flask, target: Target) -> Browser:
    return Browser(app.test_client())
