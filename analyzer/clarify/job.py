"""A Clarify job: reads the dataset that a configuration describes, analyzes it and writes Clarify's files."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analyzer import QualityError
from analyzer.clarify import analysis as analysis_file
from analyzer.clarify.analysis import Analysis
from analyzer.clarify.attributes import Attributes
from analyzer.clarify.bias import measure_bias
from analyzer.clarify.drift import Violation, compared, find_violations, to_json, violation_groups
from analyzer.clarify.explanations import Explanations
from analyzer.clarify.inputs import configuration, join_others, label_name, open_records
from analyzer.clarify.metrics import MetricSettings, emit
from analyzer.clarify.predictions import predict, with_predictions
from analyzer.clarify.report import REPORT, write_report
from analyzer.clarify.settings import ClarifyJob
from analyzer.clarify.thresholds import decided
from analyzer.schema import read_schema
from analyzer.violations import named_violations

__all__ = ["Attributes", "ClarifyJob", "ClarifyResult", "MetricSettings", "run"]


@dataclass(frozen=True)
class ClarifyResult:
    """The result of a Clarify job.

    Attributes:
        analysis: Content of analysis.json.
        violations: Those of constraint_violations.json; empty without a baseline.
        message: Exit message; starts with Completed or CompletedWithViolations.
        records: The number of records that were analyzed.
    """

    analysis: Analysis
    violations: list[Violation]
    message: str
    records: int


def run(job: ClarifyJob) -> ClarifyResult:
    """Run the job and write its files, all or none.

    Raises:
        QualityError: The configuration is invalid, or the data cannot be analyzed.
    """
    config = configuration(job)
    baseline = None if job.baseline is None else analysis_file.read(job.baseline)
    try:
        job.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QualityError(f"cannot write to {job.output} ({error}); use a writable folder") from error
    with (
        tempfile.TemporaryDirectory(prefix="clarify-") as downloads,
        tempfile.TemporaryDirectory(dir=job.output, prefix=".writing-") as written,
    ):
        results = Path(written)
        schema = read_schema(job.model) if job.model is not None else None
        records = open_records(job, config, schema, Path(downloads))
        complete = decided(join_others(records, config, Path(downloads)), config)
        with_labels = config.post_training is not None and complete.columns.predicted_label is None
        explained = Explanations(None, None)
        if with_labels or config.explains:
            prediction = predict(records, config, job.model, with_labels, job.seed, results, Path(downloads))
            explained = prediction.explanations
            if prediction.labels is not None:
                complete = with_predictions(complete, prediction.labels)
        bias = None
        if config.has_bias:
            features = records.columns.features(config)
            bias = measure_bias(complete, config, label_name(records, config), job.seed, features)
        analysis: Analysis = {"version": analysis_file.VERSION}
        analysis |= analysis_file.explanations(explained.shap, explained.pdp) | (bias.sections if bias else {})
        count = bias.records if bias else explained.shap.records if explained.shap else 0
        baseline = baseline if count >= job.least_records else None
        violations = [] if baseline is None else find_violations(analysis, baseline, job.metric_tolerance)
        _write(results / analysis_file.NAME, analysis_file.to_text(analysis))
        if job.baseline is not None:
            _write(results / analysis_file.VIOLATIONS, analysis_file.to_text(to_json(violations)))
        write_report(
            results / REPORT, config.report_title, analysis, bias, violations, baseline, complete.malformed, count
        )
        _move(results, job.output)
    if job.metrics is not None:
        emit(analysis, job.metrics)
    return ClarifyResult(analysis, violations, _message(analysis, violations, baseline), count)


def _message(analysis: Analysis, violations: Sequence[Violation], baseline: Analysis | None) -> str:
    if baseline is None:
        return "Completed: Job completed successfully."
    if not compared(analysis, baseline):
        # No violation, but no comparison either: both must not look alike.
        return (
            "Completed: Job completed successfully, but the baseline has no metric of these groups and no attribution "
            "of these labels to compare with; check its path."
        )
    if not violations:
        return "Completed: Job completed successfully with no violations."
    message = f"CompletedWithViolations: Job completed successfully with {len(violations)} violations."
    return named_violations(message, violation_groups(violations, analysis, baseline), analysis_file.VIOLATIONS)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _move(results: Path, output: Path) -> None:
    """Move the results to the output folder."""
    for path in sorted(results.rglob("*")):
        if path.is_file():
            target = output / path.relative_to(results)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
