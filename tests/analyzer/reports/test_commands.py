"""From data files to reports by the commands."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from analyzer.commands import app


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def rows(shift: int) -> str:
    return "age,plan\n" + "".join(f"{20 + index % 50 + shift},{'abc'[index % 3]}\n" for index in range(2000))


@pytest.fixture
def runs(tmp_path: Path, write: Callable[[str, str | bytes], Path]) -> Path:
    """Return the folder of three daily checks, the last of them with shifted values, and that of their baseline."""
    assert command("baseline", write("base.csv", rows(0)), "-o", tmp_path / "baseline").exit_code == 0
    for day, shift in enumerate([0, 0, 30], start=1):
        data = write(f"data/{day}/people.csv", rows(shift))
        files = ["--statistics", tmp_path / "baseline/statistics.json"]
        window = ["--start", f"2026-11-0{day}T00:00:00Z", "--end", f"2026-11-0{day + 1}T00:00:00Z"]
        assert command("check", data, "-o", tmp_path / "checks" / str(day), *files, *window).exit_code == 0
    return tmp_path / "checks"


def test_the_report_of_a_run_is_written_beside_its_files(runs: Path) -> None:
    done = command("report", runs / "3", "--statistics", runs.parent / "baseline/statistics.json")
    assert done.exit_code == 0
    page = (runs / "3" / "report.html").read_text(encoding="utf-8")
    assert done.stdout.strip() == str(runs / "3" / "report.html")
    assert "1 of 2 features exceeded its drift threshold" in page
    assert "from 2026-11-03 00:00 to 2026-11-04 00:00 UTC" in page
    assert '"baseline":[' in page


def test_without_the_baseline_the_report_still_has_the_drift(runs: Path) -> None:
    assert command("report", runs / "3", "-o", runs / "page.html").exit_code == 0
    page = (runs / "page.html").read_text(encoding="utf-8")
    assert "1 of 2 features exceeded its drift threshold" in page
    assert '"baseline":null' in page


def test_all_runs_below_a_folder_become_a_trend(runs: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline" / "statistics.json"
    assert command("trend", runs, "--statistics", baseline, "-o", tmp_path / "trend.html").exit_code == 0
    page = (tmp_path / "trend.html").read_text(encoding="utf-8")
    assert "Every run since 2026-11-03 has drift" in page
    assert '"runs":["2026-11-01","2026-11-02","2026-11-03"]' in page
    assert sorted(re.findall(r'data-name="(\w+)"', page)) == ["age", "plan"]


def test_a_trend_of_one_feature_over_chosen_runs(runs: Path, tmp_path: Path) -> None:
    done = command("trend", runs / "1", runs / "2", "--feature", "age", "-o", tmp_path / "trend.html")
    assert done.exit_code == 0
    page = (tmp_path / "trend.html").read_text(encoding="utf-8")
    assert "No drift in the latest run" in page
    assert re.findall(r'data-name="(\w+)"', page) == ["age"]


@pytest.mark.parametrize("name", ["report", "trend"])
def test_a_folder_without_runs_is_reported(name: str, tmp_path: Path) -> None:
    done = command(name, tmp_path)
    assert done.exit_code == 1
    assert f"{tmp_path} contains no run (analysis.json); use the output folder of an analysis" in done.stderr
