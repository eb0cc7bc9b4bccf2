"""Downloads the outputs of monitoring executions: reports to read, and analyses for a trend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitoring import s3_objects
from monitoring.executions import MonitoringExecution
from monitoring.schedule import Schedule
from project.errors import UserError
from project.s3_uris import split_s3_uri
from project.target import Target

REPORT = "report.html"
# downloaded last: a folder that has it has the others, too
_COMPLETION_FILE = "analysis.json"
_TREND_FILES = (
    "constraint_violations.json",
    "constraints.json",
    "statistics.json",
    "monitoring_summary.json",
    _COMPLETION_FILE,
)


def download_results(target: Target, execution: MonitoringExecution, folder: Path) -> list[Path]:
    """Download all output files of an execution into folders by analysis; return the paths of the reports.

    Raises:
        UserError: There is no report; Model Monitor's own container writes none.
    """
    for analysis, uri in execution.results.items():
        for item in s3_objects.list_objects(target, f"{uri.rstrip('/')}/"):
            _download(target, f"s3://{split_s3_uri(uri)[0]}/{item['Key']}", uri, folder / execution.name / analysis)
    reports = sorted((folder / execution.name).glob(f"*/{REPORT}"))
    if not reports:
        raise UserError(f"execution {execution.name} has no {REPORT}; its files are in {folder / execution.name}")
    return reports


def download_analyses(target: Target, executions: Sequence[MonitoringExecution], folder: Path) -> None:
    """Download the files that a trend is made from, unless they have been downloaded before."""
    for execution in executions:
        for analysis, uri in execution.results.items():
            analysis_folder = folder / execution.name / analysis
            if not (analysis_folder / _COMPLETION_FILE).is_file():
                for name in _TREND_FILES:
                    _download(target, f"{uri.rstrip('/')}/{name}", uri, analysis_folder)


def download_baseline(target: Target, schedule: Schedule, folder: Path) -> Path | None:
    """Download the baseline statistics of data quality; None if there are none."""
    baseline = schedule.baselines.get("data-quality")
    content = s3_objects.read(target, baseline.statistics) if baseline else None
    if content is None:
        return None
    path = folder / "baseline-statistics.json"
    _write(path, content)
    return path


def _download(target: Target, uri: str, root: str, folder: Path) -> None:
    content = s3_objects.read(target, uri)
    if content is not None:
        _write(folder / uri.removeprefix(root).lstrip("/"), content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary_path = path.with_name(f".{path.name}")
    temporary_path.write_bytes(content)
    temporary_path.replace(path)
