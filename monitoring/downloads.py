"""What executions have written, brought to this machine: reports to look at, and analyses for a trend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitoring import s3_objects
from monitoring.executions import Execution
from monitoring.schedule import Schedule
from project.errors import UserError
from project.s3_uris import split_s3_uri
from project.target import Target

REPORT = "report.html"
_TREND_FILES = ("analysis.json", "statistics.json", "constraints.json", "constraint_violations.json")


def download_results(target: Target, execution: Execution, folder: Path) -> list[Path]:
    """Download all that an execution has written, into folders by analysis; the reports among it.

    Raises:
        UserError: there is no report, as Model Monitor's own container writes none.
    """
    for analysis, uri in execution.results.items():
        for item in s3_objects.find(target, f"{uri.rstrip('/')}/"):
            _download(target, f"s3://{split_s3_uri(uri)[0]}/{item['Key']}", uri, folder / execution.name / analysis)
    reports = sorted((folder / execution.name).glob(f"*/{REPORT}"))
    if not reports:
        raise UserError(f"execution {execution.name} has left no {REPORT}; its files are in {folder / execution.name}")
    return reports


def download_analyses(target: Target, executions: Sequence[Execution], folder: Path) -> None:
    """Download what a trend is made of, but what is there already."""
    for execution in executions:
        for analysis, uri in execution.results.items():
            into = folder / execution.name / analysis
            # the last of the files: with it, the others are there
            if not (into / _TREND_FILES[0]).is_file():
                for name in reversed(_TREND_FILES):
                    _download(target, f"{uri.rstrip('/')}/{name}", uri, into)


def download_baseline(target: Target, schedule: Schedule, folder: Path) -> Path | None:
    """The statistics that data quality is compared with; None where it is not analysed, or they are gone."""
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
    aside = path.with_name(f".{path.name}")
    aside.write_bytes(content)
    aside.replace(path)
