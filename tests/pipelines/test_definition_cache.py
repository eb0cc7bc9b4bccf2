"""Definitions are built once for the same code, settings and target."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.definition_cache import cached_definition
from project.settings import Settings
from project.target import Target

TARGET = Target("arn:aws:iam::123456789012:role/Role", "bucket", "us-east-1")
ANOTHER_BUCKET = Target(TARGET.role_arn, "another-bucket", TARGET.region)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sagemaker-lightgbm" / "definitions"


class Builder:
    """Builds definitions that say how many have been built."""

    built = 0

    def __call__(self) -> str:
        self.built += 1
        return json.dumps({"Built": self.built})


def test_an_unchanged_definition_is_built_once(make_settings: Callable[..., Settings]) -> None:
    build = Builder()
    definitions = {cached_definition(make_settings(), TARGET, "training", [], build) for _ in range(3)}
    assert definitions == {'{"Built": 1}'}


def test_a_change_of_what_a_definition_depends_on_builds_it_again(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Builder()
    cached_definition(make_settings(), TARGET, "training", [], build)
    cached_definition(make_settings(), TARGET, "monitoring", [], build)
    cached_definition(make_settings(), ANOTHER_BUCKET, "training", [], build)
    cached_definition(make_settings(quality={"metric": "auc", "threshold": 0.8}), TARGET, "training", [], build)
    data = tmp_path / "data.csv"
    for content in ("a,y\n1,2\n", "a,y\n1,3\n"):
        data.write_text(content)
        cached_definition(make_settings(data={"input": str(data), "target_column": "y"}), TARGET, "training", [], build)
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "another commit")
    cached_definition(make_settings(), TARGET, "training", [], build)
    assert build.built == 7


def test_a_damaged_file_is_replaced(make_settings: Callable[..., Settings], cache_folder: Path) -> None:
    build = Builder()
    cached_definition(make_settings(), TARGET, "training", [], build)
    (file,) = cache_folder.iterdir()
    file.write_text('{"Built"')
    assert cached_definition(make_settings(), TARGET, "training", [], build) == '{"Built": 2}'
    assert file.read_text() == '{"Built": 2}'


def test_a_cache_that_cannot_be_written_is_no_error(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    assert cached_definition(make_settings(), TARGET, "training", [], Builder()) == '{"Built": 1}'


def test_the_definitions_that_were_not_used_for_longest_are_deleted(
    make_settings: Callable[..., Settings], cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.definition_cache._MAX_FILES", 2)
    for threshold in (0.7, 0.8, 0.9):
        settings = make_settings(quality={"metric": "auc", "threshold": threshold})
        cached_definition(settings, TARGET, "training", [], Builder())
    assert len(list(cache_folder.iterdir())) == 2


@pytest.mark.slow
def test_the_second_definition_imports_no_sdk(write_settings: Callable[..., Path]) -> None:
    script = f"""
import sys
from pathlib import Path
from pipelines import runner
from project.settings import load_settings
from project.target import Target

target = Target({TARGET.role_arn!r}, "bucket", "us-east-1")
runner.get_definition(load_settings(Path({str(write_settings())!r})), target)
print("sagemaker" in sys.modules)
"""
    outputs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert outputs == ["True\n", "False\n"]
