"""An analysis from its settings to its files."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analyzer import NoRecords, QualityError
from analyzer.analysis import MODEL_QUALITY, Analysis, DataQuality, Merge, MetricViolation, ModelQuality
from analyzer.constraints.data_quality import Constraints, check, suggest
from analyzer.constraints.model_quality import check_metrics, metrics_of, suggest_metrics
from analyzer.datasets import CAPTURES, MERGED, Dataset, format_name
from analyzer.datasets.skips import Skips
from analyzer.drift.feature_drift import measure
from analyzer.drift.importance import read_importance
from analyzer.files import analysis_file
from analyzer.files import model_monitor as files
from analyzer.performance.ground_truth import merge
from analyzer.performance.metrics import model_quality
from analyzer.performance.records import Attributes, read_records
from analyzer.profile import partial
from analyzer.profile.profile import Profile, profile_states
from analyzer.profile.statistics import Statistics
from analyzer.reports.report import write_report
from analyzer.scripts import Preprocessor, postprocess
from analyzer.settings import Settings

logger = logging.getLogger(__name__)

Documents = dict[str, Mapping[str, Any]]
MERGED_FORMAT = '{"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}'


@dataclass(frozen=True)
class Hosts:
    """The instances of a processing job, each with a part of the dataset when it is ``sharded`` by its S3 keys."""

    current: str = "algo-1"
    all: tuple[str, ...] = ("algo-1",)
    sharded: bool = False

    @property
    def share(self) -> bool:
        """Whether this instance has only a part of the dataset."""
        return self.sharded and len(self.all) > 1


def analyse(settings: Settings) -> Analysis:
    """Run an analysis, write its files and return what it found.

    The output folder gets statistics.json, constraints.json (suggested from these records), analysis.json and, where
    there is a baseline, constraint_violations.json: all of them or, when the analysis fails, none. report.html shows
    them to people.

    Raises:
        QualityError: a setting is wrong or the data cannot be analysed.
    """
    # Loaded and read before the long pass: a wrong path should cost seconds.
    script = settings.post_analytics_processor_script
    postprocess_handler = postprocess(script) if script else None
    skips = Skips(settings.malformed_records_limit)
    find = _model_quality if settings.analysis_type == MODEL_QUALITY else _data_quality
    result, documents = find(settings, skips)
    analysis = Analysis(settings.name, datetime.now(UTC), settings.window, skips.frozen(), result)
    files.write(settings.output_path, documents | {analysis_file.NAME: analysis_file.to_json(analysis)})
    write_report(analysis, settings.output_path / "report.html")
    if skips.count:
        logger.warning("%d malformed records were skipped; analysis.json has the first of them", skips.count)
    if postprocess_handler is not None:
        try:
            postprocess_handler()
        except Exception as error:
            raise QualityError(f"{script}: postprocess_handler failed ({type(error).__name__}: {error})") from error
    return analysis


def profile_part(settings: Settings, host: str) -> int:
    """Write the partial profile of an instance that has a part of the dataset; returns the number of its records.

    Raises:
        QualityError: the analysis is not one of data quality, or the data cannot be read.
    """
    if settings.analysis_type == MODEL_QUALITY:
        raise QualityError(
            "model quality needs all records on one instance; use S3DataDistributionType FullyReplicated"
        )
    skips = Skips(settings.malformed_records_limit)
    source = settings.dataset_source
    # With fewer objects than instances, some of these have nothing to do.
    is_empty = source.is_dir() and not any(path.is_file() for path in source.rglob("*"))
    _, constraints = _data_quality_baseline(settings)
    states = Profile() if is_empty else profile_states(_dataset(settings, constraints), skips)
    partial.write_partial(settings.output_path, host, states, skips.frozen())
    return states.records


def _data_quality(settings: Settings, skips: Skips) -> tuple[DataQuality, Documents]:
    baseline, constraints = _data_quality_baseline(settings)
    importance = read_importance(settings.feature_importance) if settings.feature_importance else None
    if format_name(settings.dataset_format) == partial.FORMAT:
        current = partial.merge_partials(settings.dataset_source, skips).statistics()
    else:
        current = profile_states(_dataset(settings, constraints), skips).statistics()
    suggested = suggest(current, settings.categorical_drift_method)
    documents: Documents = {
        files.STATISTICS: files.statistics_to_json(current),
        files.CONSTRAINTS: files.constraints_to_json(suggested),
    }
    if constraints is None:
        return DataQuality(current, suggested), documents
    violations = tuple(check(current, constraints, baseline))
    documents[files.VIOLATIONS] = files.violations_to_json(violations)
    drift = measure(current, baseline, constraints, importance) if baseline else ()
    return DataQuality(current, constraints, baseline, violations, drift), documents


def _data_quality_baseline(settings: Settings) -> tuple[Statistics | None, Constraints | None]:
    path = settings.baseline_constraints
    baseline = files.read_statistics(settings.baseline_statistics) if settings.baseline_statistics else None
    return baseline, files.read_constraints(path) if path else suggest(baseline) if baseline else None


def _dataset(settings: Settings, constraints: Constraints | None = None) -> Dataset:
    script = settings.record_preprocessor_script
    return Dataset.of(
        settings.dataset_source,
        settings.dataset_format,
        [feature.name for feature in constraints.features] if constraints else (),
        settings.window,
        Preprocessor.load(script) if script else None,
    )


def _model_quality(settings: Settings, skips: Skips) -> tuple[ModelQuality, Documents]:
    problem_type = settings.problem_type or ""
    merged = settings.ground_truth_source is not None or format_name(settings.dataset_format) == MERGED
    attributes = Attributes.of(settings.environment, problem_type, merged)
    baseline = files.read(settings.baseline_statistics) if settings.baseline_statistics else None
    path = settings.baseline_constraints
    constraints = files.read(path) if path else suggest_metrics(baseline, problem_type) if baseline else None
    if settings.ground_truth_source is None:
        found = read_records(_dataset(settings), attributes, skips)
        counts = _counts_of_merge_job(settings.dataset_source)
    else:
        if format_name(settings.dataset_format) != CAPTURES:
            raise QualityError("ground_truth_source merges with captures; set dataset_format to sagemakerCaptureJson")
        with tempfile.TemporaryDirectory(prefix="merged-") as folder:
            whole = replace(settings, dataset_source=Path(folder), dataset_format=MERGED_FORMAT)
            counts = merge(
                settings.dataset_source, settings.ground_truth_source, whole.dataset_source, settings.window, skips
            )
            if counts.merged == 0:
                raise NoRecords(
                    f"none of {counts.inferences} captured inferences has a label among {counts.labels} in "
                    f"{settings.ground_truth_source}; check the window and that the ids are the same"
                )
            found = read_records(_dataset(whole), attributes, skips)
    current = model_quality(problem_type, found.labels, found.predictions, found.probabilities)
    suggested = suggest_metrics(current, problem_type)
    documents: Documents = {files.STATISTICS: current, files.CONSTRAINTS: suggested}
    violations = None
    if constraints is not None:
        entries = check_metrics(current, constraints, problem_type)
        documents[files.VIOLATIONS] = {"violations": entries}
        violations = tuple(MetricViolation(**entry) for entry in entries)
    metrics = metrics_of(current, problem_type, baseline, constraints)
    checked = suggested if constraints is None else constraints
    return ModelQuality(problem_type, current, checked, metrics, baseline, violations, counts), documents


def _counts_of_merge_job(source: Path) -> Merge | None:
    path = source / analysis_file.MERGE_NAME
    return Merge(**files.read(path)) if path.is_file() else None
