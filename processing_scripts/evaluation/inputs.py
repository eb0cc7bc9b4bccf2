"""The inputs of evaluate.py but the test split: the model archive, the settings and Preprocess's report."""

from __future__ import annotations

import json
import posixpath
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb

from evaluation.errors import EvaluationError

# the quantile of LightGBM's objective `quantile` without `alpha`
LIGHTGBM_ALPHA = 0.9


@dataclass(frozen=True)
class ModelArchive:
    """What Evaluate reads of model.tar.gz.

    Attributes:
        booster: The model.
        schema: The content of schema.json.
        training: The content of Train's metrics.json.
    """

    booster: lgb.Booster
    schema: dict[str, Any]
    training: dict[str, Any]

    @property
    def alpha(self) -> float | None:
        """The quantile that a quantile regression predicts; None for other objectives."""
        parameters = self.training.get("parameters", {})
        return float(parameters.get("alpha", LIGHTGBM_ALPHA)) if parameters.get("objective") == "quantile" else None


@dataclass(frozen=True)
class DataReport:
    """What Evaluate reads of validation_report.json.

    Attributes:
        warnings: The warnings about the data.
        rows: The number of rows by split; empty if there is no report.
    """

    warnings: list[str]
    rows: dict[str, int]


def read_model(archive: Path) -> ModelArchive:
    """Read a model archive, without unpacking it.

    Raises:
        EvaluationError: The archive cannot be read, or a file is missing.
    """
    contents: dict[str, str] = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = posixpath.normpath(member.name)
                file = members.extractfile(member) if member.isfile() else None
                if file and name in ("model.txt", "schema.json", "metrics.json"):
                    contents[name] = file.read().decode("utf-8")
        booster = lgb.Booster(model_str=contents["model.txt"])
        return ModelArchive(booster, json.loads(contents["schema.json"]), json.loads(contents["metrics.json"]))
    except KeyError as error:
        raise EvaluationError(f"{archive} has no file {error}; expected the model archive of Train") from error
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, lgb.basic.LightGBMError) as error:
        raise EvaluationError(f"{archive} is not a readable model archive ({error}); run Train again") from error


def read_report(path: Path) -> DataReport:
    """Read a validation report.

    Raises:
        EvaluationError: The file cannot be read.
    """
    if not path.exists():
        return DataReport([], {})
    try:
        checks = json.loads(path.read_text(encoding="utf-8"))["checks"]
        warnings = [message for check in checks if check["severity"] == "warning" for message in check["messages"]]
        rows = [check["numbers"]["rows"] for check in checks if check.get("name") == "split_shares"]
        return DataReport(warnings, rows[0] if rows else {})
    except (OSError, ValueError, KeyError) as error:
        raise EvaluationError(
            f"{path} is not a readable validation report ({error}); expected the report of Preprocess"
        ) from error
