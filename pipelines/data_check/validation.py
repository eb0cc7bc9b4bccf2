"""Run Preprocess on this machine, with the code and the arguments of the pipeline's step."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.bundles import preprocess_bundle
from pipelines.preprocess_arguments import preprocess_arguments
from project.errors import UserError
from project.s3_uris import is_s3_uri, split_s3_uri
from project.settings import Settings
from project.target import Target


@dataclass(frozen=True)
class Validation:
    """What Preprocess says of the data.

    Attributes:
        checks: The checks of validation_report.json.
        output: The folder with its outputs; the splits are missing if the data cannot be used.
    """

    checks: list[dict[str, Any]]
    output: Path

    def messages(self, severity: str) -> list[str]:
        """Return the messages of the failed checks with a severity, "error" or "warning"."""
        return [message for check in self.checks if check["severity"] == severity for message in check["messages"]]


@contextmanager
def validated(settings: Settings, data: Path) -> Iterator[Validation]:
    """Validate, split and encode the data in a temporary folder, which exists as long as the context.

    Args:
        settings: The settings of the project.
        data: A file or a folder.

    Raises:
        UserError: Preprocess refuses its arguments.
    """
    with TemporaryDirectory(prefix="check-data-") as folder:
        code, output = Path(folder, "code"), Path(folder, "output")
        for path, content in preprocess_bundle(settings).files.items():
            file = code / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        command = [sys.executable, str(code / "preprocess.py"), *preprocess_arguments(settings)]
        # the profile needs the values with their types
        command += ["--baseline-format", "parquet"]
        command += ["--input-dir", str(_input_folder(data, Path(folder))), "--output-dir", str(output)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        report = output / "report" / "validation_report.json"
        if not report.is_file():
            raise UserError(f"Preprocess failed: {ended.stderr.strip()}")
        validation = Validation(json.loads(report.read_text(encoding="utf-8"))["checks"], output)
        if ended.returncode and not validation.messages("error"):
            # it has failed after its checks
            reason = (ended.stderr.strip().splitlines() or ["Preprocess failed without a message"])[-1]
            validation.checks.append({"name": "preprocess", "severity": "error", "messages": [reason]})
        yield validation


def _input_folder(data: Path, folder: Path) -> Path:
    """Return a folder with nothing but the data, as the step's container has it."""
    if data.is_dir():
        return data.resolve()
    (folder / "input").mkdir()
    (folder / "input" / data.name).symlink_to(data.resolve())
    return folder / "input"


@contextmanager
def local_data(location: str | None, target: Target | None) -> Iterator[Path]:
    """Give the path of the data, which is downloaded if it is in S3.

    Args:
        location: A path or an S3 URI.
        target: The account or the local SageMaker that has the bucket; None for data on this machine.

    Raises:
        UserError: The data does not exist, or no location is given.
    """
    if location is None:
        raise UserError("the settings have no data.input; give the data with --input")
    if not is_s3_uri(location):
        path = Path(location)
        if not path.exists():
            raise UserError(f"input data {path} does not exist; correct data.input in the settings, or give --input")
        yield path
        return
    if target is None:
        raise UserError(f"{location} is in S3; give --local or --role-arn to say where, or a file with --input")
    if stored := target.local_path(location):
        yield stored
        return
    with TemporaryDirectory(prefix="check-data-") as folder:
        bucket, prefix = split_s3_uri(location)
        keys = [
            item["Key"]
            for page in target.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            for item in page.get("Contents", [])
            if not item["Key"].endswith("/")
        ]
        if not keys:
            raise UserError(f"{location} has no objects; correct data.input in the settings, or give --input")
        for key in keys:
            file = Path(folder, key.removeprefix(prefix).lstrip("/") or Path(key).name)
            file.parent.mkdir(parents=True, exist_ok=True)
            target.s3.download_file(bucket, key, str(file))
        yield Path(folder)
