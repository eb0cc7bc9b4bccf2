"""The schema that training writes: the features of a model with their categories, and its classes.

With it, the analyzer reads values as the endpoint does. It is the schema.json of Preprocess, which Train also puts into
the model archive. Without it, the analyzer reads files as Model Monitor does.
"""

from __future__ import annotations

import json
import logging
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from analyzer import QualityError
from analyzer.arrow_values import as_categories, as_numbers
from analyzer.value_formats import PLAIN, ValueFormat, feature_format
from analyzer.values import MISSING

logger = logging.getLogger(__name__)

FILE = "schema.json"

CATEGORY, TEXT = "category", "text"


@dataclass(frozen=True)
class Feature:
    """A feature of a model, as clients send it.

    Attributes:
        type: "number"; CATEGORY; TEXT, which is not itself an input of the model; or "datetime": a date or
            time that analyzer.datetimes reads, here a text or a number, as it comes.
        categories: The categories in the training split; empty for other types.
        value_format: How its values are written.
    """

    type: str
    categories: frozenset[str] = frozenset()
    value_format: ValueFormat = PLAIN

    def category(self, text: str) -> str | None:
        """Normalize the spelling of a category; None for a missing value. A text that is not a boolean stays."""
        try:
            return self.value_format.category(text)
        except ValueError:
            return text


@dataclass(frozen=True)
class Schema:
    """The schema of a model.

    Attributes:
        problem_type: BinaryClassification, MulticlassClassification, Regression or Ranking.
        features: The features by name, in the order in which clients send them.
        classes: The names of the classes, of two the positive one last; empty for a regression and a ranking.
        missing: The texts that count as missing in every feature.
    """

    problem_type: str
    features: Mapping[str, Feature]
    classes: tuple[str, ...]
    missing: frozenset[str] = MISSING

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in the order in which clients send them."""
        return tuple(self.features)

    @cached_property
    def categorical(self) -> frozenset[str]:
        """The names of the features whose values are texts, whatever they look like."""
        return frozenset(name for name, feature in self.features.items() if feature.type in (CATEGORY, TEXT))

    @cached_property
    def with_decimal_commas(self) -> frozenset[str]:
        """The names of the features whose texts have decimal commas."""
        return frozenset(name for name, feature in self.features.items() if feature.value_format.has_decimal_comma)

    def conform(self, batch: pa.RecordBatch, others: Collection[str] = (), is_part: bool = False) -> pa.RecordBatch:
        """Read the values of a batch as the endpoint reads them.

        Args:
            batch: Columns of int64, float64, string and null.
            others: Columns to keep though they are not features; all others are left out.
            is_part: Whether the batch has only some of the columns; otherwise a feature without a column is missing in
                every record.
        """
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        names = [name for name in self.names if name in columns or not is_part]
        result = {name: self._conform(name, columns.get(name), batch.num_rows) for name in names}
        result |= {name: column for name, column in columns.items() if name in others and name not in self.features}
        return pa.RecordBatch.from_arrays([*result.values()], names=[*result])

    def _conform(self, name: str, column: pa.Array | None, rows: int) -> pa.Array:
        if column is None or pa.types.is_null(column.type):
            return pa.nulls(rows)
        value_format = self.features[name].value_format
        if name in self.categorical:
            return as_categories(column, value_format)
        return as_numbers(column, value_format) if pa.types.is_string(column.type) else column


def read_schema(path: Path) -> Schema | None:
    """Read a schema.json, or that of a model archive; a folder stands for the one or the other in it.

    Returns:
        The schema; None for the archive of a model that was not trained by this project.

    Raises:
        QualityError: The file does not exist or is neither.
    """
    if path.is_dir():
        path = next((path / name for name in (FILE, "model.tar.gz") if (path / name).is_file()), path)
        path = next(iter(sorted(path.glob("*.tar.gz"))), path / FILE) if path.is_dir() else path
    try:
        text = _read_archive(path) if tarfile.is_tarfile(path) else path.read_text(encoding="utf-8")
        if text is None:
            logger.warning("%s contains no %s; values are read as Model Monitor reads them", path, FILE)
            return None
        return _parse(json.loads(text))
    except FileNotFoundError:
        raise QualityError(f"{path} does not exist; use the {FILE} of a training run, or a model archive") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, tarfile.TarError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise QualityError(
            f"{path} is not a training schema ({reason}); use the {FILE} of a training run, or a model archive"
        ) from error


def _read_archive(path: Path) -> str | None:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and member.name.removeprefix("./") == FILE:
                file = archive.extractfile(member)
                return file.read().decode("utf-8") if file else None
    return None


def _parse(document: Mapping[str, Any]) -> Schema:
    missing_texts = document.get("missing_values", ())
    return Schema(
        problem_type=document["problem_type"],
        features={
            feature["name"]: Feature(
                feature["type"],
                frozenset(feature.get("categories", ())),
                feature_format(feature, missing_texts) or PLAIN,
            )
            for feature in document["features"]
        },
        classes=tuple(map(str, document["classes"] or ())),
        missing=MISSING | frozenset(missing_texts),
    )
