"""A checkout and a data directory, in which the stories run commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from typer import Typer
from typer.testing import CliRunner

from deployment.__main__ import app as deployment_app
from infrastructure.__main__ import app as infrastructure_app
from monitoring.__main__ import app as monitoring_app
from pipelines.__main__ import app as pipelines_app

BREAST_CANCER = "examples/breast-cancer/settings.yaml"


@dataclass(frozen=True)
class Ended:
    """Exit code and output of a command."""

    code: int
    stdout: str
    stderr: str


@dataclass
class Workplace:
    """A checkout and a separate data directory, in which commands run as users run them."""

    checkout: Path
    data_dir: Path
    # reused by all commands, as a new session reads the service models again
    _session: boto3.Session | None = None

    def python(self, *arguments: str, timeout: float = 180) -> Ended:
        """Run `python -m ARGUMENTS` in a new process."""
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(
            command,
            cwd=self.checkout,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def pipelines(self, *arguments: str) -> Ended:
        """Run `python -m pipelines ARGUMENTS` in this process, which imports the SDK only once."""
        return self._invoke(pipelines_app, arguments)

    def deployment(self, *arguments: str) -> Ended:
        """Run `python -m deployment ARGUMENTS` in this process."""
        return self._invoke(deployment_app, arguments)

    def infrastructure(self, *arguments: str) -> Ended:
        """Run `python -m infrastructure ARGUMENTS` in this process."""
        return self._invoke(infrastructure_app, arguments)

    def monitoring(self, *arguments: str) -> Ended:
        """Run `python -m monitoring ARGUMENTS` in this process."""
        return self._invoke(monitoring_app, arguments)

    def _invoke(self, app: Typer, arguments: Sequence[str]) -> Ended:
        with self.here():
            result = CliRunner().invoke(app, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def run(self, *arguments: str, settings: str = BREAST_CANCER) -> dict[str, Any]:
        """Run the pipeline, which must succeed, and return the result."""
        return self.result(self.pipelines("run", "--local", "--json", "--settings", settings, *arguments))

    def models(self, settings: str = BREAST_CANCER) -> list[dict[str, Any]]:
        versions: list[dict[str, Any]] = json.loads(
            self.pipelines("models", "--local", "--json", "--settings", settings).stdout
        )
        return versions

    @staticmethod
    def result(ended: Ended) -> dict[str, Any]:
        assert ended.code == 0, ended.stderr + ended.stdout
        content: dict[str, Any] = json.loads(ended.stdout)
        return content

    def object(self, uri: str) -> Path:
        """Return the path of an S3 object's content."""
        return self.data_dir / "s3" / uri.removeprefix("s3://")

    def _environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return inherited | {
            "HOME": str(self.data_dir.parent),
            "PYTHONPATH": str(self.checkout),
            "LOCAL_SAGEMAKER_DIR": str(self.data_dir),
        }

    @contextmanager
    def here(self) -> Iterator[None]:
        """Change to the checkout and its data directory, and restore folder and environment at the end."""
        environment, folder, session = dict(os.environ), Path.cwd(), boto3.DEFAULT_SESSION
        os.environ |= {"LOCAL_SAGEMAKER_DIR": str(self.data_dir), "LOCAL_SAGEMAKER_WARM": "1"}
        os.chdir(self.checkout)
        boto3.DEFAULT_SESSION = self._session
        try:
            yield
        finally:
            self._session, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, session
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
