"""Python environments for jobs that run isolated: one for each image and requirements.txt, kept in the data directory.

An environment holds the libraries of its image, in the image's versions where they run on this Python, and what the
requirements ask for. It is made when a job first needs it, and the only thing for which the network is used.
"""

from __future__ import annotations

import ensurepip
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_sagemaker.containers.images.image import Image
from local_sagemaker.containers.output import last_words
from local_sagemaker.storage.transfers import ClientFault

INSTALL_SECONDS = 1800

# numpy 2.5 and scipy 1.18 are not to be had for Python 3.11
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
PACKAGES = {
    Image.SCIKIT_LEARN: _COMMON,
    Image.XGBOOST: _COMMON + 'xgboost-cpu>=3,<4; sys_platform == "linux"\nxgboost>=3,<4; sys_platform != "linux"\n',
}


class Environments:
    """The environments below a folder. packages: requirements that those of an image begin with."""

    def __init__(self, folder: Path, packages: Mapping[Image, str] = PACKAGES) -> None:
        self._folder = folder
        self.packages = packages

    def python(self, image: Image, requirements: Path | None) -> Path:
        """The interpreter of the environment for an image's jobs with this requirements.txt, if any.

        Waits while another job makes it. Raises ClientFault where something cannot be installed.
        """
        packages = self.packages[image]
        folder = self._folder / _digest(packages, requirements)
        python = folder / "bin" / "python"
        # An environment knows where it lies and cannot be made aside and renamed: it is there once it says so.
        complete = folder / "complete"
        self._folder.mkdir(parents=True, exist_ok=True)
        with _locked(self._folder / f"{folder.name}.lock"):
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)
                _make(folder)
                base = folder / "image-requirements.txt"
                base.write_text(packages, encoding="utf-8")
                files = [file for file in (base, requirements) if file is not None and file.stat().st_size]
                if files:
                    # where the requirements lie, for those that name files beside them
                    beside = requirements.parent if requirements else folder
                    _run([*_installer(python), *(word for file in files for word in ("-r", str(file)))], beside)
                complete.touch()
        return python


def _digest(packages: str, requirements: Path | None) -> str:
    """Of all that decides what is in an environment: the Python, the requirements, and the files that they name."""
    digest = hashlib.sha256(f"{sys.version}\0{sys.executable}\0{packages}\0".encode())
    if requirements is not None:
        text = requirements.read_bytes()
        digest.update(text)
        for word in text.decode("utf-8", errors="replace").split():
            beside = requirements.parent / word
            if beside.is_file():
                digest.update(b"\0" + beside.read_bytes())
    return digest.hexdigest()[:16]


def _make(folder: Path) -> None:
    """Make an environment with nothing in it but pip, which jobs call themselves."""
    wheel = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"), None)
    if (uv := _uv()) and wheel is not None:
        _run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], folder.parent)
        _run([*_installer(folder / "bin" / "python"), "--no-index", str(wheel)], folder)
    else:
        _run([sys.executable, "-m", "venv", str(folder)], folder.parent)


def _installer(python: Path) -> list[str]:
    """The command that installs requirements for an interpreter: uv's where there is one, which is faster, or pip's."""
    if uv := _uv():
        return [*uv, "pip", "install", "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _uv() -> list[str]:
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    return [uv] if (uv := shutil.which("uv")) else []


def _run(command: list[str], folder: Path) -> None:
    # the user's own settings of pip and uv, such as an index; nothing that leads this process to its own packages
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ClientFault(f"the job's environment was not made within {INSTALL_SECONDS} s") from None
    if done.returncode != 0:
        words = last_words((done.stderr or done.stdout).splitlines())
        raise ClientFault(f"the job's environment cannot be made: {words}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # held no longer than INSTALL_SECONDS for each step of the making
        yield
