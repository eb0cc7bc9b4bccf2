from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitoring.__main__ import app
from project.settings import Settings
from tests.deployment.conftest import minimal_settings
from tests.monitoring.aws import WatchedAccount

Run = Callable[..., Result]


@pytest.fixture
def settings() -> Settings:
    return minimal_settings()


@pytest.fixture
def account(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> WatchedAccount:
    """One with an endpoint `demo`, nothing of which is watched yet."""
    made = WatchedAccount()
    made.deploy(settings)
    made.requests.clear()
    # the definition itself is tested in tests/pipelines, and takes seconds to build
    monkeypatch.setattr("pipelines.runner.build_definition", lambda *_: "{}")
    monkeypatch.setattr("sagemaker.core.image_uris.retrieve", lambda *_: "111.dkr.ecr/model-monitor")
    return made


@pytest.fixture
def run(account: WatchedAccount, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command against the account, for the project `demo`."""
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps(settings.model_dump(mode="json", exclude_defaults=True)))
    monkeypatch.setattr("project.commands.aws_target", lambda *_: account.target)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, code: int = 0, answer: str | None = None) -> Result:
        command = [*arguments, "--settings", str(path)]
        result = CliRunner().invoke(app, command, input=answer, env={"COLUMNS": "200"})
        assert result.exit_code == code, result.output + str(result.exception)
        return result

    return invoke
