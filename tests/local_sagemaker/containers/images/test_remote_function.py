import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.containers.container import IN_CONTAINER, Container
from local_sagemaker.containers.images.image import Image, Runtime
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.images.isolation import Environments
from local_sagemaker.containers.images.remote_function import DRIVER, OWN_VERSION, RemoteFunction, remote_function
from local_sagemaker.containers.output import LogStream

SDK = metadata.version("sagemaker")
HERE = RemoteFunction(OWN_VERSION, SDK)
PREPARED = Path("prepared/bin/python")


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path / "algo-1", "algo-1", LogStream(tmp_path / "log", lambda line, now: None), {})
    yield made
    made.close(keep=False)


class Prepared(Environments):
    """Environments that are not created; they record what was asked for."""

    def python(self, runtime: Runtime, requirements: Path | None) -> Path:
        self.requirements = requirements
        return PREPARED


def command(container: Container, function: RemoteFunction, **options: Any) -> list[str]:
    environments = Prepared(container.folder / "environments")
    runtime = Runtime(Image.BASE_PYTHON, remote_function=function)
    return Images(environments=environments, **options).python(runtime, container)


def write(container: Container, path: str, text: str) -> Path:
    file = container.path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_job_with_the_entry_point_of_the_sdk_runs_a_function() -> None:
    arguments = ["--s3_base_uri", "s3://b/f", "--client_python_version", "3.10"]
    arguments += ["--client_sagemaker_pysdk_version", "2.257.7"]
    settings = ["--dependency_settings", json.dumps({"dependency_file": "requirements.txt"})]
    found = remote_function(["/bin/bash", DRIVER], [*arguments, *settings])
    assert found == RemoteFunction("3.10", "2.257.7", "requirements.txt")
    assert remote_function(["/bin/bash", DRIVER], arguments) == RemoteFunction("3.10", "2.257.7", "")
    assert remote_function(["/bin/bash", "train.sh"], arguments) is None
    for wrong in ("--help", "[]", '{"dependency_file": 1}'):
        assert remote_function([DRIVER], [*arguments, "--dependency_settings", wrong]) == RemoteFunction(
            "3.10", "2.257.7"
        )


@pytest.mark.parametrize(("python", "sdk"), [("/usr/bin/python3", "3.1"), ("3.11", "git+https://x"), ("3.11", "")])
def test_only_versions_are_given_to_an_installer(python: str, sdk: str) -> None:
    arguments = ["--client_python_version", python, "--client_sagemaker_pysdk_version", sdk]
    assert remote_function([DRIVER], arguments) is None


@pytest.mark.parametrize(
    "repository",
    ["sagemaker-base-python-310", "sagemaker-base-python-38", "sagemaker-distribution-prod", "sagemaker-distribution"],
)
def test_images_of_functions_are_found_by_the_beginning_of_their_repository(repository: str) -> None:
    runtime = Images().find(f"236514542706.dkr.ecr.us-east-1.amazonaws.com/{repository}:1.0", "training-job")
    assert runtime.image in (Image.BASE_PYTHON, Image.DISTRIBUTION)


def test_the_servers_python_runs_the_functions_of_its_own_versions(container: Container) -> None:
    other_release = RemoteFunction(OWN_VERSION, f"{SDK.partition('.')[0]}.0.1")
    assert command(container, HERE) == command(container, other_release) == [sys.executable]


@pytest.mark.parametrize("function", [RemoteFunction("3.8", SDK), RemoteFunction(OWN_VERSION, "2.257.7")])
def test_other_versions_get_an_environment(container: Container, function: RemoteFunction) -> None:
    assert command(container, function) == [str(PREPARED)]


def test_requirements_that_are_not_installed_get_an_environment(container: Container) -> None:
    function = RemoteFunction(OWN_VERSION, SDK, "needs.txt")
    write(container, "input/data/pre_exec_script_and_dependencies/needs.txt", "numpy\n")
    assert command(container, function) == [sys.executable]
    write(container, "input/data/pre_exec_script_and_dependencies/needs.txt", "numpy==1.0.1\n")
    assert command(container, function) == [str(PREPARED)]
    assert command(container, HERE, isolated=True) == [str(PREPARED)]


def test_requirements_are_read_from_the_workspace_of_a_job(container: Container) -> None:
    archive = write(container, "input/data/sm_rf_user_ws/workspace.zip", "")
    with zipfile.ZipFile(archive, "w") as workspace:
        workspace.writestr("sagemaker_remote_function_workspace/needs.txt", "polars==0.1\n")
    found = RemoteFunction("3.8", "2.1.0", "needs.txt").requirements(container)
    assert found is not None and found.read_text() == "polars==0.1\n"
    for other in ("environment.yml", "others.txt"):
        assert RemoteFunction("3.8", "2.1.0", other).requirements(container) is None


def test_an_environment_has_the_clients_sdk_unless_its_requirements_name_one(tmp_path: Path) -> None:
    function = RemoteFunction("3.10", "2.257.7")
    needs = tmp_path / "needs.txt"
    assert function.packages(None).endswith("sagemaker==2.257.7\n")
    needs.write_text("sagemaker-experiments\n")
    assert function.packages(needs).endswith("sagemaker==2.257.7\n")
    needs.write_text("sagemaker==2.193.0\n")
    assert function.packages(needs).endswith("sagemaker>=2,<3\n")


FILE_CALLS = """
import os, pathlib, shutil
os.makedirs("/opt/ml/model/a")
with open("/opt/ml/model/a/b", "w") as file:
    file.write("text")
pathlib.Path("/opt/ml/model/a/c").write_text(pathlib.Path("/opt/ml/model/a/b").read_text())
os.rename("/opt/ml/model/a/c", "/opt/ml/model/d")
assert sorted(os.listdir("/opt/ml/model")) == ["a", "d"] and os.path.isfile("/opt/ml/model/d")
shutil.copytree("/opt/ml/model/a", "/opt/ml/copy")
shutil.rmtree("/opt/ml/model/a")
"""


def test_paths_of_the_container_in_a_pickled_function_are_those_of_its_job(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    variables = {"LOCAL_SAGEMAKER_REDIRECT": "1", "SAGEMAKER_BASE_DIR": str(tmp_path), "PYTHONPATH": str(IN_CONTAINER)}
    subprocess.run([sys.executable, "-c", FILE_CALLS], env={**os.environ, **variables}, check=True)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"model/d", "copy/b"}
