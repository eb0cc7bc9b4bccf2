"""The settings of an analysis, named as in Model Monitor's container contract."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from analyzer import QualityError
from analyzer.analysis import DATA_QUALITY, MODEL_QUALITY
from analyzer.performance.metrics import METRICS_KEY
from analyzer.window import Window, parse_time, window_of

MALFORMED_RECORDS_LIMIT = 100


@dataclass(frozen=True)
class Settings:
    """The settings of an analysis: its data, type, baseline and output.

    Attributes:
        dataset_source: File or folder of the records.
        dataset_format: See `analyzer.datasets.dataset.Dataset.from_format`, or ``{"profile": {}}`` to merge partial
            profiles.
        analysis_type: DATA_QUALITY or MODEL_QUALITY.
        baseline_statistics: statistics.json to compare with, if any.
        baseline_constraints: constraints.json to check, if any.
        problem_type: Of a model quality analysis, else None.
        ground_truth_source: Labels to merge with the captures of dataset_source first.
        model_schema: Schema of the model, see `analyzer.schema.read_schema`; without it, values are read as Model
            Monitor reads them.
        feature_importance: A model or JSON file, see `analyzer.drift.importance.read_importance`.
        window: Time window of the inferences; only captures have timestamps.
        record_tolerance: See `analyzer.constraints.tolerance.tolerate_records`; 0 for none.
        metric_tolerance: Standard errors, see `analyzer.constraints.tolerance.tolerate_chance`; 0 for none.
        labels_per_window: Labelled records that the standard errors are those of.
        metric_time: Timestamp of the CloudWatch metrics.
        environment: All variables, including those that only one type of analysis reads.
    """

    dataset_source: Path
    dataset_format: str
    output_path: Path
    analysis_type: str
    baseline_statistics: Path | None
    baseline_constraints: Path | None
    categorical_drift_method: str
    problem_type: str | None
    ground_truth_source: Path | None
    record_preprocessor_script: Path | None
    post_analytics_processor_script: Path | None
    model_schema: Path | None
    feature_importance: Path | None
    malformed_records_limit: int
    record_tolerance: float
    metric_tolerance: float
    labels_per_window: int
    window: Window
    metric_time: datetime
    publish_cloudwatch_metrics: bool
    endpoint_name: str | None
    schedule_name: str | None
    environment: Mapping[str, str]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], now: datetime | None = None) -> Settings:
        """Read the settings from environment variables.

        Args:
            environment: The variables by name; an empty value counts as unset.
            now: The current time, which relative times refer to.

        Raises:
            QualityError: A variable is missing or invalid.
        """
        now = now or datetime.now(UTC)
        given = {name: value for name, value in environment.items() if value}
        window = window_of(given, now)
        analysis_type = _choice(given, "analysis_type", (DATA_QUALITY, MODEL_QUALITY), DATA_QUALITY)
        problem_type = _choice(given, "problem_type", tuple(METRICS_KEY)) if analysis_type == MODEL_QUALITY else None
        return cls(
            dataset_source=Path(_required(given, "dataset_source")),
            dataset_format=_required(given, "dataset_format"),
            output_path=Path(_required(given, "output_path")),
            analysis_type=analysis_type,
            baseline_statistics=_path(given, "baseline_statistics"),
            baseline_constraints=_path(given, "baseline_constraints"),
            categorical_drift_method=given.get("categorical_drift_method", "LInfinity"),
            problem_type=problem_type,
            ground_truth_source=_path(given, "ground_truth_source"),
            record_preprocessor_script=_path(given, "record_preprocessor_script"),
            post_analytics_processor_script=_path(given, "post_analytics_processor_script"),
            model_schema=_path(given, "model_schema"),
            feature_importance=_path(given, "feature_importance"),
            malformed_records_limit=malformed_records_limit(given),
            record_tolerance=_number(given, "record_tolerance", 0, 1, default=0),
            metric_tolerance=_number(given, "metric_tolerance", 0, 10, default=0),
            labels_per_window=round(_number(given, "labels_per_window", 1, 1e12, default=500)),
            window=window,
            metric_time=metric_time(given, window, now),
            publish_cloudwatch_metrics=_choice(given, "publish_cloudwatch_metrics", ("Enabled", "Disabled"), "Disabled")
            == "Enabled",
            endpoint_name=given.get("sagemaker_endpoint_name"),
            schedule_name=given.get("sagemaker_monitoring_schedule_name"),
            environment=given,
        )

    @property
    def name(self) -> str:
        """Name of the monitored thing, the same from run to run."""
        return self.schedule_name or self.endpoint_name or self.dataset_source.name


def malformed_records_limit(environment: Mapping[str, str]) -> int:
    """Return the number of malformed records that may be skipped.

    Raises:
        QualityError: The variable of that name is not a number.
    """
    text = environment.get("malformed_records_limit") or str(MALFORMED_RECORDS_LIMIT)
    if not text.isdecimal():
        raise QualityError(f"malformed_records_limit {text!r} is not a whole number; use 0 or greater")
    return int(text)


def metric_time(given: Mapping[str, str], window: Window, now: datetime) -> datetime:
    """Return the timestamp of the metrics, by default the start of the window. Raises QualityError if it is invalid."""
    if "metric_time" in given:
        return parse_time("metric_time", given["metric_time"])
    return window.start or window.end or now


def _required(given: Mapping[str, str], name: str) -> str:
    if name not in given:
        raise QualityError(f"the environment variable {name} is not set; see python -m analyzer --help")
    return given[name]


def _path(given: Mapping[str, str], name: str) -> Path | None:
    return Path(given[name]) if name in given else None


def _choice(given: Mapping[str, str], name: str, choices: tuple[str, ...], default: str | None = None) -> str:
    value = given.get(name, default) or _required(given, name)
    if value not in choices:
        raise QualityError(f"unknown {name} {value!r}; use one of {', '.join(choices)}")
    return value


def _number(given: Mapping[str, str], name: str, lowest: float, highest: float, default: float) -> float:
    try:
        value = float(given.get(name, default))
    except ValueError:
        value = math.nan
    if not lowest <= value <= highest:
        raise QualityError(f"{name} {given[name]!r} is not a number from {lowest:g} to {highest:g}")
    return value
