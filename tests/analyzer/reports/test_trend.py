from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer import QualityError
from analyzer.analysis import Analysis, DataQuality, ModelQuality
from analyzer.constraints.data_quality import suggest
from analyzer.constraints.model_quality import Metric, MetricViolation
from analyzer.datasets.malformed_records import Skipped
from analyzer.drift.feature_drift import FeatureDrift
from analyzer.profile.statistics import FeatureStatistics, NumberStatistics, Sketch, Statistics, StringStatistics
from analyzer.reports.trend import trend_page, write_trend
from analyzer.reports.trend_plots import scale_of
from analyzer.window import Window

FIRST = datetime(2020, 2, 10, tzinfo=UTC)
WEEK = timedelta(weeks=1)


def numbers(name: str, values: Any) -> FeatureStatistics:
    array = np.asarray(values, np.float64)
    with np.errstate(over="ignore"):
        summary = NumberStatistics(
            float(array.mean()),
            float(array.sum()),
            float(array.std()),
            float(array.min()),
            float(array.max()),
            Sketch((tuple(array.tolist()),)),
        )
    return FeatureStatistics(name, "Fractional", len(array), 0, numbers=summary)


def strings(name: str, counts: dict[str, int]) -> FeatureStatistics:
    return FeatureStatistics(name, "String", sum(counts.values()), 0, strings=StringStatistics(len(counts), counts))


def window(week: int) -> Window:
    return Window(FIRST + week * WEEK, FIRST + (week + 1) * WEEK)


def data_run(week: int, distances: dict[str, float], level: float = 0.0, name: str = "taxi-data") -> Analysis:
    rng = np.random.default_rng(week)
    features = tuple(numbers(feature, rng.normal(level, 1, 500)) for feature in distances)
    baseline = tuple(numbers(feature, np.random.default_rng(99).normal(0, 1, 500)) for feature in distances)
    drift = tuple(
        FeatureDrift(feature, "Robust", distance, 0.1, True, distance, distance, 0.0, 0.0)
        for feature, distance in distances.items()
    )
    now, before = Statistics(500, features), Statistics(500, baseline)
    result = DataQuality(now, suggest(before), before, (), drift)
    return Analysis(name, FIRST + 99 * WEEK, window(week), Skipped(), result)


def model_run(week: int, mae: float, threshold: float = 20.0) -> Analysis:
    metric = Metric("mae", mae, 0.5, 15.0, 0.4, threshold, "GreaterThanThreshold")
    violations = (MetricViolation("mae", "GreaterThanThreshold", "Metric mae"),) if metric.violated else ()
    document = {"dataset": {"item_count": 672}}
    result = ModelQuality("Regression", document, {}, (metric,), {}, violations)
    return Analysis("taxi-model", FIRST + 99 * WEEK, window(week), Skipped(), result)


def ten_weeks() -> Iterator[Analysis]:
    """Make five normal weeks, then a collapse of demand: drift remains, the model recovers in week 8."""
    for week in range(10):
        moved = week >= 5
        yield data_run(week, {"lag": 0.5 if moved else 0.02, "hour": 0.01}, level=-3.0 if moved else 0.0)
        yield model_run(week, 60.0 if 5 <= week < 8 else 15.0)


def embedded(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def words(page: str) -> str:
    return re.sub(r"<[^>]+>", "", page[page.index("<main>") : page.index("</main>")])


def test_the_verdict_is_the_latest_runs_result_and_since_when() -> None:
    text = words(trend_page(ten_weeks()))
    assert "taxi-data and taxi-model" in text
    assert "10 runs from 2020-02-10 to 2020-04-13" in text
    assert "1 of 2 features drifted in the latest run, all metrics meet their constraints" in text
    assert "Every run since 2020-03-16 has drift. 3 earlier runs had violations." in text


def test_a_trend_without_drift_says_so() -> None:
    text = words(trend_page(data_run(week, {"lag": 0.01}) for week in range(3)))
    assert "No drift in the latest run" in text
    assert "No earlier run had drift." in text
    assert "Largest drift" not in text


def test_drift_and_violations_start_in_the_expected_week() -> None:
    data = embedded(trend_page(ten_weeks()))
    drift, missed = data["counts"]
    assert drift["counts"] == [0] * 5 + [1] * 5
    assert missed["counts"] == [0] * 5 + [1] * 3 + [0] * 2
    assert [value for value, *_ in data["metrics"][0]] == [15.0] * 5 + [60.0] * 3 + [15.0] * 2
    assert data["features"][0]["drift"][4:6] == [[0.02, 0.1, 0], [0.5, 0.1, 1]]


def test_runs_are_sorted_by_their_windows() -> None:
    runs = list(ten_weeks())
    forwards, backwards = embedded(trend_page(runs)), embedded(trend_page(reversed(runs)))
    assert forwards["runs"] == backwards["runs"]
    assert forwards["runs"][0] == "2020-02-10"
    assert forwards["counts"] == backwards["counts"]


def test_a_repeated_run_replaces_the_first_one() -> None:
    data = embedded(trend_page([data_run(0, {"lag": 0.5}), data_run(1, {"lag": 0.5}), data_run(0, {"lag": 0.0})]))
    assert data["counts"][0]["counts"] == [0, 1]


def test_distributions_move_where_the_values_moved() -> None:
    plot = embedded(trend_page(ten_weeks()))["features"][0]["plot"]
    edges, runs = plot["edges"], plot["runs"]

    def mean(shares: list[float]) -> float:
        inside = [
            (share, (low + high) / 2)
            for share, low, high in zip(shares, edges[:-1], edges[1:], strict=True)
            if low is not None and high is not None
        ]
        return sum(share * middle for share, middle in inside) / sum(share for share, _ in inside)

    assert mean(plot["baseline"]) == pytest.approx(0, abs=0.3)
    assert mean(runs[4]) == pytest.approx(0, abs=0.3)
    assert mean(runs[5]) == pytest.approx(-3, abs=0.3)
    assert all(len(shares) == len(edges) - 1 for shares in runs)


def test_shows_only_the_selected_feature() -> None:
    page = trend_page(ten_weeks(), ["hour"])
    assert re.findall(r'data-name="([^"]*)"', page) == ["hour"]
    assert "No drift in the latest run" in words(page)


def test_a_feature_that_no_run_has_is_reported() -> None:
    with pytest.raises(QualityError, match="no run has a feature 'minute'"):
        trend_page(ten_weeks(), ["minute"])


def test_a_trend_without_runs_is_rejected() -> None:
    with pytest.raises(QualityError, match="no runs to show"):
        trend_page([])


def test_a_feature_that_comes_and_goes_has_gaps() -> None:
    runs = [data_run(0, {"lag": 0.0}), data_run(1, {"lag": 0.0, "late": 0.2}), data_run(2, {"late": 0.3})]
    data = embedded(trend_page(runs))
    late, lag = data["features"]
    assert late["drift"][0] is None
    assert late["plot"]["runs"][0] is None
    assert lag["drift"][2] is None


def test_loads_nothing_and_executes_no_name_from_the_data() -> None:
    hostile = "</script><script>alert(1)</script>\"'<!--"
    page = trend_page([data_run(0, {hostile: 0.5}, name=hostile)])
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) == {"http://www.w3.org/2000/svg"}
    assert page.count("<script") == 2
    assert "alert(1)</script>" not in page


@pytest.mark.slow
def test_500_features_over_10_runs_stay_below_some_megabytes() -> None:
    names = {f"feature_{index}": 0.2 if index % 9 == 0 else 0.0 for index in range(500)}
    page = trend_page(data_run(week, names) for week in range(10))
    assert len(page) < 2_000_000
    assert len(re.findall("data-name=", page)) == 500


def test_is_written_into_a_new_folder(tmp_path: Path) -> None:
    write_trend(ten_weeks(), tmp_path / "new" / "trend.html", ["lag"])
    assert (tmp_path / "new" / "trend.html").read_text(encoding="utf-8") == trend_page(ten_weeks(), ["lag"])


# --- scales ---


def test_few_whole_numbers_have_one_step_each() -> None:
    days = numbers("day", [0, 1, 2, 3, 4, 5, 6])
    scale = scale_of(days)
    assert scale is not None
    shares = scale.shares(days)
    assert shares is not None
    assert [share for share in shares if share] == [0.143] * 7


def test_skewed_values_have_a_log_scale() -> None:
    amounts = np.random.default_rng(0).lognormal(5, 1.5, 5_000)
    scale = scale_of(numbers("amount", amounts))
    assert scale is not None
    shares = scale.shares(numbers("amount", amounts * 3))
    assert shares is not None
    assert max(shares) < 0.2


def test_values_off_the_scale_count_at_its_ends() -> None:
    scale = scale_of(numbers("x", np.linspace(-1, 1, 100)))
    assert scale is not None
    shares = scale.shares(numbers("x", [-1e9, 0.0, 0.0, 1e9]))
    assert shares is not None
    assert (shares[0], shares[-1]) == (0.25, 0.25)


def test_categories_off_the_scale_count_together() -> None:
    scale = scale_of(strings("s", {"a": 3, "b": 1}))
    assert scale is not None
    assert scale.shares(strings("s", {"a": 1, "new": 3})) == [0.25, 0.0, 0.75]


@pytest.mark.parametrize(
    "values", [[7.0], [0.1, 0.1], [1e308, -1e308], [5e-324, 0.0], [2.0**60, 2.0**60 + 4096], [1e-300, 1.5e-300, 1e300]]
)
def test_extreme_values_have_a_scale_too(values: list[float]) -> None:
    feature = numbers("x", values)
    scale = scale_of(feature)
    assert scale is not None
    shares = scale.shares(feature)
    assert shares is not None
    assert sum(shares) == pytest.approx(1, abs=0.01)


def test_a_feature_of_another_type_than_in_the_baseline_has_no_shares_on_its_scale() -> None:
    scale = scale_of(numbers("x", [1.0, 2.0]))
    assert scale is not None
    assert scale.shares(strings("x", {"one": 1})) is None
