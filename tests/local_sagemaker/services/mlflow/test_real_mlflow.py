"""The real MLflow, as a user starts it."""

import http.client
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

import local_sagemaker
from local_sagemaker.http.background import stop_server

REPOSITORY = Path(local_sagemaker.__file__).parent.parent


def command(folder: Path, *arguments: str) -> str:
    """Run `python -m local_sagemaker ...`; its output."""
    return subprocess.run(
        [sys.executable, "-m", "local_sagemaker", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "LOCAL_SAGEMAKER_DIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    ).stdout


@pytest.fixture
def own_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "100% data?dir"
    yield folder
    stop_server(folder)


def get(url: str, **headers: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
    try:
        connection.request("GET", "/", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.slow
def test_the_command_starts_shows_and_stops_mlflow(own_dir: Path) -> None:
    started = command(own_dir, "start", "--mlflow")
    found = re.search(r"^MLflow at (\S+) \(tracking URI (\S+)\)$", started, re.MULTILINE)
    assert found is not None, started
    url, arn = found.groups()
    assert command(own_dir, "start", "--mlflow") == started, "the app is created once"
    assert f"MLflow at {url} ({arn.rpartition(':')[2]})" in command(own_dir, "status")
    assert get(url) == 200
    # of a site whose name resolves to this machine
    assert get(url, Host="example.com") == 403
    (server,) = [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if "program.py" in " ".join(process.info["cmdline"] or []) and own_dir.name in (process.info["cwd"] or "")
    ]
    assert server.memory_info().rss < 500 << 20
    command(own_dir, "stop")
    assert not server.is_running()
    with pytest.raises(ConnectionRefusedError):
        get(url)
