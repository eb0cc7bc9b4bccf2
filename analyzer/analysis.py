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
from analyzer.constraints.model_quality import Metric, MetricViolation
from analyzer.datasets.malformed_records import Skipped
from analyzer.drift.feature_drift import FeatureDrift
from analyzer.performance.merge import Merge
from analyzer.performance.unknown_classes import UnknownClasses
from analyzer.profile.statistics import Statistics
from analyzer.violations import ViolationGroup, group_violations
from analyzer.window import Window

DATA_QUALITY = "DATA_QUALITY"
MODEL_QUALITY = "MODEL_QUALITY"


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
        unknown: Labels and predictions that are no class; None if there are none, or the classes are not known.
        classes: The names of the classes, of two the positive one last; empty if they are not known. In the statistics
            of a binary classification, Model Monitor's 0 and 1 stand for them.
    """

    problem_type: str
    statistics: Mapping[str, Any]
    constraints: Mapping[str, Any]
    metrics: tuple[Metric, ...]
    baseline: Mapping[str, Any] | None = None
    violations: tuple[MetricViolation, ...] | None = None
    merge: Merge | None = None
    unknown: UnknownClasses | None = None
    classes: tuple[str, ...] = ()


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
    def violation_groups(self) -> tuple[ViolationGroup, ...]:
        """The violations by cause, those of features that drifted most first."""
        if isinstance(self.result, DataQuality):
            ranking = [drift.feature_name for drift in self.result.drift]
            found = [
                (violation.feature_name, violation.constraint_check_type, violation.description)
                for violation in self.result.violations or ()
            ]
            return group_violations(found, self.item_count, ranking)
        return group_violations(
            (violation.metric_name, violation.constraint_check_type, violation.description)
            for violation in self.result.violations or ()
        )

    @property
    def violation_count(self) -> int | None:
        """The number of violations; None if nothing was checked."""
        return None if self.result.violations is None else len(self.result.violations)
