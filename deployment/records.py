"""Records to send to an endpoint: rows of a CSV file as JSON objects, with numbers and text by column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import ClientError

from analyzer.values import MISSING, NUMBER
from pipelines.results import registered_outputs
from project.errors import UserError
from project.registry import ModelPackage
from project.s3_uris import is_s3_uri, split_s3_uri
from project.settings import Settings
from project.settings.columns import NUMBER_TYPES, CsvSettings
from project.target import Target

Value = int | float | str | None
Record = Mapping[str, Value]

_DECIMAL_COMMA = re.compile(r"^([+-]?[0-9]*),([0-9]+(?:[eE][+-]?[0-9]+)?)$")
_INTEGER = re.compile(r"[+-]?\d{1,18}")


@dataclass(frozen=True)
class Records:
    """Records with their labels.

    Attributes:
        rows: Features by name.
        labels: Values of the target column as text; empty if there is no target column.
        ids: The texts of the columns that are not features, by name.
    """

    rows: tuple[Record, ...]
    labels: tuple[str, ...] = ()
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def features(self) -> list[str]:
        return list(self.rows[0])


def read_records(settings: Settings, target: Target, location: str, others: Collection[str] = ()) -> Records:
    """Read the records of a CSV file with a header, as `data.csv` says it is written, at a path or an S3 URI.

    A column is numeric if all its values are, unless the settings say how the model reads its texts: those are sent as
    they are. Columns that Preprocess makes no features of are no features here either.

    Args:
        settings: The project's settings.
        target: Where S3 is.
        location: The path or URI.
        others: Columns to send besides the features, to an endpoint that ignores them.

    Raises:
        UserError: The file can't be read, is not CSV, or has no rows.
    """
    texts = categories(settings) | {*settings.data.columns}
    return _read(settings, target, location, settings.data.csv, texts, others)


def _read(
    settings: Settings,
    target: Target,
    location: str,
    csv_format: CsvSettings,
    texts: Collection[str],
    sent: Collection[str] = (),
) -> Records:
    """Read a CSV file; `texts` are the columns whose values are sent as texts, whatever they look like."""
    lines = csv.reader(io.StringIO(_read_text(target, location, csv_format.encoding)), delimiter=csv_format.separator)
    header = next(lines, [])
    rows = [row for row in lines if row]
    if not header or not rows:
        raise UserError(f"{location} has no records; expected CSV with a header")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise UserError(f"{location}: row {number} has {len(row)} fields, but the header has {len(header)}")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    others = non_feature_columns(settings) - {*sent}
    has_commas = csv_format.decimal == ","
    features = {
        name: [_text(value) for value in values] if name in texts else _convert(values, has_commas)
        for name, values in columns.items()
        if name not in others
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
    outputs = registered_outputs(target, package, "Preprocess")
    if not outputs:
        raise UserError(
            f"the pipeline execution that registered version {package.version} was not found; give records with --input"
        )
    # Preprocess has read the numbers of data.columns, and writes CSV with commas and decimal points
    return _read(settings, target, f"{outputs['schema']}/sample.csv", CsvSettings(), categories(settings))


def non_feature_columns(settings: Settings) -> set[str]:
    """Return the columns that are not features, as Preprocess has them."""
    data, split = settings.data, settings.data.split
    roles = (data.target_column, data.weight_column, data.group_column, split.time_column, split.group_column)
    return {*filter(None, roles), *data.not_features}


def columns_for_fairness(settings: Settings) -> tuple[str, ...]:
    """Return the columns of facets and groups, features or not, if endpoints ignore what is not a feature."""
    if settings.fairness is None or settings.deployment.unknown_features != "ignore":
        return ()
    return settings.fairness.columns


def categories(settings: Settings) -> set[str]:
    """Return the columns that the settings call categories, of which 007 is not 7."""
    data = settings.data
    declared = {name for name, column in data.columns.items() if column.type not in NUMBER_TYPES}
    return {*data.categorical_columns, *data.encodings} | declared


def _read_text(target: Target, location: str, encoding: str) -> str:
    try:
        if is_s3_uri(location):
            bucket, key = split_s3_uri(location)
            content: bytes = target.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        else:
            content = Path(location).read_bytes()
        # spreadsheets begin a file with a byte order mark
        return content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except OSError as error:
        raise UserError(f"{location}: {error.strerror}; give a CSV file with --input") from None
    except UnicodeDecodeError:
        name = "UTF-8" if encoding == "utf-8" else encoding
        raise UserError(
            f"{location} is not {name} text; give a CSV file with --input, or set data.csv.encoding"
        ) from None
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise UserError(f"cannot read {location}: {code}; give a CSV file with --input") from None


def _convert(values: Sequence[str], has_commas: bool) -> list[Value]:
    """Convert a column to numbers if all of its values are; with decimal commas, as Preprocess reads them."""
    texts = [_DECIMAL_COMMA.sub(r"\1.\2", text.strip()) if has_commas else text.strip() for text in values]
    numeric = all(NUMBER.fullmatch(text) for text in texts if text not in MISSING)
    return [None if text in MISSING else as_number(text) if numeric else text for text in texts]


def _text(value: str) -> str | None:
    text = value.strip()
    return None if text in MISSING else text


def as_number(text: str) -> int | float:
    """Convert a decimal number; integers of up to 18 digits stay exact."""
    return int(text) if _INTEGER.fullmatch(text) else float(text)
