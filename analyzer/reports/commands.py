"""The commands `report` and `trend`: pages from the files that runs of the analyzer left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from analyzer import QualityError
from analyzer.analysis import Analysis, DataQuality
from analyzer.files import analysis_file
from analyzer.files import model_monitor as files
from analyzer.reports.report import write_report
from analyzer.reports.trend import write_trend

Statistics = Annotated[
    Path | None, typer.Option(help="statistics.json of the baseline, to show its distributions beside the runs'.")
]


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The output folder of a run.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The page. Default: RUN/report.html")] = None,
    statistics: Statistics = None,
) -> None:
    """Show what a run found as a page for people: violations, drift and distributions, or metrics.

    Example: python -m analyzer report check --statistics baseline/statistics.json
    """
    if not (run / analysis_file.NAME).is_file():
        raise _no_run(run)
    path = output or run / "report.html"
    write_report(analysis_file.read(run, statistics), path)
    print(path)


def trend(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Output folders of runs, or folders that hold such folders.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page.")] = Path("trend.html"),
    statistics: Statistics = None,
    feature: Annotated[list[str] | None, typer.Option(help="Only this feature; may be given several times.")] = None,
) -> None:
    """Show many runs along time as a page for people: drift, distributions and metrics with their thresholds.

    Example: python -m analyzer trend checks/ --statistics baseline/statistics.json -o trend.html
    """
    write_trend(read_runs(find_runs(runs), statistics), output, feature or ())
    print(output)


def find_runs(folders: Sequence[Path]) -> list[Path]:
    """The folders of runs among and below the given ones, each once, in the order of their names.

    Raises:
        QualityError: below one of them there is no run.
    """
    found: dict[Path, None] = {}
    for folder in folders:
        below = sorted(path.parent for path in folder.rglob(analysis_file.NAME))
        if not below:
            raise _no_run(folder)
        found.update(dict.fromkeys(below))
    return list(found)


def _no_run(folder: Path) -> QualityError:
    return QualityError(f"{folder} holds no run ({analysis_file.NAME}); give the output folder of an analysis")


def read_runs(folders: Sequence[Path], statistics: Path | None) -> Iterator[Analysis]:
    """One run after the other, so that never more than one is in memory; data-quality runs with the baseline."""
    baseline = files.read_statistics(statistics) if statistics else None
    for folder in folders:
        run = analysis_file.read(folder)
        if isinstance(run.result, DataQuality):
            run = replace(run, result=replace(run.result, baseline=baseline))
        yield run
