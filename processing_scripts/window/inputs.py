"""The inputs of a window's analyses: captures, labels merged with them, the model archive, and the baselines."""

from __future__ import annotations

import argparse
import json
import os
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from analyzer import QualityError
from analyzer.container import run
from analyzer.files import analysis_file
from analyzer.performance.merge import Merge
from analyzer.window import Window
from window.files import download

# SageMaker accepts no empty arguments.
NO_MODEL = "none"
S3_CONFIG = Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 5, "mode": "standard"})
# The formats of captured and of merged data in Model Monitor's words.
REQUESTS = {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}}
RESPONSES_WITH_LABELS = {"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}


class WindowInputs:
    """What the analyses of a window read, downloaded when it is first asked for.

    Attributes:
        options: The arguments of monitor.py.
        window: Time range of the requests.
        labelled: Time range of the requests whose labels are due.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        end = options.window_end - timedelta(minutes=options.capture_delay_minutes)
        start = end - timedelta(minutes=options.window_minutes)
        delay = timedelta(minutes=options.label_delay_minutes)
        self.options = options
        self.window = Window(start, end, options.include_test_requests)
        self.labelled = Window(start - delay, end - delay, options.include_test_requests)

    @property
    def metric_time(self) -> datetime:
        """The time of the check, because alarms do not look back to inferences whose labels arrive late."""
        assert self.window.end is not None
        return self.window.end

    @cached_property
    def captures(self) -> Path | None:
        """The folder of the window's captures; None without any."""
        return self._download("captures", self.options.captures, self.window, self.window.end)

    @cached_property
    def merged(self) -> tuple[Path, Merge] | None:
        """The folder of the labelled window's captures merged with their labels, and their counts.

        None without captures.
        """
        captures = self._download("labelled-captures", self.options.captures, self.labelled, self.labelled.end)
        if captures is None:
            return None
        labels = self.options.labels
        # A label may arrive at any time after its inference.
        found = self._download("labels", labels, self.labelled, datetime.now(UTC)) if labels else None
        if found is None:
            found = self.options.input_dir / "labels"
            found.mkdir(exist_ok=True)
            (found / "none.jsonl").touch()
        output = self.options.input_dir / "merged"
        sources = {"dataset_source": str(captures), "ground_truth_source": str(found), "output_path": str(output)}
        run(sources | window_variables(self.labelled))
        return output, Merge(**json.loads((output / analysis_file.MERGE_NAME).read_text(encoding="utf-8")))

    @cached_property
    def model(self) -> Path | None:
        """The model archive; None if the endpoint's model has no schema.

        Raises:
            QualityError: It cannot be read.
        """
        if self.options.model == NO_MODEL:
            return None
        path: Path = self.options.input_dir / "model" / "model.tar.gz"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            bucket, _, key = self.options.model.removeprefix("s3://").partition("/")
            try:
                s3().download_file(bucket, key, str(path))
            except ClientError as error:
                raise QualityError(
                    f"the model archive {self.options.model} with the training schema cannot be read ({error}); create "
                    "the monitoring schedule again"
                ) from error
        return path

    def file(self, name: str) -> Path | None:
        """Return the JSON file of an input of the job; None if there is none."""
        return next((self.options.input_dir / name).glob("*.json"), None)

    def required_file(self, name: str) -> Path:
        """Return the JSON file of an input of the job.

        Raises:
            QualityError: There is none.
        """
        path = self.file(name)
        if path is None:
            folder = self.options.input_dir / name
            raise QualityError(f"{folder} has no JSON file; create the monitoring schedule again")
        return path

    def _download(self, name: str, uri: str, window: Window, end: datetime | None) -> Path | None:
        assert window.start is not None
        assert end is not None
        folder: Path = self.options.input_dir / name
        return folder if download(s3(), uri, window.start, end, folder) else None


def window_variables(window: Window) -> dict[str, str]:
    """Return the analyzer's variables for a time range."""
    assert window.start is not None
    assert window.end is not None
    return {
        "start_time": window.start.isoformat(),
        "end_time": window.end.isoformat(),
        "include_test_requests": str(window.with_test_requests).lower(),
    }


def s3() -> Any:
    # SageMaker sets AWS_REGION in its containers, which boto3 does not read.
    return boto3.client("s3", region_name=os.environ.get("AWS_REGION"), config=S3_CONFIG)
