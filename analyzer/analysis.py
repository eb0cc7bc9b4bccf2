"""What one run of the analyzer found: what reports, trends and alarms build on.

`Analysis` is the whole of it, plain frozen data. A run leaves it as files: statistics.json, constraints.json and
constraint_violations.json in Model Monitor's forms, and analysis.json for what these have no place for;
`analyzer.files.analysis_file` reads the four back. All times are in UTC.
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

# A metric's comparison_operator says which side of its threshold is a violation.
LESS = "LessThanThreshold"
GREATER = "GreaterThanThreshold"


@dataclass(frozen=True)
class Window:
    """The time that the records are of: from ``start`` on, before ``end``; None where that is not known."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class SkippedRecord:
    """A record that could not be read. ``excerpt`` is its beginning: for a report, never for a log."""

    file: str
    line: int
    reason: str
    excerpt: str


@dataclass(frozen=True)
class Skipped:
    """The records that were left out because they are malformed; the first few of them are in ``samples``."""

    count: int = 0
    limit: int = 0
    samples: tuple[SkippedRecord, ...] = ()


@dataclass(frozen=True)
class FeatureDrift:
    """How far one feature is from its baseline, by several measures.

    Attributes:
        feature_name: as in the statistics.
        method: what the check compares: Robust or Simple for numbers, LInfinity or ChiSquared for categories.
        distance: by that method, 0 to 1.
        threshold: the distance beyond which it is a violation, with the feature's overrides.
        checked: whether the check is enabled for the feature; without it there is no violation whatever the distance.
        simple: the largest gap between the cumulative distributions (numbers) or the frequencies (categories, that is
            LInfinity), 0 to 1.
        robust: ``simple`` less what chance alone makes of samples of this size, 0 to 1.
        population_stability_index: from 0 on; by custom 0.1 to 0.25 is moderate and more is large.
        jensen_shannon: the Jensen-Shannon distance to base 2, 0 to 1.
        wasserstein: numbers only: the mean distance that values moved, in standard deviations of the baseline; None
            for categories and for a baseline without spread.
        importance: the feature's share of the model's importance, 0 to 1; None where no importance was given.
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
        """What the features are ranked by: the distance, times the importance where that is known."""
        return self.distance * (1.0 if self.importance is None else self.importance)


@dataclass(frozen=True)
class DataQuality:
    """Statistics of the records, and what they come to against a baseline, if one was given.

    Attributes:
        statistics: of the records now.
        constraints: those that were checked; those suggested from the records themselves where there was no baseline.
        baseline: statistics of the baseline, None without them.
        violations: columns first, then feature by feature as in the constraints; None when nothing was checked.
        drift: of the features that are in both statistics and can be compared, the highest ``weight`` first.
    """

    statistics: Statistics
    constraints: Constraints
    baseline: Statistics | None = None
    violations: tuple[Violation, ...] | None = None
    drift: tuple[FeatureDrift, ...] = ()


@dataclass(frozen=True)
class MetricViolation:
    """One entry of a model-quality constraint_violations.json."""

    metric_name: str
    constraint_check_type: str
    description: str


@dataclass(frozen=True)
class Metric:
    """A metric of model quality now, in the baseline, and what it is held against; None for what there is not.

    A ``value`` or deviation of None stands for Model Monitor's "NaN": not defined on these records, or too few.
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
        """Whether the value is on the wrong side of the threshold."""
        if self.value is None or self.threshold is None:
            return False
        return (self.comparison_operator == LESS and self.value < self.threshold) or (
            self.comparison_operator == GREATER and self.value > self.threshold
        )


@dataclass(frozen=True)
class Merge:
    """How captured inferences and ground truth found each other; all are numbers of inferences or labels.

    Attributes:
        inferences: captured in the window.
        labels: read, duplicates aside.
        merged: inferences with their label.
        unlabelled: inferences without a label so far.
        unmatched: labels whose inference was not captured in the window (late ones, mostly).
        duplicate_inferences: captured more than once under one id; the last one counts.
        duplicate_labels: given more than once for one id; the last one counts.
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
    """How well predictions met the labels; the documents are those of `analyzer.performance.metrics`.

    Attributes:
        problem_type: BinaryClassification, MulticlassClassification or Regression.
        statistics: the document of statistics.json, with confusion matrix and curves (of binary classification).
        constraints: the document of constraints.json that was checked; the suggested one where there was no baseline.
        metrics: every metric of the statistics that is one number, in their order.
        baseline: the statistics document of the baseline, None without it.
        violations: None when nothing was checked.
        merge: None where the records came merged.
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
    """One run; ``result`` tells the kind.

    Attributes:
        name: of the monitoring schedule, else of the endpoint, else of the dataset's file or folder.
        created: when the analysis ended.
        window: of the records.
        skipped: malformed records.
        result: `DataQuality` or `ModelQuality`.
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
        """The number of records that were analysed."""
        if isinstance(self.result, DataQuality):
            return self.result.statistics.item_count
        count: int = self.result.statistics["dataset"]["item_count"]
        return count

    @property
    def violation_count(self) -> int | None:
        """None when nothing was checked."""
        return None if self.result.violations is None else len(self.result.violations)
