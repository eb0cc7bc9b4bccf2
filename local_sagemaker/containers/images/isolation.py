"""Python environments for isolated jobs: one for each image and requirements.txt, kept in the data directory.

An environment has the image's libraries, in the image's versions if they support this Python, and the job's
requirements. It is created when a job first needs it, which is the only time that the network is used. Functions of
clients run in such environments, too, if this Python is not theirs (see `remote_function`).
"""

from __future__ import annotations

import ensurepip
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from local_sagemaker.containers.failure_message import failure_message
from local_sagemaker.containers.images.image import Image, Runtime
from local_sagemaker.containers.images.remote_function import OWN_VERSION
from local_sagemaker.containers.images.xgboost_versions import version_of
from local_sagemaker.storage.locks import file_lock
from local_sagemaker.storage.transfers import ClientFault

INSTALL_TIMEOUT = 1800

# numpy 2.5 and scipy 1.18 do not support Python 3.11
_COMMON = """\
boto3
numpy==2.5.1; python_version >= "3.12"
numpy; python_version < "3.12"
pandas==2.2.3
pyarrow==25.0.0
requests
scipy==1.18.0; python_version >= "3.12"
scipy; python_version < "3.12"
scikit-learn==1.9.0
"""
# the versions of the Spark image, which has no pyarrow
_SPARK = """\
boto3
numpy==1.26.4; python_version < "3.13"
numpy; python_version >= "3.13"
pandas>=2
pyspark>=3.5,<3.6
"""
PACKAGES = {
    Image.SCIKIT_LEARN: _COMMON,
    Image.XGBOOST: _COMMON + 'xgboost-cpu>=3,<4; sys_platform == "linux"\nxgboost>=3,<4; sys_platform != "linux"\n',
    Image.SPARK: _SPARK,
    Image.BASE_PYTHON: "boto3\n",
    Image.DISTRIBUTION: _COMMON,
}
# An old XGBoost works with numpy before 2. Its wheels have no dependencies on a GPU's libraries.
_OLD_XGBOOST = """\
boto3
numpy<2
pandas<3
pyarrow
requests
scipy
scikit-learn
xgboost=={version}
"""


class Environments:
    """The environments in a folder.

    Args:
        folder: The folder.
        packages: The base requirements of each image.
    """

    def __init__(self, folder: Path, packages: Mapping[Image, str] = PACKAGES) -> None:
        self._folder = folder
        self.packages = packages

    def python(self, runtime: Runtime, requirements: Path | None) -> Path:
        """Return the interpreter of the environment for an image and a requirements.txt, if the job has one.

        Waits while another job creates the environment.

        Raises:
            ClientFault: A requirement cannot be installed.
        """
        function = runtime.remote_function
        packages = function.packages(requirements) if function else self._packages(runtime)
        version = function.python if function else OWN_VERSION
        folder = self._folder / _digest(version, packages, requirements)
        python = folder / "bin" / "python"
        # an environment has its own path in its scripts and cannot be renamed, so this file marks a complete one
        complete = folder / "complete"
        self._folder.mkdir(parents=True, exist_ok=True)
        with file_lock(self._folder / f"{folder.name}.lock"):
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)
                _create(folder, version)
                base = folder / "image-requirements.txt"
                base.write_text(packages, encoding="utf-8")
                files = [file for file in (base, requirements) if file is not None and file.stat().st_size]
                if files:
                    # requirements may refer to files by paths relative to requirements.txt
                    working_dir = requirements.parent if requirements else folder
                    _run([*_installer(python), *(word for file in files for word in ("-r", str(file)))], working_dir)
                complete.touch()
        return python

    def _packages(self, runtime: Runtime) -> str:
        if runtime.image is Image.XGBOOST and (version := version_of(runtime.tag)):
            return _OLD_XGBOOST.format(version=version)
        assert runtime.image is not None, "images with an entry point of their own have no packages"
        return self.packages[runtime.image]


def _digest(version: str, packages: str, requirements: Path | None) -> str:
    """Return a digest of everything that an environment depends on: Python, requirements, and files in them."""
    python = f"{sys.version}\0{sys.executable}" if version == OWN_VERSION else version
    digest = hashlib.sha256(f"{python}\0{packages}\0".encode())
    if requirements is not None:
        text = requirements.read_bytes()
        digest.update(text)
        for word in text.decode("utf-8", errors="replace").split():
            file = requirements.parent / word
            if file.is_file():
                digest.update(b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _create(folder: Path, version: str) -> None:
    """Create an environment of a version of Python that contains only pip, which jobs call themselves."""
    wheel = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"), None)
    if (uv := _uv()) and wheel is not None:
        python = sys.executable if version == OWN_VERSION else version
        _run([*uv, "venv", "--quiet", "--python", python, str(folder)], folder.parent)
        _run([*_installer(folder / "bin" / "python"), "--no-index", str(wheel)], folder)
    elif version != OWN_VERSION:
        raise ClientFault(f"the function requires Python {version}, for which uv is needed; install the package uv")
    else:
        _run([sys.executable, "-m", "venv", str(folder)], folder.parent)


def _installer(python: Path) -> list[str]:
    """Return the command that installs requirements for an interpreter: uv's if it is installed, else pip's."""
    if uv := _uv():
        return [*uv, "pip", "install", "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _uv() -> list[str]:
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    return [uv] if (uv := shutil.which("uv")) else []


def _run(command: list[str], folder: Path) -> None:
    # the user's settings of pip and uv, such as an index, apply; this process's import path does not
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise ClientFault(f"the job's Python environment was not created within {INSTALL_TIMEOUT} s") from None
    if done.returncode != 0:
        message = failure_message((done.stderr or done.stdout).splitlines())
        raise ClientFault(f"cannot create the job's Python environment: {message}")
