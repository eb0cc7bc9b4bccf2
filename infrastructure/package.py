"""What the functions run: their code as a zip archive, and the libraries that Lambda's runtime lacks as a layer.

Both are named by their content: the same code gives the same key, and so nothing to deploy.
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

from infrastructure.functions.project import SETTINGS_FILE
from project.errors import UserError
from project.paths import REPOSITORY

# as the templates say
_PYTHON, _PLATFORM = "3.13", "x86_64-manylinux_2_28"
# boto3 is in Lambda's runtime
_LIBRARIES = ("pydantic", "pyyaml")
_INSTALL_SECONDS = 300
# setup.py puts a copy into the installed package
_INSTALLED_LOCK = Path(__file__).with_name("requirements.lock")
LOCK_FILE = _INSTALLED_LOCK if _INSTALLED_LOCK.is_file() else REPOSITORY / "requirements.lock"


def functions_archive(settings_file: Path) -> bytes:
    """The handlers with all of deployment/ and pipelines/ that they may import, and the project's settings."""
    sources = [
        REPOSITORY / "infrastructure" / "__init__.py",
        *(REPOSITORY / "infrastructure" / "functions").glob("*.py"),
        *(REPOSITORY / "deployment").glob("*.py"),
        *(REPOSITORY / "pipelines").glob("*.py"),
        *(REPOSITORY / "project").glob("*.py"),
    ]
    files = {path.relative_to(REPOSITORY).as_posix(): _text(path) for path in sources if path.stem != "__main__"}
    return zip_archive(files | {SETTINGS_FILE: _text(settings_file)})


def libraries_archive() -> bytes:
    """The layer: wheels for Lambda's Python, in the versions of requirements.lock and checked against its hashes.

    Raises:
        UserError: uv is not there, or can't install them.
    """
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise UserError("uv is needed to fetch the functions' libraries; `make setup` installs it")
    with tempfile.TemporaryDirectory() as folder:
        command = [uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--target", folder]
        command += ["--python-version", _PYTHON, "--python-platform", _PLATFORM]
        command += ["--constraint", str(LOCK_FILE), *_LIBRARIES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
        if done.returncode != 0:
            raise UserError(f"uv can't install {', '.join(_LIBRARIES)}:\n{done.stderr.strip()}")
        root = Path(folder)
        files = {
            f"python/{path.relative_to(root).as_posix()}": path.read_bytes()
            for path in root.rglob("*")
            # what tells of this installation is different each time
            if path.is_file() and path.suffix != ".pyc" and path.name not in (".lock", "RECORD", "uv_cache.json")
        }
        return zip_archive(files)


def zip_archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive whose bytes depend on the files alone: no times, no owners."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            member = zipfile.ZipInfo(path)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system, member.external_attr = 3, 0o644 << 16  # Unix, wherever it is made
            archive.writestr(member, content)
    return buffer.getvalue()


def content_key(prefix: str, name: str, archive: bytes) -> str:
    """The key in the bucket, below the project's prefix."""
    return f"{prefix}/code/{name}-{hashlib.sha256(archive).hexdigest()[:16]}.zip"


def _text(path: Path) -> bytes:
    # a checkout on Windows may end lines with CRLF
    return path.read_bytes().replace(b"\r\n", b"\n")
