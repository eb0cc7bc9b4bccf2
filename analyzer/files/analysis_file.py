"""analysis.json, which has the results that Model Monitor's files have no place for; reads back whole analyses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.analysis import DATA_QUALITY, Analysis, DataQuality, ModelQuality
from analyzer.constraints.data_quality import Violation
from analyzer.constraints.model_quality import Metric, MetricViolation
from analyzer.datasets.malformed_records import Skipped, SkippedRecord
from analyzer.drift.feature_drift import FeatureDrift
from analyzer.files import json_files
from analyzer.files.constraints_file import constraints_from_json, constraints_to_json
from analyzer.files.statistics_file import read_statistics
from analyzer.performance.merge import Merge
from analyzer.performance.unknown_classes import UnknownClasses
from analyzer.window import Window

NAME = "analysis.json"
# Counts of a merge job, written beside the merged records; the underscore marks it as not being one of them.
MERGE_NAME = "_merge.json"
VERSION = 1


def to_json(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis.json document."""
    document: dict[str, Any] = {
        "version": VERSION,
        "analysis_type": analysis.analysis_type,
        "name": analysis.name,
        "created": analysis.created.isoformat(),
        "window": {"start": _time_to_json(analysis.window.start), "end": _time_to_json(analysis.window.end)},
        "skipped": asdict(analysis.skipped),
    }
    result = analysis.result
    if isinstance(result, DataQuality):
        document["constraints"] = constraints_to_json(result.constraints)
        document["drift"] = [asdict(drift) for drift in result.drift]
    else:
        document["problem_type"] = result.problem_type
        document["constraints"] = result.constraints
        document["metrics"] = [asdict(metric) for metric in result.metrics]
        document["classes"] = list(result.classes)
        document["merge"] = None if result.merge is None else asdict(result.merge)
        document["unknown_classes"] = None if result.unknown is None else asdict(result.unknown)
    return document


def read(folder: Path, baseline_statistics: Path | None = None) -> Analysis:
    """Read an analysis from its result files.

    Args:
        folder: The output_path of the run.
        baseline_statistics: statistics.json of the baseline, which is not in the folder. Without it the result has no
            ``baseline``, but still has drift and the baseline values of metrics.

    Raises:
        QualityError: A file is missing or invalid.
    """
    path = folder / NAME
    document = json_files.read(path)
    try:
        read_result = _data_quality if document["analysis_type"] == DATA_QUALITY else _model_quality
        skipped = document["skipped"]
        return Analysis(
            name=document["name"],
            created=datetime.fromisoformat(document["created"]),
            window=Window(_time_from_json(document["window"]["start"]), _time_from_json(document["window"]["end"])),
            skipped=Skipped(
                skipped["count"],
                skipped["limit"],
                tuple(SkippedRecord(**sample) for sample in skipped["samples"]),
                skipped.get("test_requests", 0),
            ),
            result=read_result(folder, document, baseline_statistics),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, QualityError):
            raise
        raise QualityError(
            f"{path} is not an analysis.json of this analyzer ({error}); run the analysis again"
        ) from error


def _data_quality(folder: Path, document: Mapping[str, Any], baseline: Path | None) -> DataQuality:
    violations = _violations(folder)
    return DataQuality(
        statistics=read_statistics(folder / json_files.STATISTICS),
        constraints=constraints_from_json(document["constraints"], folder / NAME),
        baseline=read_statistics(baseline) if baseline else None,
        violations=None if violations is None else tuple(Violation(**violation) for violation in violations),
        drift=tuple(FeatureDrift(**drift) for drift in document["drift"]),
    )


def _model_quality(folder: Path, document: Mapping[str, Any], baseline: Path | None) -> ModelQuality:
    violations = _violations(folder)
    return ModelQuality(
        problem_type=document["problem_type"],
        statistics=json_files.read(folder / json_files.STATISTICS),
        constraints=document["constraints"],
        metrics=tuple(Metric(**metric) for metric in document["metrics"]),
        baseline=json_files.read(baseline) if baseline else None,
        violations=None if violations is None else tuple(MetricViolation(**violation) for violation in violations),
        merge=None if document["merge"] is None else Merge(**document["merge"]),
        unknown=_unknown(document.get("unknown_classes")),
        classes=tuple(document.get("classes", ())),
    )


def _unknown(document: Mapping[str, Any] | None) -> UnknownClasses | None:
    if document is None:
        return None
    examples = {
        name: tuple((text, count) for text, count in document[name])
        for name in ("label_examples", "prediction_examples")
    }
    return UnknownClasses(**{**document, **examples, "classes": tuple(document["classes"])})


def _violations(folder: Path) -> list[dict[str, str]] | None:
    path = folder / json_files.VIOLATIONS
    violations: list[dict[str, str]] | None = json_files.read(path)["violations"] if path.is_file() else None
    return violations


def _time_to_json(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time_from_json(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
