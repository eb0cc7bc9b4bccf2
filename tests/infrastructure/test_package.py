"""Deployment packages of the functions: reproducible, and complete."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.package import content_key, functions_archive, zip_archive
from project.paths import REPOSITORY

SETTINGS = REPOSITORY / "examples" / "breast-cancer" / "settings.yaml"


def test_the_same_code_gives_the_same_key(tmp_path: Path) -> None:
    once, again = functions_archive(SETTINGS), functions_archive(SETTINGS)
    assert content_key("demo", "functions", once) == content_key("demo", "functions", again)
    changed = tmp_path / "settings.yaml"
    changed.write_text(SETTINGS.read_text() + "\n")
    assert functions_archive(changed) != once


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?\.py", fullmatch=True), st.binary(max_size=50)))
def test_an_archive_contains_the_files_and_does_not_depend_on_their_order(files: dict[str, bytes]) -> None:
    archive = zip_archive(files)
    assert archive == zip_archive(dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        assert {name: members.read(name) for name in members.namelist()} == files


@pytest.mark.parametrize("handler", ["deploy_approved", "promote", "retrain"])
def test_a_handler_can_be_imported_from_the_archive_with_the_libraries_of_lambda_and_the_layer(
    tmp_path: Path, handler: str
) -> None:
    with zipfile.ZipFile(io.BytesIO(functions_archive(SETTINGS))) as members:
        members.extractall(tmp_path)
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import infrastructure.functions.{handler} as handler
ours = ("analyzer", "deployment", "infrastructure", "local_sagemaker", "pipelines", "project")
elsewhere = [
    module.__file__
    for name, module in sys.modules.items()
    if name.partition(".")[0] in ours and not module.__file__.startswith({str(tmp_path)!r})
]
assert not elsewhere, elsewhere
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {{
    "lightgbm", "matplotlib", "monitoring", "moto", "numpy", "pandas", "pyarrow", "pydantic", "rich", "sagemaker",
    "typer", "yaml"}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=tmp_path, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    # retrain needs no layer
    assert done.stdout.strip() == ("[]" if handler == "retrain" else "['pydantic', 'yaml']")
