from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from local_sagemaker.http.background import stop_server
from monitoring.__main__ import app
from project.settings import Settings
from tests.deployment.local_account import ClientEvents, minimal_settings
from tests.local_sagemaker.machine import ANALYZER
from tests.monitoring.monitored_account import MonitoredAccount, monitoring_definition

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredAccount]:
    data_dir = tmp_path_factory.mktemp("local-sagemaker")
    try:
        yield MonitoredAccount(data_dir)
    finally:
        stop_server(data_dir)


@pytest.fixture
def settings() -> Settings:
    return minimal_settings()


@pytest.fixture
def account(server: MonitoredAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[MonitoredAccount]:
    """An account with an endpoint `demo` that is not monitored yet."""
    server.use(monkeypatch)
    # the definition itself is tested in tests/pipelines, and takes seconds to build
    monkeypatch.setattr("pipelines.runner.build_definition", lambda *_: monitoring_definition())
    # the SDK takes seconds to import
    monkeypatch.setattr("monitoring.model_monitor_schedules._image_uri", lambda *_: ANALYZER)
    yield server
    server.remove_monitoring()


@pytest.fixture
def events(account: MonitoredAccount) -> Iterator[ClientEvents]:
    with ClientEvents(account.target) as events:
        yield events


@pytest.fixture
def run(account: MonitoredAccount, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the local SageMaker, for the project `demo`."""
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps(settings.model_dump(mode="json", exclude_defaults=True)))
    # the same clients for all commands, as making them takes longer than most commands
    monkeypatch.setattr("project.commands.local_target", lambda: account.target)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, code: int = 0, answer: str | None = None) -> Result:
        command = [*arguments, "--local", "--settings", str(path)]
        result = CliRunner().invoke(app, command, input=answer, env={"COLUMNS": "200"})
        assert result.exit_code == code, result.output + str(result.exception)
        return result

    return invoke
