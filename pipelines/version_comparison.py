"""Two versions side by side: their metrics on the test split, from the stored evaluations, and their parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipelines.model_versions import trained_parameters
from project import registry
from project.errors import UserError, is_not_found
from project.registry import ModelPackage
from project.s3_uris import split_s3_uri
from project.settings import LOWER_IS_BETTER, Settings
from project.target import Target

ENDS = ("value", "lower", "upper")


@dataclass(frozen=True)
class ComparedMetric:
    """A metric of two versions, each with its 95 % interval.

    Attributes:
        name: The name of the metric; of a metric of bias, also its group.
        values: `value`, `lower` and `upper` of both versions; None where a version does not have the metric.
        gain: By how much the second version is better; None if a value is undefined.
    """

    name: str
    values: tuple[Mapping[str, float | None] | None, Mapping[str, float | None] | None]
    gain: float | None


@dataclass(frozen=True)
class VersionComparison:
    """Two versions.

    Attributes:
        versions: Their numbers.
        metrics: The metrics on the test split.
        parameters: Parameters of their executions that differ, each with both values.
        remarks: Why their metrics cannot be compared as they stand.
    """

    versions: tuple[int, int]
    metrics: tuple[ComparedMetric, ...]
    parameters: Mapping[str, tuple[str, str]]
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare_versions(settings: Settings, target: Target, first: int, second: int) -> VersionComparison:
    """Compare two versions of the project's model package group.

    Raises:
        UserError: A version does not exist, or its evaluation cannot be read, or they predict different things.
    """
    group = settings.model_package_group
    packages = [registry.find_version(group, version, target) for version in (first, second)]
    summaries = [_summary(package, target) for package in packages]
    for key, title in (("problem_type", "problem type"), ("target", "target")):
        one, other = (summary[key] for summary in summaries)
        if one != other:
            raise UserError(
                f"version {first} has the {title} {one!r} and version {second} {other!r}, so that their metrics cannot "
                "be compared; give two versions of one problem"
            )
    metrics = [summary["metrics"]["test"] for summary in summaries]
    names = [*metrics[0], *(name for name in metrics[1] if name not in metrics[0])]
    return VersionComparison(
        versions=(first, second),
        metrics=(
            *(_compared(name, metrics[0].get(name), metrics[1].get(name)) for name in names),
            *_compared_bias(*map(_bias, summaries)),
        ),
        parameters=_different(
            *(
                _parameters(trained_parameters(package, target), summary)
                for package, summary in zip(packages, summaries, strict=True)
            )
        ),
        remarks=_remarks(packages, summaries),
    )


def _compared(
    name: str, one: Mapping[str, float | None] | None, other: Mapping[str, float | None] | None
) -> ComparedMetric:
    before, now = (metric and metric["value"] for metric in (one, other))
    gain = None
    if isinstance(before, float | int) and isinstance(now, float | int):
        gain = before - now if name in LOWER_IS_BETTER else now - before
    return ComparedMetric(name, (one, other), gain)


def _bias(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the metrics of bias that have a limit, by their names and groups."""
    groups = (summary.get("fairness") or {}).get("facets", ())
    return {
        f"{metric['name']}, {group['column']} {group['value']}": metric
        for group in groups
        for stage in ("post_training", "pre_training")
        for metric in group[stage]["metrics"]
        if metric["limit"] is not None
    }


def _compared_bias(
    one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]
) -> Iterator[ComparedMetric]:
    """Yield metrics of bias: the version whose value is nearer to that without bias is better."""
    for name in dict.fromkeys([*one, *other]):
        values = (one.get(name), other.get(name))
        distances = [
            abs(metric["value"] - metric["fair_value"]) for metric in values if metric and metric["value"] is not None
        ]
        gain = distances[0] - distances[1] if len(distances) == 2 else None
        before, now = ({key: metric[key] for key in ENDS} if metric else None for metric in values)
        yield ComparedMetric(name, (before, now), gain)


def _summary(package: ModelPackage, target: Target) -> dict[str, Any]:
    uri = package.metadata.get("evaluation_summary_uri")
    if not uri:
        raise UserError(
            f"version {package.version} does not name its evaluation, because another pipeline registered it; "
            "`python -m pipelines models` shows the metrics that it has"
        )
    bucket, key = split_s3_uri(uri)
    try:
        body: dict[str, Any] = json.load(target.s3.get_object(Bucket=bucket, Key=key)["Body"])
    except ClientError as error:
        if not is_not_found(error):
            raise
        raise UserError(
            f"the evaluation of version {package.version} is no longer at {uri}; compare versions whose executions "
            "still have their files, or run the pipeline again"
        ) from None
    return body


def _parameters(of_pipeline: Mapping[str, str], summary: Mapping[str, Any]) -> dict[str, str]:
    """Return all that a model was trained with: what the evaluation has, and further parameters of the execution.

    Args:
        of_pipeline: The parameters of the execution and the tuned hyperparameters.
        summary: The content of summary.json; those of earlier releases do not have the hyperparameters.
    """
    trained = {name: _text(value) for name, value in summary.get("parameters", {}).items()}
    known = {name.replace("_", "").lower() for name in trained}
    others = {
        name: value
        for name, value in of_pipeline.items()
        if name.removeprefix("tuned_").replace("_", "").lower() not in known
    }
    decided = {
        "calibration": (summary.get("calibration") or {}).get("method"),
        "decision_threshold": (summary.get("decision_threshold") or {}).get("value"),
        "folds": (summary.get("folds") or {}).get("count"),
    }
    return others | trained | {name: _text(value) for name, value in decided.items() if value is not None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _different(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = [*one, *(name for name in other if name not in one)]
    pairs = {name: (one.get(name, ""), other.get(name, "")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _remarks(packages: list[ModelPackage], summaries: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return what keeps the metrics from being those of the same test rows."""
    remarks = []
    rows = [summary["rows"]["test"] for summary in summaries]
    if rows[0] != rows[1]:
        remarks.append(
            f"The test splits have {rows[0]:,} and {rows[1]:,} rows: the difference is partly that of the data. "
            "quality.champion compares on the same rows."
        )
    elif packages[0].metadata.get("input_data_uri") != packages[1].metadata.get("input_data_uri"):
        remarks.append("The versions were evaluated on different data. quality.champion compares on the same rows.")
    return tuple(remarks)
