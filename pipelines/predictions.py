"""Predict the rows of a file with a registered model, on this machine and without an endpoint.

The model's own code predicts, as in its endpoint: score_file.py of its archive runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from pipelines.csv_texts import read_csv_texts
from project.errors import UserError, is_not_found
from project.registry import ModelPackage
from project.s3_uris import split_s3_uri
from project.settings import Settings
from project.target import Target

DECIMAL_COMMA = r"^(\s*[+-]?[0-9]*),([0-9]+(?:[eE][+-]?[0-9]+)?\s*)$"


@dataclass(frozen=True)
class PredictedFile:
    """The result of a prediction.

    Attributes:
        path: The file with the predictions.
        rows: How many rows.
        version: The version of the model package.
        missing: The model's features that the data has no column for.
        kept: The columns of the data that are not features; they are before the predictions.
    """

    path: Path
    rows: int
    version: int
    missing: tuple[str, ...]
    kept: tuple[str, ...]


def predict_file(
    settings: Settings, target: Target, package: ModelPackage, source: Path, destination: Path, reasons: int = 0
) -> PredictedFile:
    """Predict each row of a CSV or Parquet file.

    Args:
        settings: The project's settings, for the format of CSV files.
        target: Where the model is registered.
        package: The model package.
        source: The file; columns that are not features of the model are kept.
        destination: The CSV or Parquet file to write, by its suffix.
        reasons: How many features to name for each prediction that contribute most to it.

    Raises:
        UserError: The file cannot be read, has none of the model's features, or a value does not match its feature; or
            the package has no model of this project.
    """
    if destination.suffix not in (".csv", ".parquet"):
        raise UserError(f"--output is {destination}; give a name that ends in .csv or .parquet")
    with TemporaryDirectory(prefix="predict-") as name:
        folder = Path(name)
        model = _download_model(target, package, folder / "model")
        schema = json.loads((model / "schema.json").read_text(encoding="utf-8"))
        features = [feature["name"] for feature in schema["features"]]
        # texts in a format of their own are read by it
        plain = {feature["name"] for feature in schema["features"] if "format" not in feature}
        rows = _as_parquet(settings, source, folder / "rows.parquet", plain)
        columns = pq.read_schema(rows).names
        if not set(features) & set(columns):
            raise UserError(
                f"{source} has none of the features of version {package.version} ({', '.join(features)}); give a file "
                "with these columns, or another version with --model-package"
            )
        predictions = folder / "predictions.parquet"
        kept = [column for column in columns if column not in features]
        _score(model, rows, predictions, ["--reasons", str(reasons), "--keep", *kept], source)
        count = _write(predictions, destination)
    return PredictedFile(
        destination, count, package.version, tuple(item for item in features if item not in columns), tuple(kept)
    )


def _download_model(target: Target, package: ModelPackage, folder: Path) -> Path:
    """Download and unpack the model archive of a package.

    Raises:
        UserError: The archive does not exist, or is not of this project.
    """
    description = target.sagemaker.describe_model_package(ModelPackageName=package.arn)
    uri = description["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    bucket, key = split_s3_uri(uri)
    folder.mkdir()
    archive = folder / "model.tar.gz"
    try:
        target.s3.download_file(bucket, key, str(archive))
    except ClientError as error:
        if not is_not_found(error):
            raise
        raise UserError(
            f"the model of version {package.version} is no longer at {uri}; give another version with --model-package, "
            "or run the pipeline again"
        ) from None
    with tarfile.open(archive) as members:
        members.extractall(folder, filter="data")
    if not (folder / "code" / "score_file.py").is_file():
        raise UserError(
            f"version {package.version} has no code/score_file.py in its model archive; train the model again"
        )
    return folder


def _as_parquet(settings: Settings, source: Path, path: Path, plain: Set[str]) -> Path:
    """Return the rows as Parquet: those of a CSV file as texts.

    With `data.csv.decimal: ","`, numbers in the columns `plain` get points, as Preprocess reads them; others stay.
    """
    if source.suffix == ".parquet":
        if not source.is_file():
            raise UserError(f"{source} does not exist; give a CSV or Parquet file")
        return source.resolve()
    writer = None
    try:
        for chunk in read_csv_texts(source, settings.data.csv.model_dump()):
            columns = {name: pa.array(chunk[name], pa.string()) for name in chunk.columns}
            if settings.data.csv.decimal == ",":
                for name in plain & columns.keys():
                    columns[name] = pc.replace_substring_regex(columns[name], DECIMAL_COMMA, r"\1.\2")
            table = pa.table(columns)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
    except (OSError, ValueError) as error:
        raise UserError(f"{source} cannot be read as CSV ({error}); see data.csv in the settings") from None
    if writer is None:
        raise UserError(f"{source} has no rows; give a file with records")
    writer.close()
    return path


def _score(model: Path, rows: Path, predictions: Path, options: list[str], source: Path) -> None:
    command = [sys.executable, str(model / "code" / "score_file.py")]
    command += ["--input", str(rows), "--output", str(predictions), *options]
    # our own modules must not take the place of the model's
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or ["no output"])[-1]
        raise UserError(f"{source}: {reason}; correct it and run the same command again")


def _write(predictions: Path, destination: Path) -> int:
    """Write a file that has its name only when it is complete, and return how many rows it has."""
    partial = destination.with_name(f".{destination.name}")
    try:
        with pq.ParquetFile(predictions) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            is_csv = destination.suffix == ".csv"
            with pa.csv.CSVWriter(partial, schema) if is_csv else pq.ParquetWriter(partial, schema) as writer:
                for batch in file.iter_batches():
                    writer.write_batch(batch)
        partial.replace(destination)
    except OSError as error:
        raise UserError(f"{destination} cannot be written ({error.strerror}); give another --output") from None
    finally:
        partial.unlink(missing_ok=True)
    return int(rows)
