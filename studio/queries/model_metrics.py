"""The metrics of model packages: in their metadata, this project's evaluations and Model Monitor's format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from project.s3_uris import is_s3_uri
from project.settings import LOWER_IS_BETTER, METRICS
from project.target import Target
from studio.queries import s3

# a file of metrics is small; a larger one is something else
MAX_BYTES = 4_000_000
# columns of a table of versions
MAX_METRICS = 8


@dataclass(frozen=True)
class Metric:
    """A metric of a model.

    Attributes:
        name: Its name, with that of its section where a file has several.
        value: The value on the test data; None if it is undefined.
        lower: The lower end of the interval of the value; None if it is not known.
        upper: The upper end.
        deviation: The standard deviation; None if it is not known.
        splits: Values on other splits by name, such as "train".
    """

    name: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    deviation: float | None = None
    splits: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def lower_is_better(self) -> bool:
        return self.name in LOWER_IS_BETTER


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a model package, and the file that they are from; empty for metadata alone."""

    metrics: tuple[Metric, ...]
    source: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)


def registered_metrics(description: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics in the metadata of a model package: the known ones of its problem type, else all numbers.

    Args:
        description: The response of DescribeModelPackage.
    """
    metadata: Mapping[str, str] = description.get("CustomerMetadataProperties") or {}
    known = METRICS.get(metadata.get("problem_type", ""))
    names = [name for name in known if name in metadata] if known else list(metadata)
    numbers = {name: _parsed(metadata[name]) for name in names}
    return {name: value for name, value in numbers.items() if value is not None}


def evaluated_metrics(target: Target, description: Mapping[str, Any]) -> Evaluation:
    """Return the metrics of a model package with all that is known of them, by a call or two of S3.

    Args:
        target: Account or local SageMaker.
        description: The response of DescribeModelPackage.

    Raises:
        ClientError: The file of the metrics cannot be read.
    """
    summary_uri = (description.get("CustomerMetadataProperties") or {}).get("evaluation_summary_uri", "")
    quality = (description.get("ModelMetrics") or {}).get("ModelQuality") or {}
    statistics_uri = (quality.get("Statistics") or {}).get("S3Uri", "")
    for uri in (summary_uri, statistics_uri):
        if is_s3_uri(uri) and isinstance(content := _read_json(target, uri), dict):
            return evaluation_of(content, uri)
    return Evaluation(tuple(Metric(name, value) for name, value in registered_metrics(description).items()))


def evaluation_of(content: Mapping[str, Any], uri: str) -> Evaluation:
    """Return the metrics of a file's content: this project's summary.json, or Model Monitor's format."""
    splits = content.get("metrics")
    if isinstance(splits, Mapping) and isinstance(splits.get("test"), Mapping):
        return _of_summary(content, uri)
    return _of_statistics(content, uri)


def _of_summary(content: Mapping[str, Any], uri: str) -> Evaluation:
    """Return the metrics of this project's summary.json: those of the test split have intervals."""
    splits = content.get("metrics") or {}
    others = [name for name in ("validation", "train") if isinstance(splits.get(name), Mapping)]
    return Evaluation(
        tuple(
            Metric(
                name,
                _number(metric.get("value")),
                _number(metric.get("lower")),
                _number(metric.get("upper")),
                splits={split: _number(splits[split][name]) for split in others if name in splits[split]},
            )
            for name, metric in (splits.get("test") or {}).items()
            if isinstance(metric, Mapping)
        ),
        uri,
        {name: rows for name, rows in (content.get("rows") or {}).items() if isinstance(rows, int)},
    )


def _of_statistics(content: Mapping[str, Any], uri: str) -> Evaluation:
    """Return the metrics of a file that AWS's examples register: sections of values with standard deviations.

    `{"regression_metrics": {"mse": {"value": 4.2, "standard_deviation": 0.1}}}`, or numbers on either level.
    """
    found = []
    sections = {name: item for name, item in content.items() if isinstance(item, Mapping)}
    for name, value in content.items():
        if (number := _number(value)) is not None:
            found.append(Metric(name, number))
    for section, items in sections.items():
        prefix = f"{section.removesuffix('_metrics')}: " if len(sections) > 1 else ""
        for name, item in items.items():
            if isinstance(item, Mapping) and (value := _number(item.get("value"))) is not None:
                found.append(Metric(prefix + name, value, deviation=_number(item.get("standard_deviation"))))
            elif (number := _number(item)) is not None:
                found.append(Metric(prefix + name, number))
    return Evaluation(tuple(found), uri)


def _read_json(target: Target, uri: str) -> Any:
    """Return the content of a JSON file; None if it has been deleted, or is not JSON."""
    try:
        return s3.read_json(target, uri, MAX_BYTES)
    except ClientError as error:
        if s3.is_deleted(error):
            return None
        raise


def _number(value: Any) -> float | None:
    """Return a finite number; Model Monitor writes undefined values as texts."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _parsed(text: str) -> float | None:
    try:
        return _number(float(text))
    except ValueError:
        return None
