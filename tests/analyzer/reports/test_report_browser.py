"""The pages' script in a real browser: it draws visible plots, and executes nothing from the data."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyzer.analysis import Analysis, DataQuality
from analyzer.constraints.data_quality import suggest
from analyzer.datasets.malformed_records import Skipped
from analyzer.drift.feature_drift import FeatureDrift
from analyzer.profile.statistics import FeatureStatistics, NumberStatistics, Sketch, Statistics, StringStatistics
from analyzer.reports.report import write_report
from analyzer.reports.trend import write_trend
from analyzer.window import Window

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]

HOSTILE = "<img src=x onerror=document.title='owned'>"


def run(week: int, features: int) -> Analysis:
    numbers = NumberStatistics(2.0, 6.0, 0.8, 1.0, 3.0, Sketch(((1.0, 2.0, 3.0),)))
    statistics = Statistics(
        3,
        (
            FeatureStatistics(HOSTILE, "String", 3, 0, strings=StringStatistics(2, {HOSTILE: 2, "b": 1})),
            *(
                FeatureStatistics(f"feature_{index}", "Integral", 3, 0, numbers=numbers)
                for index in range(features - 1)
            ),
        ),
    )
    drift = tuple(
        FeatureDrift(each.name, "Robust", 0.5 if index < 2 else 0.01, 0.1, True, 0.5, 0.5, 0.1, 0.1)
        for index, each in enumerate(statistics.features)
    )
    result = DataQuality(statistics, suggest(statistics), statistics, (), drift)
    created = datetime(2026, 11, 1 + week, tzinfo=UTC)
    return Analysis(HOSTILE, created, Window(), Skipped(), result)


def opened(page: Path, profile: Path, fragment: str = "") -> str:
    """Return the page's DOM after its script has run."""
    assert CHROMIUM
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command += ["--enable-logging=stderr", "--window-size=1200,3000", "--virtual-time-budget=2000"]
    command += ["--dump-dom", page.as_uri() + fragment]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Uncaught" not in done.stderr
    assert "Content Security Policy" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["report", "trend"])
def test_visible_plots_are_drawn_and_names_are_not_executed(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"{kind}.html"
    if kind == "report":
        write_report(run(0, 300), path)
    else:
        write_trend([run(week, 300) for week in range(3)], path)
    page = opened(path, tmp_path / "profile")
    drawn = len(re.findall(r"<svg [^>]*role=\"img\"", page))
    assert 2 <= drawn < 150
    assert "<title>owned" not in page
    assert "<img" not in page


def test_a_link_to_a_feature_opens_it(tmp_path: Path) -> None:
    write_report(run(0, 5), tmp_path / "report.html")
    page = opened(tmp_path / "report.html", tmp_path / "profile", "#feature-3")
    assert page.count('class="detail"') == 1
    assert page.count('aria-expanded="true"') == 1
    row = page[page.index('id="feature-3"') :]
    assert "gap 0 at" in row[: row.index('id="feature-4"')]
