"""The runs of a trend, read from downloaded outputs of monitoring executions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring import s3_objects
from monitoring.executions import SUMMARY, MonitoringExecution
from monitoring.monitored_endpoint import CLARIFY
from monitoring.schedule import Schedule
from project.target import Target

if TYPE_CHECKING:
    from analyzer.reports.trend_clarify import ClarifyRun


def quality_folders(executions: Sequence[MonitoringExecution], folder: Path) -> list[Path]:
    """Return the folders of data quality and model quality that have been downloaded."""
    folders = (folder / execution.name / analysis for execution in executions for analysis in execution.results)
    return [path for path in folders if path.name not in CLARIFY and (path / "statistics.json").is_file()]


def clarify_runs(
    target: Target, schedule: Schedule, executions: Sequence[MonitoringExecution], folder: Path
) -> Iterator[ClarifyRun]:
    """Yield the runs of bias and attribution that have been downloaded."""
    # imported late: the analyzer takes a while to import
    from analyzer.reports.trend_clarify import ClarifyRun

    baselines = {
        analysis: s3_objects.read_json(target, baseline.constraints) or {}
        for analysis, baseline in schedule.baselines.items()
        if analysis in CLARIFY
    }
    for execution in executions:
        for analysis in CLARIFY:
            files = folder / execution.name / analysis
            if (files / "analysis.json").is_file():
                yield ClarifyRun(
                    name=schedule.metric_dimension,
                    time=_time(execution, folder),
                    analysis=_read(files / "analysis.json"),
                    violations=_read(files / "constraint_violations.json").get("violations", []),
                    baseline=baselines.get(analysis, {}),
                )


def _time(execution: MonitoringExecution, folder: Path) -> datetime:
    """Return the start of the window, or of an execution of Model Monitor the time for which it was scheduled."""
    window = _read(folder / execution.name / SUMMARY / "monitoring_summary.json").get("window")
    return datetime.fromisoformat(window["start"]) if window else execution.started


def _read(path: Path) -> Mapping[str, Any]:
    """Return a JSON document; empty if there is none."""
    content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content
