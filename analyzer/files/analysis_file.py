"""analysis.json: what a run found besides Model Monitor's files; and the whole of an analysis read back from all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.analysis import (
    DATA_QUALITY,
    Analysis,
    DataQuality,
    FeatureDrift,
    Merge,
    Metric,
    MetricViolation,
    ModelQuality,
    Skipped,
    SkippedRecord,
    Window,
)
from analyzer.constraints.data_quality import Violation
from analyzer.files import model_monitor as files

NAME = "analysis.json"
# Counts of a merge job, beside the merged records but no part of them, as the underscore says.
MERGE_NAME = "_merge.json"
VERSION = 1


def to_json(analysis: Analysis) -> dict[str, Any]:
    """The document of analysis.json."""
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
        document["constraints"] = files.constraints_to_json(result.constraints)
        document["drift"] = [asdict(drift) for drift in result.drift]
    else:
        document["problem_type"] = result.problem_type
        document["constraints"] = result.constraints
        document["metrics"] = [asdict(metric) for metric in result.metrics]
        document["merge"] = None if result.merge is None else asdict(result.merge)
    return document


def read(folder: Path, baseline_statistics: Path | None = None) -> Analysis:
    """The analysis that left its files in a folder.

    Args:
        folder: the output_path of the run.
        baseline_statistics: the file that it compared with, which the folder does not hold; without it the result has
            no ``baseline``, but its drift and its metrics' baseline values all the same.

    Raises:
        QualityError: a file is missing or no analysis's.
    """
    path = folder / NAME
    document = files.read(path)
    try:
        read_result = _data_quality if document["analysis_type"] == DATA_QUALITY else _model_quality
        skipped = document["skipped"]
        return Analysis(
            name=document["name"],
            created=datetime.fromisoformat(document["created"]),
            window=Window(*(_time_from_json(document["window"][end]) for end in ("start", "end"))),
            skipped=Skipped(
                skipped["count"],
                skipped["limit"],
                tuple(SkippedRecord(**sample) for sample in skipped["samples"]),
            ),
            result=read_result(folder, document, baseline_statistics),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, QualityError):
            raise
        raise QualityError(f"{path} is no analysis.json of this analyzer ({error}); run the analysis again") from error


def _data_quality(folder: Path, document: Mapping[str, Any], baseline: Path | None) -> DataQuality:
    violations = _violations(folder)
    return DataQuality(
        statistics=files.read_statistics(folder / files.STATISTICS),
        constraints=files.constraints_from_json(document["constraints"], folder / NAME),
        baseline=files.read_statistics(baseline) if baseline else None,
        violations=None if violations is None else tuple(Violation(**violation) for violation in violations),
        drift=tuple(FeatureDrift(**drift) for drift in document["drift"]),
    )


def _model_quality(folder: Path, document: Mapping[str, Any], baseline: Path | None) -> ModelQuality:
    violations = _violations(folder)
    return ModelQuality(
        problem_type=document["problem_type"],
        statistics=files.read(folder / files.STATISTICS),
        constraints=document["constraints"],
        metrics=tuple(Metric(**metric) for metric in document["metrics"]),
        baseline=files.read(baseline) if baseline else None,
        violations=None if violations is None else tuple(MetricViolation(**violation) for violation in violations),
        merge=None if document["merge"] is None else Merge(**document["merge"]),
    )


def _violations(folder: Path) -> list[dict[str, str]] | None:
    path = folder / files.VIOLATIONS
    violations: list[dict[str, str]] | None = files.read(path)["violations"] if path.is_file() else None
    return violations


def _time_to_json(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time_from_json(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
