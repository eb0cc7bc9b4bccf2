"""Jobs that run a Python function of a client: `@remote`, `RemoteExecutor` and `@step` of the SageMaker SDK 2 and 3.

Such a job is a training job whose entry point is the SDK's `job_driver.sh`. It prepares the container and runs the
SDK's own module `invoke_function`, which loads the function, pickled by the client, from S3. Pickles of functions can
only be loaded by the client's version of Python, and the module is named differently in the SDK 2 and 3. SageMaker
leaves it to the client to choose a matching image. On this machine the job's arguments say what is needed, and the
image does not matter:

- The server's interpreter runs the function if it has the client's version of Python and the client's major version of
  the SDK, and if the requirements.txt in `dependencies` is satisfied.
- Otherwise, the function runs in an environment with that Python, that SDK, the usual libraries and the function's
  requirements. It is created when it is first needed, and kept (see `isolation`).
- Dependencies as a conda environment (a YAML file, `auto_capture`) require conda, as in an image.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from local_sagemaker.containers.container import Container
from local_sagemaker.containers.warm_python.requirements import already_satisfied

# of this process's Python
OWN_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

DRIVER = "/opt/ml/input/data/sagemaker_remote_function_bootstrap/job_driver.sh"
# where the client's requirements.txt is: in the channel of a step, or in the archive of an `@remote` job's workspace
STEP_DEPENDENCIES = "/opt/ml/input/data/pre_exec_script_and_dependencies"
WORKSPACE = "/opt/ml/input/data/sm_rf_user_ws"
WORKSPACE_FOLDER = "sagemaker_remote_function_workspace"

# A container's user is root. For another user the SDK's entry point runs `sudo chmod -R 777` on folders that include
# /tmp. The function may contain paths below /opt/ml, and so does the SDK's module.
ENVIRONMENT = {"LOGNAME": "root", "LOCAL_SAGEMAKER_REDIRECT": "1"}

# versions are given to installers
_PYTHON_VERSION = re.compile(r"\d+\.\d+", re.ASCII)
_SDK_VERSION = re.compile(r"\d+(\.\w+)+", re.ASCII)

_PACKAGES = "boto3\nnumpy\npandas\npyarrow\nscikit-learn\nscipy\n"


@dataclass(frozen=True)
class RemoteFunction:
    """What a job's arguments say about its function.

    Attributes:
        python: The client's version of Python, such as 3.11.
        sdk: The client's version of the SageMaker SDK.
        dependencies: Name of the client's file of dependencies; empty if there is none.
    """

    python: str
    sdk: str
    dependencies: str = ""

    def runs_here(self, requirements: Path | None) -> bool:
        """Return whether this process's interpreter can run the function; see the module docstring."""
        if self.python != OWN_VERSION:
            return False
        try:
            installed = metadata.version("sagemaker")
        except metadata.PackageNotFoundError:
            return False
        if installed.partition(".")[0] != self.sdk.partition(".")[0]:
            return False
        return requirements is None or already_satisfied(["install", "-r", str(requirements)], {}) is not None

    def packages(self, requirements: Path | None) -> str:
        """Return the packages of the function's environment in addition to its requirements."""
        major = int(self.sdk.partition(".")[0])
        own = requirements.read_text(encoding="utf-8", errors="replace") if requirements else ""
        names_sdk = re.search(r"^sagemaker\b(?!-)", own, re.MULTILINE)
        return _PACKAGES + (f"sagemaker>={major},<{major + 1}\n" if names_sdk else f"sagemaker=={self.sdk}\n")

    def requirements(self, container: Container) -> Path | None:
        """Return the requirements.txt among a container's inputs; None if there is none."""
        if not self.dependencies.endswith(".txt"):
            return None
        file = container.path(f"{STEP_DEPENDENCIES}/{self.dependencies}")
        archive = container.path(f"{WORKSPACE}/workspace.zip")
        if not file.is_file() and archive.is_file():
            member = f"{WORKSPACE_FOLDER}/{self.dependencies}"
            with zipfile.ZipFile(archive) as workspace:
                if member in workspace.namelist():
                    file = container.path(f"/opt/ml/input/{self.dependencies}")
                    file.write_bytes(workspace.read(member))
        return file if file.is_file() else None


def remote_function(entry_point: Sequence[str], arguments: Sequence[str]) -> RemoteFunction | None:
    """Return the function that a training job runs, None if it runs something else.

    Args:
        entry_point: The job's ContainerEntrypoint.
        arguments: The job's ContainerArguments.
    """
    if DRIVER not in entry_point:
        return None
    named = dict(itertools.pairwise(arguments))
    python, sdk = named.get("--client_python_version", ""), named.get("--client_sagemaker_pysdk_version", "")
    if not _PYTHON_VERSION.fullmatch(python) or not _SDK_VERSION.fullmatch(sdk):
        return None
    return RemoteFunction(python, sdk, _dependency_file(named.get("--dependency_settings", "{}")))


def _dependency_file(settings: str) -> str:
    try:
        name = json.loads(settings).get("dependency_file")
    # the job's own program reports what is wrong with its arguments
    except (ValueError, AttributeError):
        return ""
    return name if isinstance(name, str) else ""
