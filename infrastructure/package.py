"""The deployment packages of the functions: a zip archive of the code, and a layer with the libraries.

Both have keys that contain the hash of the content, so that unchanged code causes no deployment.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from infrastructure.functions.environment import SETTINGS_FILE
from project.errors import UserError
from project.paths import REPOSITORY

# as in the templates
_PYTHON, _PLATFORM = "3.13", "x86_64-manylinux_2_28"
# Lambda's runtime includes boto3
_LIBRARIES = ("pydantic", "pyyaml")
_INSTALL_SECONDS = 300
# setup.py puts a copy into the installed package
_INSTALLED_LOCK = Path(__file__).with_name("requirements.lock")
LOCK_FILE = _INSTALLED_LOCK if _INSTALLED_LOCK.is_file() else REPOSITORY / "requirements.lock"


def functions_archive(settings_file: Path) -> bytes:
    """Return the archive of the handlers, the packages that they import, and the project's settings."""
    sources = [
        REPOSITORY / "infrastructure" / "__init__.py",
        *(REPOSITORY / "infrastructure" / "functions").glob("*.py"),
        *(REPOSITORY / "deployment").glob("*.py"),
        *(REPOSITORY / "pipelines").glob("*.py"),
        *(REPOSITORY / "project").rglob("*.py"),
        *(REPOSITORY / "project").rglob("*.json"),
        # what a value is: deployment tests an endpoint with the training data's records
        REPOSITORY / "analyzer" / "__init__.py",
        REPOSITORY / "analyzer" / "values.py",
    ]
    files = {path.relative_to(REPOSITORY).as_posix(): _text(path) for path in sources if path.stem != "__main__"}
    return zip_archive(files | {SETTINGS_FILE: _text(settings_file)})


def libraries_archive() -> bytes:
    """Return the archive of the layer: wheels for Lambda's Python, with the versions and hashes of requirements.lock.

    Raises:
        UserError: uv is not installed, or cannot install the libraries.
    """
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise UserError(
            "uv, which downloads the functions' libraries, is not installed; install it with `pip install uv`"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--target", folder]
        command += ["--python-version", _PYTHON, "--python-platform", _PLATFORM]
        command += ["--constraint", str(LOCK_FILE), *_LIBRARIES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
        if done.returncode != 0:
            raise UserError(f"uv cannot install {', '.join(_LIBRARIES)}:\n{done.stderr.strip()}")
        root = Path(folder)
        files = {
            f"python/{path.relative_to(root).as_posix()}": path.read_bytes()
            for path in root.rglob("*")
            # these files differ between installations
            if path.is_file() and path.suffix != ".pyc" and path.name not in (".lock", "RECORD", "uv_cache.json")
        }
        return zip_archive(files)


def zip_archive(files: Mapping[str, bytes]) -> bytes:
    """Return a zip archive whose bytes depend only on the files: no times, no owners."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            member = zipfile.ZipInfo(path)
            member.compress_type = zipfile.ZIP_DEFLATED
            # Unix, on every platform
            member.create_system, member.external_attr = 3, 0o644 << 16
            archive.writestr(member, content)
    return buffer.getvalue()


def content_key(prefix: str, name: str, archive: bytes) -> str:
    """Return the S3 key of an archive, below the prefix of the project."""
    return f"{prefix}/code/{name}-{hashlib.sha256(archive).hexdigest()[:16]}.zip"


def _text(path: Path) -> bytes:
    # a checkout on Windows may have CRLF line endings
    return path.read_bytes().replace(b"\r\n", b"\n")
