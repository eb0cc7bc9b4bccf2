"""The installed package: everything that a run needs is in the wheel, and nothing depends on the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from pipelines.bundles import all_bundles
from project.paths import DEFAULT_SETTINGS, REPOSITORY
from project.settings import load_settings

pytestmark = pytest.mark.slow

NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "tests", "benchmarks", "docs")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel installed, which finds the dependencies of this environment."""
    folder = tmp_path_factory.mktemp("installation")
    # setuptools leaves its build folders in the source tree
    shutil.copytree(REPOSITORY, folder / "source", ignore=NOT_SOURCE)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheels = folder / "wheels"
    execute(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(folder / "source"))
    execute(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    packages = Path(execute(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    # a folder in a .pth file is searched, but its own .pth files, and with them the editable checkout, are not read
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (wheel,) = wheels.glob("*.whl")
    execute(*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    return folder / "venv" / "bin"


def execute(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LOCAL_SAGEMAKER"))
    }
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_installed_code_bundles_have_the_digests_of_the_checkout(environment: Path, tmp_path: Path) -> None:
    program = """
from pipelines.bundles import all_bundles
from project.paths import DEFAULT_SETTINGS
from project.settings import load_settings
print([bundle.digest for bundle in all_bundles(load_settings(DEFAULT_SETTINGS))])
"""
    printed = execute(str(environment / "python"), "-c", program, cwd=tmp_path).stdout
    assert printed.strip() == str([bundle.digest for bundle in all_bundles(load_settings(DEFAULT_SETTINGS))])


def test_data_files_are_installed(environment: Path, tmp_path: Path) -> None:
    program = """
from deployment.cost import PRICES
from infrastructure.package import LOCK_FILE
from infrastructure.parameters import ALL_TEMPLATES, load_template
from project.paths import DEFAULT_SETTINGS
from project.settings import load_settings
assert "site-packages" in str(LOCK_FILE) and LOCK_FILE.is_file() and PRICES.is_file()
assert all(load_template(name).defaults for name in ALL_TEMPLATES)
assert load_settings(DEFAULT_SETTINGS).name == "breast-cancer"
"""
    execute(str(environment / "python"), "-c", program, cwd=tmp_path)


def test_the_default_example_runs_outside_the_checkout(environment: Path, tmp_path: Path) -> None:
    command = str(environment / "sagemaker-lightgbm")
    try:
        execute(str(environment / "run-pipeline"), "--local", cwd=tmp_path)
        (model,) = json.loads(execute(command, "pipelines", "models", "--local", "--json", cwd=tmp_path).stdout)
        assert model["approval_status"] == "PendingManualApproval"
    finally:
        execute(command, "local", "stop", cwd=tmp_path)
