"""Records to send to an endpoint: rows of a CSV file as JSON objects, with numbers and text by column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import ClientError

from analyzer.values import MISSING, NUMBER
from pipelines import runner
from pipelines.results import processing_outputs
from project.errors import UserError
from project.registry import ModelPackage
from project.s3_uris import is_s3_uri, split_s3_uri
from project.settings import Settings
from project.target import Target

Value = int | float | str | None
Record = Mapping[str, Value]

_INTEGER = re.compile(r"[+-]?\d{1,18}")


@dataclass(frozen=True)
class Records:
    """Records with their labels.

    Attributes:
        rows: Features by name.
        labels: Values of the target column as text; empty if there is no target column.
        ids: The texts of the other columns by name: target, split and dropped columns, which are not features.
    """

    rows: tuple[Record, ...]
    labels: tuple[str, ...] = ()
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def features(self) -> list[str]:
        return list(self.rows[0])


def read_records(settings: Settings, target: Target, location: str) -> Records:
    """Read the records of a CSV file with a header, at a path or an S3 URI.

    A column is numeric if all its values are. Target, split and dropped columns are not features.

    Raises:
        UserError: The file can't be read, is not CSV, or has no rows.
    """
    text = _read_text(target, location)
    lines = csv.reader(io.StringIO(text))
    header = next(lines, [])
    rows = [row for row in lines if row]
    if not header or not rows:
        raise UserError(f"{location} has no records; expected CSV with a header")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise UserError(f"{location}: row {number} has {len(row)} fields, but the header has {len(header)}")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    features = {
        name: _convert(values) for name, values in columns.items() if name not in _non_feature_columns(settings)
    }
    if not features:
        raise UserError(
            f"{location} has no feature columns, only {', '.join(header)}; see data.drop_columns in the settings"
        )
    return Records(
        rows=tuple(dict(zip(features, row, strict=True)) for row in zip(*features.values(), strict=True)),
        labels=columns.get(settings.data.target_column, ()),
        ids={name: values for name, values in columns.items() if name not in features},
    )


def training_records(settings: Settings, target: Target, package: ModelPackage) -> Records:
    """Read a sample of the features that a package's model was trained on, without labels, as Preprocess wrote it.

    Raises:
        UserError: The execution or its output was not found.
    """
    try:
        execution = runner.describe(target, package.metadata["pipeline_execution_arn"])
        preprocess = execution.step("Preprocess")
        outputs = processing_outputs(preprocess, target) if preprocess else {}
    except (ClientError, KeyError):
        outputs = {}
    if not outputs:
        raise UserError(
            f"the pipeline execution that registered version {package.version} was not found; give records with --input"
        )
    try:
        return read_records(settings, target, f"{outputs['schema']}/sample.csv")
    except UserError:
        # executions of older versions of this project have only the baseline file
        return read_records(settings, target, f"{outputs['baseline']}/baseline.csv")


def _non_feature_columns(settings: Settings) -> set[str | None]:
    data, split = settings.data, settings.data.split
    split_column = {"random": None, "time": split.time_column, "group": split.group_column}[split.strategy]
    return {data.target_column, *data.drop_columns, split_column}


def _read_text(target: Target, location: str) -> str:
    try:
        if is_s3_uri(location):
            bucket, key = split_s3_uri(location)
            content: bytes = target.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        else:
            content = Path(location).read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{location}: {error.strerror}; give a CSV file with --input") from None
    except UnicodeDecodeError:
        raise UserError(f"{location} is not UTF-8 text; give a CSV file with --input") from None
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise UserError(f"cannot read {location}: {code}; give a CSV file with --input") from None


def _convert(values: Sequence[str]) -> list[Value]:
    texts = [value.strip() for value in values]
    numeric = all(NUMBER.fullmatch(text) for text in texts if text not in MISSING)
    return [None if text in MISSING else as_number(text) if numeric else text for text in texts]


def as_number(text: str) -> int | float:
    """Convert a decimal number; integers of up to 18 digits stay exact."""
    return int(text) if _INTEGER.fullmatch(text) else float(text)
