"""The result of one run of the analyzer, which reports, trends and alarms are built from.

`Analysis` is plain frozen data. A run writes it as files: statistics.json, constraints.json and
constraint_violations.json in Model Monitor's formats, and analysis.json for everything else.
`analyzer.files.analysis_file` reads all four back. All times are in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analyzer.constraints.data_quality import Constraints, Violation
from analyzer.profile.statistics import Statistics

DATA_QUALITY = "DATA_QUALITY"
MODEL_QUALITY = "MODEL_QUALITY"

# Values of comparison_operator: on which side of its threshold a metric is a violation.
LESS = "LessThanThreshold"
GREATER = "GreaterThanThreshold"


@dataclass(frozen=True)
class Window:
    """The time range of the records: ``start`` inclusive, ``end`` exclusive, None if unknown."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class SkippedRecord:
    """A record that could not be read. ``excerpt`` is its beginning, which may go into reports but not into logs."""

    file: str
    line: int
    reason: str
    excerpt: str


@dataclass(frozen=True)
class Skipped:
    """The malformed records that were skipped; ``samples`` has the first few."""

    count: int = 0
    limit: int = 0
    samples: tuple[SkippedRecord, ...] = ()


@dataclass(frozen=True)
class FeatureDrift:
    """The drift of one feature from its baseline, by several measures.

    Attributes:
        feature_name: Name of the feature, as in the statistics.
        method: What the drift check compares by: Robust or Simple for numbers, LInfinity or ChiSquared for categories.
        distance: Drift distance by that method, 0 to 1.
        threshold: Distance above which the drift is a violation, with the feature's overrides applied.
        checked: Whether the drift check is enabled for the feature.
        simple: Largest gap between the cumulative distributions (numbers) or between the frequencies (categories,
            LInfinity), 0 to 1.
        robust: ``simple`` minus the gap expected by chance between samples of this size, 0 to 1.
        population_stability_index: 0 or greater; conventionally, 0.1 to 0.25 is moderate and more is large.
        jensen_shannon: Jensen-Shannon distance to base 2, 0 to 1.
        wasserstein: Numbers only: the mean distance that values moved, in standard deviations of the baseline. None
            for categories and for a baseline without variance.
        importance: The feature's share of the model's total importance, 0 to 1; None if no importance was given.
    """

    feature_name: str
    method: str
    distance: float
    threshold: float
    checked: bool
    simple: float
    robust: float
    population_stability_index: float
    jensen_shannon: float
    wasserstein: float | None = None
    importance: float | None = None

    @property
    def exceeded(self) -> bool:
        """Whether the distance is a violation."""
        return self.checked and self.distance > self.threshold

    @property
    def weight(self) -> float:
        """The distance, multiplied by the importance if that is known; features are ranked by it."""
        return self.distance * (1.0 if self.importance is None else self.importance)


@dataclass(frozen=True)
class DataQuality:
    """Statistics of the records and, if a baseline was given, violations and drift.

    Attributes:
        statistics: Of the current records.
        constraints: The constraints that were checked, or without a baseline those suggested from the records.
        baseline: Statistics of the baseline, if given.
        violations: Column checks first, then by feature in the order of the constraints; None if nothing was checked.
        drift: Of the features that are comparable in both statistics, the highest ``weight`` first.
    """

    statistics: Statistics
    constraints: Constraints
    baseline: Statistics | None = None
    violations: tuple[Violation, ...] | None = None
    drift: tuple[FeatureDrift, ...] = ()


@dataclass(frozen=True)
class MetricViolation:
    """One entry of a model quality constraint_violations.json."""

    metric_name: str
    constraint_check_type: str
    description: str


@dataclass(frozen=True)
class Metric:
    """A model quality metric: its current value, its value in the baseline, and its constraint.

    A ``value`` or deviation of None stands for Model Monitor's "NaN": undefined on these records, or too few of them.
    """

    name: str
    value: float | None
    standard_deviation: float | None
    baseline: float | None = None
    baseline_standard_deviation: float | None = None
    threshold: float | None = None
    comparison_operator: str | None = None

    @property
    def violated(self) -> bool:
        """Whether the value violates its constraint."""
        if self.value is None or self.threshold is None:
            return False
        return (self.comparison_operator == LESS and self.value < self.threshold) or (
            self.comparison_operator == GREATER and self.value > self.threshold
        )


@dataclass(frozen=True)
class Merge:
    """Counts of a merge of captured inferences with ground truth.

    Attributes:
        inferences: Inferences captured in the window.
        labels: Labels read, without duplicates.
        merged: Inferences with a label.
        unlabelled: Inferences without a label so far.
        unmatched: Labels without an inference in the window, mostly late labels.
        duplicate_inferences: Inferences with the id of another one; the last one is used.
        duplicate_labels: Labels with the id of another one; the last one is used.
    """

    inferences: int
    labels: int
    merged: int
    unlabelled: int
    unmatched: int
    duplicate_inferences: int
    duplicate_labels: int


@dataclass(frozen=True)
class ModelQuality:
    """Metrics of predictions against labels; the documents are those of `analyzer.performance.metrics`.

    Attributes:
        problem_type: BinaryClassification, MulticlassClassification or Regression.
        statistics: The statistics.json document, with confusion matrix and (binary classification) curves.
        constraints: The constraints.json document that was checked, or without a baseline the suggested one.
        metrics: Every scalar metric of the statistics, in their order.
        baseline: The statistics document of the baseline, if given.
        violations: None if nothing was checked.
        merge: Counts of the ground truth merge; None if the records needed none.
    """

    problem_type: str
    statistics: Mapping[str, Any]
    constraints: Mapping[str, Any]
    metrics: tuple[Metric, ...]
    baseline: Mapping[str, Any] | None = None
    violations: tuple[MetricViolation, ...] | None = None
    merge: Merge | None = None


@dataclass(frozen=True)
class Analysis:
    """The result of one run.

    Attributes:
        name: Name of the monitoring schedule, else of the endpoint, else of the dataset's file or folder.
        created: When the analysis completed.
        window: Time range of the records.
        skipped: Malformed records.
        result: `DataQuality` or `ModelQuality`, by the type of the analysis.
    """

    name: str
    created: datetime
    window: Window
    skipped: Skipped
    result: DataQuality | ModelQuality

    @property
    def analysis_type(self) -> str:
        """DATA_QUALITY or MODEL_QUALITY."""
        return DATA_QUALITY if isinstance(self.result, DataQuality) else MODEL_QUALITY

    @property
    def item_count(self) -> int:
        """The number of records analyzed."""
        if isinstance(self.result, DataQuality):
            return self.result.statistics.item_count
        count: int = self.result.statistics["dataset"]["item_count"]
        return count

    @property
    def violation_count(self) -> int | None:
        """The number of violations; None if nothing was checked."""
        return None if self.result.violations is None else len(self.result.violations)
