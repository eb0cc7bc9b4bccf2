"""A virtual environment per peer, because peers need different versions of NumPy and pandas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
CACHE = FOLDER.parent / ".benchmarks"
UV = Path(sys.executable).with_name("uv")


def environment(peer: str) -> Path:
    """Return the ``bin`` folder of the environment with benchmarks/requirements-PEER.txt, created if necessary.

    Raises:
        RuntimeError: uv is missing, or it failed to install the packages; the message has its output.
    """
    requirements = FOLDER / f"requirements-{peer}.txt"
    place = CACHE / "environments" / peer
    # Written last, so that incomplete installations are repeated. Changed pins are detected by the content.
    installed = place / requirements.name
    if not installed.is_file() or installed.read_bytes() != requirements.read_bytes():
        if not UV.is_file():
            raise RuntimeError(f"{UV} does not exist; run this with the Python of `make setup`")
        CACHE.mkdir(exist_ok=True)
        (CACHE / ".gitignore").write_text("*\n", encoding="utf-8")
        print(f"installing {requirements.name} into {place} ...", file=sys.stderr)
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(place))
        _uv("pip", "install", "--quiet", "--python", str(place / "bin" / "python"), "-r", str(requirements))
        installed.write_bytes(requirements.read_bytes())
    return place / "bin"


def _uv(*arguments: str) -> None:
    done = subprocess.run([str(UV), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"uv {' '.join(arguments)} failed with exit status {done.returncode}:\n{done.stderr}")
