"""Runs an analysis: reads the data that its settings name, computes and checks, and writes the result files."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analyzer import NoRecords, QualityError
from analyzer.analysis import MODEL_QUALITY, Analysis, DataQuality, ModelQuality
from analyzer.constraints.by_schema import constraints_by_schema, statistics_by_schema, typed_like
from analyzer.constraints.data_quality import Constraints, check, suggest
from analyzer.constraints.model_quality import MetricViolation, check_metrics, collect_metrics, suggest_metrics
from analyzer.constraints.tolerance import tolerate_chance, tolerate_records
from analyzer.datasets.dataset import CAPTURES, MERGED, Dataset, format_name
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.datasets.preprocessor import Preprocessor
from analyzer.drift.feature_drift import measure
from analyzer.drift.importance import read_importance
from analyzer.files import analysis_file, json_files, partial_profile
from analyzer.files.constraints_file import (
    constraints_from_json,
    constraints_to_json,
    read_constraints,
    violations_to_json,
)
from analyzer.files.statistics_file import read_statistics, statistics_to_json
from analyzer.performance.ground_truth import merge
from analyzer.performance.merge import Merge
from analyzer.performance.metrics import model_quality
from analyzer.performance.records import Attributes, read_records
from analyzer.profile.profile import Profile, profile_states
from analyzer.profile.statistics import Statistics
from analyzer.reports.report import write_report
from analyzer.schema import Schema, read_schema
from analyzer.scripts import postprocess
from analyzer.settings import Settings

logger = logging.getLogger(__name__)

# JSON documents by file name.
Documents = dict[str, Mapping[str, Any]]
MERGED_FORMAT = '{"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}'


@dataclass(frozen=True)
class ProcessingCluster:
    """The instances of a processing job; each has a part of the dataset if it is ``sharded`` (ShardedByS3Key)."""

    current_host: str = "algo-1"
    hosts: tuple[str, ...] = ("algo-1",)
    sharded: bool = False

    @property
    def has_partial_dataset(self) -> bool:
        """Whether this instance has only a part of the dataset."""
        return self.sharded and len(self.hosts) > 1


def analyze(settings: Settings) -> Analysis:
    """Run an analysis, write its result files and return the result.

    The output folder gets statistics.json, constraints.json (suggested from these records), analysis.json and, with a
    baseline, constraint_violations.json: all of them or, if the analysis fails, none. report.html shows them as a page.

    Raises:
        QualityError: A setting is invalid or the data cannot be analyzed.
    """
    # Loaded before the long pass over the data, so that a wrong path fails within seconds.
    script = settings.post_analytics_processor_script
    postprocess_handler = postprocess(script) if script else None
    malformed = MalformedRecords(settings.malformed_records_limit)
    run = _model_quality if settings.analysis_type == MODEL_QUALITY else _data_quality
    result, documents = run(settings, malformed)
    analysis = Analysis(settings.name, datetime.now(UTC), settings.window, malformed.summary(), result)
    json_files.write(settings.output_path, documents | {analysis_file.NAME: analysis_file.to_json(analysis)})
    write_report(analysis, settings.output_path / "report.html")
    if malformed.test_requests:
        logger.info("%d test requests left out", malformed.test_requests)
    if malformed.count:
        logger.warning("%d malformed records were skipped; see analysis.json for the first of them", malformed.count)
    if postprocess_handler is not None:
        try:
            postprocess_handler()
        except Exception as error:
            raise QualityError(f"{script}: postprocess_handler failed ({type(error).__name__}: {error})") from error
    return analysis


def profile_part(settings: Settings, host: str) -> int:
    """Profile the part of the dataset that is on this instance, and write the partial profile.

    Args:
        settings: The settings of the whole analysis.
        host: Name of this instance, such as algo-1.

    Returns:
        The number of records profiled.

    Raises:
        QualityError: The analysis is not a data quality analysis, or the data cannot be read.
    """
    if settings.analysis_type == MODEL_QUALITY:
        raise QualityError(
            "model quality requires all records on one instance; set S3DataDistributionType to FullyReplicated"
        )
    malformed = MalformedRecords(settings.malformed_records_limit)
    source = settings.dataset_source
    # With fewer objects than instances, some instances get no object.
    is_empty = source.is_dir() and not any(path.is_file() for path in source.rglob("*"))
    schema = _schema(settings)
    _, constraints = _data_quality_baseline(settings, schema)
    states = Profile() if is_empty else profile_states(_dataset(settings, constraints, schema), malformed)
    partial_profile.write_partial(settings.output_path, host, states, malformed.summary())
    return states.records


def _data_quality(settings: Settings, malformed: MalformedRecords) -> tuple[DataQuality, Documents]:
    schema = _schema(settings)
    baseline, constraints = _data_quality_baseline(settings, schema)
    importance = read_importance(settings.feature_importance) if settings.feature_importance else None
    if format_name(settings.dataset_format) == partial_profile.FORMAT:
        current = partial_profile.merge_partials(settings.dataset_source, malformed).statistics()
    else:
        current = profile_states(_dataset(settings, constraints, schema), malformed).statistics()
    if schema and constraints:
        current = typed_like(current, constraints)
    suggested = suggest(current, settings.categorical_drift_method)
    documents: Documents = {
        json_files.STATISTICS: statistics_to_json(current),
        json_files.CONSTRAINTS: constraints_to_json(suggested),
    }
    if constraints is None:
        return DataQuality(current, suggested), documents
    violations = tuple(check(current, constraints, baseline))
    documents[json_files.VIOLATIONS] = violations_to_json(violations)
    drift = measure(current, baseline, constraints.config_of, importance) if baseline else ()
    return DataQuality(current, constraints, baseline, violations, drift), documents


def _data_quality_baseline(settings: Settings, schema: Schema | None) -> tuple[Statistics | None, Constraints | None]:
    path = settings.baseline_constraints
    baseline = read_statistics(settings.baseline_statistics) if settings.baseline_statistics else None
    if baseline and schema:
        baseline = statistics_by_schema(baseline, schema)
    constraints = read_constraints(path) if path else suggest(baseline) if baseline else None
    if constraints and settings.record_tolerance:
        document = tolerate_records(constraints_to_json(constraints), settings.record_tolerance)
        constraints = constraints_from_json(document, path or Path(json_files.CONSTRAINTS))
    if constraints and schema:
        constraints = constraints_by_schema(constraints, baseline, schema)
    return baseline, constraints


def _schema(settings: Settings) -> Schema | None:
    return read_schema(settings.model_schema) if settings.model_schema else None


def _dataset(settings: Settings, constraints: Constraints | None = None, schema: Schema | None = None) -> Dataset:
    script = settings.record_preprocessor_script
    return Dataset.from_format(
        settings.dataset_source,
        settings.dataset_format,
        [feature.name for feature in constraints.features] if constraints else (),
        settings.window,
        Preprocessor.load(script) if script else None,
        schema,
    )


def _model_quality(settings: Settings, malformed: MalformedRecords) -> tuple[ModelQuality, Documents]:
    problem_type = settings.problem_type or ""
    merged = settings.ground_truth_source is not None or format_name(settings.dataset_format) == MERGED
    attributes = Attributes.from_environment(settings.environment, problem_type, merged)
    baseline = json_files.read(settings.baseline_statistics) if settings.baseline_statistics else None
    schema = _schema(settings)
    classes = schema.classes if schema else ()
    path = settings.baseline_constraints
    constraints = json_files.read(path) if path else suggest_metrics(baseline, problem_type) if baseline else None
    if constraints and baseline:
        constraints = tolerate_chance(
            constraints, baseline, problem_type, settings.metric_tolerance, settings.labels_per_window
        )
    if settings.ground_truth_source is None:
        records = read_records(_dataset(settings), attributes, malformed, classes)
        counts = _counts_of_merge_job(settings.dataset_source)
    else:
        if format_name(settings.dataset_format) != CAPTURES:
            raise QualityError(
                "ground_truth_source can only be merged with captures; set dataset_format to sagemakerCaptureJson"
            )
        with tempfile.TemporaryDirectory(prefix="merged-") as folder:
            merged_settings = replace(settings, dataset_source=Path(folder), dataset_format=MERGED_FORMAT)
            counts = merge(
                settings.dataset_source,
                settings.ground_truth_source,
                merged_settings.dataset_source,
                settings.window,
                malformed,
            )
            if counts.merged == 0:
                raise NoRecords(
                    f"none of the {counts.inferences} captured inferences matches one of the {counts.labels} labels in "
                    f"{settings.ground_truth_source}; check the window and the inference ids"
                )
            records = read_records(_dataset(merged_settings), attributes, malformed, classes)
    if records.unknown:
        logger.warning("%s; their %d records are not part of the metrics", records.unknown, records.unknown.records)
    current = model_quality(problem_type, records.labels, records.predictions, records.probabilities)
    suggested = suggest_metrics(current, problem_type)
    documents: Documents = {json_files.STATISTICS: current, json_files.CONSTRAINTS: suggested}
    violations = None
    if constraints is not None:
        entries = check_metrics(current, constraints, problem_type)
        documents[json_files.VIOLATIONS] = {"violations": entries}
        violations = tuple(MetricViolation(**entry) for entry in entries)
    metrics = collect_metrics(current, problem_type, baseline, constraints)
    checked = suggested if constraints is None else constraints
    return ModelQuality(
        problem_type, current, checked, metrics, baseline, violations, counts, records.unknown, classes
    ), documents


def _counts_of_merge_job(source: Path) -> Merge | None:
    path = source / analysis_file.MERGE_NAME
    return Merge(**json_files.read(path)) if path.is_file() else None
