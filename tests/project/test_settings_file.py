"""Which settings file a command works with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from project.paths import DEFAULT_SETTINGS
from project.settings_file import open_settings, remember_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder without settings, whose local SageMaker has a data directory."""
    folder = tmp_path / "current"
    (folder / ".local_sagemaker").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("LOCAL_SAGEMAKER_DIR", raising=False)
    return folder


def test_the_given_file_comes_first(folder: Path, write_settings: Callable[..., Path]) -> None:
    (folder / "settings.yaml").write_text("unused")
    settings, file = open_settings(write_settings(name="given"))
    assert (settings.name, file) == ("given", write_settings(name="given"))


def test_the_settings_of_the_current_folder_come_before_those_of_the_last_command(
    folder: Path, write_settings: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    remember_settings(DEFAULT_SETTINGS, local=True)
    write_settings(name="here").rename(folder / "settings.yaml")
    settings, _ = open_settings(None, local=True)
    assert settings.name == "here"
    assert capsys.readouterr().err == "Project here (settings.yaml)\n"


def test_a_command_uses_the_settings_of_the_last_one_on_the_same_local_sagemaker(
    write_settings: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    remember_settings(write_settings(name="last"), local=True)
    settings, _ = open_settings(None, local=True)
    assert settings.name == "last"
    assert "as in the last command" in capsys.readouterr().err


def test_commands_on_an_account_ignore_what_was_used_locally(
    write_settings: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    remember_settings(write_settings(name="last"), local=True)
    settings, file = open_settings(None)
    assert (settings.name, file) == ("breast-cancer", DEFAULT_SETTINGS)
    assert "the example; give --settings for your own project" in capsys.readouterr().err


def test_a_remembered_file_that_is_gone_is_ignored(write_settings: Callable[..., Path]) -> None:
    file = write_settings(name="gone")
    remember_settings(file, local=True)
    file.unlink()
    assert open_settings(None, local=True)[1] == DEFAULT_SETTINGS


def test_without_a_data_directory_nothing_is_remembered(folder: Path) -> None:
    (folder / ".local_sagemaker").rmdir()
    remember_settings(DEFAULT_SETTINGS, local=True)
    assert not (folder / ".local_sagemaker").exists()
