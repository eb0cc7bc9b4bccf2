from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from project.settings import Settings
from tests.deployment.local_account import ClientEvents, LocalAccount, local_account, minimal_settings

MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAccount]:
    """An account with versions 1 and 2 of `demo`, which are approved, and 3, which is not."""
    with local_account(tmp_path_factory.mktemp("local-sagemaker")) as account:
        for status in ("Approved", "Approved", "PendingManualApproval"):
            account.register("demo", status)
        yield account


@pytest.fixture
def account(server: LocalAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAccount]:
    """The account, without endpoints."""
    server.use(monkeypatch)
    yield server
    server.remove_deployments()


@pytest.fixture
def events(account: LocalAccount) -> Iterator[ClientEvents]:
    with ClientEvents(account.target) as events:
        yield events


@pytest.fixture
def make_settings() -> MakeSettings:
    return minimal_settings


@pytest.fixture
def settings() -> Settings:
    return minimal_settings()
