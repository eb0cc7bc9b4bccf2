"""The commands `report` and `trend`, which make pages from the result files of runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from analyzer import QualityError
from analyzer.analysis import Analysis, DataQuality
from analyzer.files import analysis_file, json_files
from analyzer.files.statistics_file import read_statistics
from analyzer.reports.report import write_report
from analyzer.reports.trend import write_trend

Statistics = Annotated[
    Path | None, typer.Option(help="statistics.json of the baseline, to show its distributions for comparison.")
]


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of a run.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", show_default="RUN/report.html")
    ] = None,
    statistics: Statistics = None,
) -> None:
    """Write an HTML report of one run: violations, drift and distributions, or metrics.

    Example: python -m analyzer report check --statistics baseline/statistics.json
    """
    if not (run / analysis_file.NAME).is_file():
        raise _no_run(run)
    path = output or run / "report.html"
    write_report(analysis_file.read(run, statistics), path)
    print(path)


def trend(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Output folders of runs, or parent folders of them.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("trend.html"),
    statistics: Statistics = None,
    feature: Annotated[list[str] | None, typer.Option(help="Show only this feature (repeatable).")] = None,
) -> None:
    """Write an HTML report of many runs over time: drift, distributions, and metrics with their thresholds.

    Example: python -m analyzer trend checks/ --statistics baseline/statistics.json -o trend.html
    """
    write_trend(read_runs(find_runs(runs), statistics), output, feature or ())
    print(output)


def find_runs(folders: Sequence[Path]) -> list[Path]:
    """Find the output folders of runs in the given folders and below them.

    Those of Clarify jobs, which have no statistics, are left out: their files do not say what time they are of.

    Returns:
        The folders without duplicates, sorted by name within each given folder.

    Raises:
        QualityError: One of the given folders contains no run.
    """
    found: dict[Path, None] = {}
    for folder in folders:
        found_files = sorted(folder.rglob(analysis_file.NAME))
        below = [path.parent for path in found_files if path.with_name(json_files.STATISTICS).is_file()]
        if not below:
            raise _no_run(folder)
        found.update(dict.fromkeys(below))
    return list(found)


def _no_run(folder: Path) -> QualityError:
    return QualityError(f"{folder} contains no run ({analysis_file.NAME}); use the output folder of an analysis")


def read_runs(folders: Sequence[Path], statistics: Path | None) -> Iterator[Analysis]:
    """Read runs one by one, to keep at most one in memory.

    Args:
        folders: Output folders of the runs.
        statistics: statistics.json of the baseline, which is added to data quality runs.
    """
    baseline = read_statistics(statistics) if statistics else None
    for folder in folders:
        run = analysis_file.read(folder)
        if isinstance(run.result, DataQuality):
            run = replace(run, result=replace(run.result, baseline=baseline))
        yield run
