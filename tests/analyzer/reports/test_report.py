from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer import QualityError
from analyzer.analysis import Analysis, DataQuality, ModelQuality
from analyzer.constraints.data_quality import Violation, check, suggest
from analyzer.constraints.model_quality import Metric, MetricViolation, check_metrics, suggest_metrics
from analyzer.datasets.malformed_records import Skipped, SkippedRecord
from analyzer.drift.feature_drift import FeatureDrift
from analyzer.performance.merge import Merge
from analyzer.performance.metrics import METRICS_KEY, model_quality
from analyzer.profile.statistics import FeatureStatistics, NumberStatistics, Sketch, Statistics, StringStatistics
from analyzer.reports.plots import BINS, CATEGORIES, distribution
from analyzer.reports.report import report_page, write_report
from analyzer.window import Window

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOSTILE = """</script><script>document.title=1</script><img src=x onerror="alert(1)">' & <!--"""


def numbers(name: str, values: Any, missing: int = 0) -> FeatureStatistics:
    array = np.asarray(values, np.float64)
    sketch = Sketch((tuple(array.tolist()),))
    with np.errstate(over="ignore"):
        moments = float(array.mean()), float(array.sum()), float(array.std())
    summary = NumberStatistics(*moments, float(array.min()), float(array.max()), sketch)
    return FeatureStatistics(name, "Fractional", len(array), missing, numbers=summary, fractional=len(array))


def strings(name: str, counts: dict[str, int], missing: int = 0) -> FeatureStatistics:
    return FeatureStatistics(
        name, "String", sum(counts.values()), missing, strings=StringStatistics(len(counts), counts)
    )


def statistics(*features: FeatureStatistics) -> Statistics:
    return Statistics(features[0].present + features[0].missing, features)


def drifted(name: str, distance: float, importance: float | None = None, threshold: float = 0.1) -> FeatureDrift:
    return FeatureDrift(name, "Robust", distance, threshold, True, distance, distance, 0.31, 0.21, 1.23, importance)


def data_run(result: DataQuality, **changes: Any) -> Analysis:
    run: dict[str, Any] = {"name": "churn", "created": NOON, "window": Window(), "skipped": Skipped(), "result": result}
    return Analysis(**run | changes)


def checked(current: Statistics, baseline: Statistics, *drift: FeatureDrift) -> DataQuality:
    constraints = suggest(baseline)
    return DataQuality(current, constraints, baseline, tuple(check(current, constraints, baseline)), drift)


def model_run(
    problem_type: str, now: dict[str, Any], baseline: dict[str, Any] | None = None, **changes: Any
) -> Analysis:
    constraints = suggest_metrics(baseline or now, problem_type)
    thresholds = next(section for name, section in constraints.items() if name.endswith("_constraints"))
    before = (baseline or {}).get(METRICS_KEY[problem_type], {})

    def known(metric: dict[str, Any], key: str) -> float | None:
        return None if metric.get(key) in (None, "NaN") else metric[key]

    metrics = tuple(
        Metric(
            name,
            known(metric, "value"),
            known(metric, "standard_deviation"),
            known(before.get(name, {}), "value"),
            known(before.get(name, {}), "standard_deviation"),
            thresholds.get(name, {}).get("threshold") if baseline else None,
            thresholds.get(name, {}).get("comparison_operator") if baseline else None,
        )
        for name, metric in now[METRICS_KEY[problem_type]].items()
        if "value" in metric
    )
    violations = None
    if baseline:
        found = check_metrics(now, constraints, problem_type)
        violations = tuple(
            MetricViolation(each["metric_name"], each["constraint_check_type"], each["description"]) for each in found
        )
    result = ModelQuality(problem_type, now, constraints, metrics, baseline, violations, changes.pop("merge", None))
    return Analysis("churn-model", NOON, Window(), Skipped(), result)


class Page(HTMLParser):
    """A parsed page, as far as the tests need it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._in: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._in.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._in and tag == self._in[-1]:
            self._in.pop()

    def handle_data(self, data: str) -> None:
        if not self._in:
            self.text += data
        elif self._in[-1] == "script":
            self.scripts.append(data)

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0])

    def names(self) -> list[str | None]:
        return [attributes["data-name"] for _, attributes in self.tags if "data-name" in attributes]


@pytest.fixture
def shifted() -> Analysis:
    """Two of three features have drifted, one is missing, and one is new."""
    rng = np.random.default_rng(0)
    baseline = statistics(
        numbers("age", rng.normal(40, 9, 1000)),
        strings("plan", {"basic": 600, "gold": 400}),
        numbers("charge", rng.normal(70, 9, 1000)),
        numbers("gone", rng.normal(0, 1, 1000)),
    )
    current = statistics(
        numbers("age", rng.normal(40, 9, 900), missing=100),
        strings("plan", {"basic": 300, "gold": 200, "platinum": 500}),
        numbers("charge", rng.normal(90, 9, 1000)),
        numbers("new", rng.normal(0, 1, 1000)),
    )
    return data_run(
        checked(current, baseline, drifted("plan", 0.42, 0.7), drifted("charge", 0.66, 0.2), drifted("age", 0.0, 0.1))
    )


def test_loads_nothing_from_anywhere(shifted: Analysis) -> None:
    text = report_page(shifted)
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    for _, attributes in Page(text).tags:
        assert not attributes.get("src")
        assert (attributes.get("href") or "#").startswith("#")
    assert "default-src 'none'" in text
    assert "@import" not in text
    assert "url(" not in text


def test_the_verdict_counts_violations_and_drifted_features(shifted: Analysis) -> None:
    text = Page(report_page(shifted)).text
    violations = shifted.result.violations or ()
    assert f"{len(violations)} violations in 5 of 5 features" in text
    assert "2 of 3 features exceeded their drift thresholds. Largest: charge (0.660; threshold 0.1)" in text


def test_lists_every_violation_under_its_severity(shifted: Analysis) -> None:
    text = Page(report_page(shifted)).text
    high, medium, low = (text.index(f"{severity}: ") for severity in ("High", "Medium", "Low"))
    places = {violation: text.index(violation.description) for violation in shifted.result.violations or ()}
    by_check = {violation.constraint_check_type: place for violation, place in places.items()}
    assert high < by_check["missing_column_check"] < medium
    assert medium < by_check["baseline_drift_check"] < low
    assert medium < by_check["completeness_check"] < low
    assert medium < by_check["categorical_values_check"] < low
    assert low < by_check["extra_column_check"]


def test_many_violations_are_collapsed_but_complete() -> None:
    names = [f"f{index}" for index in range(60)]
    baseline = statistics(*(numbers(name, [1.5, 2.5]) for name in names))
    current = statistics(*(numbers(name, [1.5, 2.5], missing=1) for name in names))
    result = checked(current, baseline)
    text = report_page(data_run(result))
    assert len(result.violations or ()) == 60
    assert text.count("Data completeness requirement is not met") == 60
    assert "48 more" in text


def test_an_unknown_check_is_listed(shifted: Analysis) -> None:
    result = DataQuality(
        shifted.result.statistics,
        shifted.result.constraints,
        None,
        (Violation("age", "custom_check", "Too many birthdays"),),
    )
    text = Page(report_page(data_run(result))).text
    assert "custom_check" in text
    assert "Too many birthdays" in text


def test_without_violations_the_verdict_names_the_feature_nearest_to_its_threshold() -> None:
    same = statistics(numbers("age", range(100)))
    page = Page(report_page(data_run(checked(same, same, drifted("age", 0.04)))))
    assert "No violations" in page.text
    assert "The largest drift distance is age (0.040; threshold 0.1)" in page.text
    assert "Largest drift" not in page.text


def test_a_baseline_is_not_reported_as_having_no_violations() -> None:
    baseline = statistics(numbers("age", range(100)), strings("plan", {"a": 100}))
    page = Page(report_page(data_run(DataQuality(baseline, suggest(baseline)))))
    assert "Baseline created" in page.text
    assert "No violations" not in page.text
    assert page.names() == ["age", "plan"]


def test_features_are_ranked_by_drift_and_include_missing_and_new_ones(shifted: Analysis) -> None:
    assert Page(report_page(shifted)).names() == ["plan", "charge", "age", "new", "gone"]


def test_shows_each_measure_of_drift_with_its_threshold(shifted: Analysis) -> None:
    text = Page(report_page(shifted)).text
    card = text[text.index("Largest drift") : text.index("All features")]
    for piece in (
        "drift 0.420",
        "Threshold0.1",
        "PSI0.310",
        "Jensen-Shannon0.210",
        "Wasserstein1.230",
        "Importance70 %",
    ):
        assert piece in card


def test_embeds_both_distributions_of_every_feature_for_the_plots(shifted: Analysis) -> None:
    plan, charge, *_, gone = Page(report_page(shifted)).data["features"]
    assert plan["plot"]["labels"] == ["basic", "gold", "platinum"]
    assert plan["plot"]["current"] == [0.3, 0.2, 0.5]
    assert plan["plot"]["baseline"] == [0.6, 0.4, 0.0]
    assert sum(charge["plot"]["baseline"]) == pytest.approx(1, abs=0.02)
    assert gone["plot"]["current"] is None


@pytest.mark.parametrize("where", ["feature", "category", "schedule", "excerpt", "description"])
def test_shows_hostile_names_as_text(where: str) -> None:
    name = HOSTILE if where == "feature" else "age"
    feature = strings(name, {HOSTILE if where == "category" else "a": 10})
    sample = SkippedRecord("a.jsonl", 1, "no JSON", HOSTILE if where == "excerpt" else "{")
    violation = Violation(name, "completeness_check", HOSTILE if where == "description" else "Not met")
    result = DataQuality(statistics(feature), suggest(statistics(feature)), statistics(feature), (violation,))
    run = data_run(result, name=HOSTILE if where == "schedule" else "churn", skipped=Skipped(1, 10, (sample,)))
    page = Page(report_page(run))
    assert len(page.scripts) == 2
    assert not any(tag == "img" for tag, _ in page.tags)
    assert not any(each.startswith("on") for _, attributes in page.tags for each in attributes)
    assert HOSTILE in page.text or HOSTILE in page.data["features"][0]["plot"]["labels"]


def test_names_with_invalid_unicode_are_rendered(tmp_path: Path) -> None:
    half = statistics(strings("\ud800", {"\udc00": 3}))
    write_report(data_run(DataQuality(half, suggest(half))), tmp_path / "report.html")
    assert Page((tmp_path / "report.html").read_text(encoding="utf-8")).names() == ["?"]


def test_shows_the_window_and_the_skipped_records() -> None:
    same = statistics(numbers("age", range(100)))
    samples = (SkippedRecord("03/a.jsonl", 17, "not a JSON object", '{"captureData'),)
    run = data_run(
        checked(same, same),
        window=Window(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)),
        skipped=Skipped(1204, 5000, samples),
    )
    text = Page(report_page(run)).text
    assert "from 2026-11-20 00:00 to 2026-11-21 00:00 UTC" in text
    assert "1,204 malformed records were skipped; the first 1 of them" in text
    for piece in ("limit 5,000", "03/a.jsonl", "17", "not a JSON object", '{"captureData'):
        assert piece in text


def test_500_features_take_little_time_and_space() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (500, 2000))
    baseline = statistics(*(numbers(f"feature_{index}", row) for index, row in enumerate(values)))
    current = statistics(*(numbers(f"feature_{index}", row[:1000] + 0.5) for index, row in enumerate(values)))
    drift = [drifted(f"feature_{index}", 0.2, 0.002) for index in range(500)]
    run = data_run(DataQuality(current, suggest(baseline), baseline, (), tuple(drift)))
    started = time.process_time()
    text = report_page(run)
    assert time.process_time() - started < 3
    assert len(text) < 2_000_000
    assert len(Page(text).names()) == 500


def test_is_written_whole_into_a_new_folder(tmp_path: Path, shifted: Analysis) -> None:
    path = tmp_path / "a" / "b" / "report.html"
    write_report(shifted, path)
    assert path.read_text(encoding="utf-8") == report_page(shifted)
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]


def test_an_unwritable_path_is_reported(tmp_path: Path, shifted: Analysis) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(QualityError, match=r"cannot write .*report\.html"):
        write_report(shifted, tmp_path / "file" / "report.html")


# --- model quality ---


def binary(shift: float) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    labels = rng.random(1000) < 0.3
    scores = 1 / (1 + np.exp(-(rng.normal(0, 1, 1000) + shift * (labels - 0.6))))
    return model_quality("BinaryClassification", labels.astype(int), (scores > 0.5).astype(int), scores)


def test_shows_each_metric_with_deviation_baseline_constraint_and_result() -> None:
    now, baseline = binary(1.0), binary(2.0)
    text = Page(report_page(model_run("BinaryClassification", now, baseline))).text
    auc, before = (document["binary_classification_metrics"]["auc"] for document in (now, baseline))
    row = text[text.index("\nAUC", text.index("Best constant")) :].split("\n")[1]
    assert f"{auc['value']:.4f}" in row
    assert f"{auc['standard_deviation']:.4f}" in row
    assert f"{before['value']:.4f}{before['standard_deviation']:.4f}" in row
    assert f"at least {before['value']:.4f}violated" in row


def test_lists_every_metric_violation() -> None:
    run = model_run("BinaryClassification", binary(1.0), binary(2.0))
    text = Page(report_page(run)).text
    assert isinstance(run.result, ModelQuality)
    assert run.result.violations
    for violation in run.result.violations:
        assert violation.description in text


def test_a_metric_within_chance_of_its_threshold_is_less_severe() -> None:
    def regression(value: float) -> dict[str, Any]:
        return {
            "version": 0.0,
            "dataset": {"item_count": 500},
            "regression_metrics": {"mae": {"value": value, "standard_deviation": 1.0}},
        }

    near = Page(report_page(model_run("Regression", regression(11.5), regression(10.0)))).text
    far = Page(report_page(model_run("Regression", regression(12.5), regression(10.0)))).text
    assert "Medium: 1 violation" in near
    assert "High: 1 violation" in far


def test_draws_the_curves_over_those_of_the_baseline_and_the_confusion_matrix() -> None:
    page = Page(report_page(model_run("BinaryClassification", binary(1.0), binary(2.0))))
    roc, precision_recall = page.data["curves"]
    assert roc["points"][0] == [0, 0]
    assert roc["points"][-1] == [1, 1]
    assert roc["baseline"] != roc["points"]
    assert precision_recall["x"] == "Recall"
    assert page.data["confusion"]["classes"] == ["0", "1"]
    assert sum(map(sum, page.data["confusion"]["counts"])) == 1000


def test_the_classes_of_the_confusion_matrix_have_their_names_if_they_are_known() -> None:
    run = model_run("BinaryClassification", binary(1.0))
    assert isinstance(run.result, ModelQuality)
    named = replace(run, result=replace(run.result, classes=("benign", "malignant")))
    assert Page(report_page(named)).data["confusion"]["classes"] == ["benign", "malignant"]


def test_an_undefined_metric_is_shown_as_a_dash() -> None:
    page = Page(report_page(model_run("Regression", model_quality("Regression", [1.0], [2.0]))))
    assert "R²\N{EN DASH}\N{EN DASH}" in page.text.replace("\n", "")


def test_shows_the_counts_of_the_ground_truth_merge() -> None:
    run = model_run("BinaryClassification", binary(2.0), merge=Merge(1200, 1100, 1000, 200, 100, 3, 12))
    text = Page(report_page(run)).text
    for piece in ("1,000", "83.3 % of 1,200 inferences", "200", "of 1,100 labels", "12 labels, 3 inferences"):
        assert piece in text


# --- plots ---


def test_bins_of_whole_numbers_contain_whole_numbers() -> None:
    plot = distribution(numbers("n", [0, 1, 1, 2, 6]), numbers("n", [3, 3, 4]))
    assert plot is not None
    assert (plot["low"], plot["high"]) == (-0.5, 6.5)
    assert plot["baseline"] == [0.2, 0.4, 0.2, 0, 0, 0, 0.2]
    assert plot["current"] == pytest.approx([0, 0, 0, 0.66667, 0.33333, 0, 0])


def test_the_gap_is_the_largest_between_the_cumulative_distributions() -> None:
    plot = distribution(numbers("x", [0.5, 1.5, 2.5, 3.5]), numbers("x", [2.5, 3.5, 3.5, 3.5]))
    assert plot is not None
    assert plot["gap"] == {"at": 1.5, "baseline": 0.5, "current": 0.0}


def test_a_long_tail_does_not_squeeze_the_rest_into_one_bin() -> None:
    values = [*np.random.default_rng(0).normal(0, 1, 9_999), 1e9]
    plot = distribution(None, numbers("x", values))
    assert plot is not None
    assert plot["high"] < 10
    assert max(plot["current"]) < 0.3


def test_skewed_values_are_spread_over_a_log_scale() -> None:
    amounts = np.random.default_rng(0).lognormal(5, 1.5, 5_000)
    plot = distribution(numbers("amount", amounts), numbers("amount", amounts * 2))
    assert plot is not None
    assert plot["log"]
    assert max(plot["baseline"]) < 0.15
    assert sum(plot["baseline"]) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "values",
    [
        [7.0],
        [0.1, 0.1],
        [1e308, -1e308],
        [5e-324, 0],
        [2.0**60, 2.0**60 + 4096],
        [1e-300, 1.5e-300, 1e300],
        [1e-9, 1e9],
    ],
)
def test_extreme_values_are_drawn_too(values: list[float]) -> None:
    plot = distribution(numbers("x", values), numbers("x", values))
    assert plot is not None
    assert plot["low"] < plot["high"]
    assert 1 <= len(plot["current"]) <= BINS
    assert sum(plot["current"]) == pytest.approx(1, abs=0.001)
    json.dumps(plot, allow_nan=False)


def test_of_many_categories_the_most_frequent_on_either_side_are_drawn() -> None:
    before = {f"c{index}": 10 for index in range(50)} | {"falling": 500}
    now = {f"c{index}": 10 for index in range(50)} | {"rising": 500}
    plot = distribution(strings("s", before), strings("s", now))
    assert plot is not None
    assert len(plot["labels"]) == CATEGORIES
    assert {"falling", "rising"} <= set(plot["labels"])
    assert plot["rest"] == [0.42, 0.42]


def test_a_feature_of_another_type_than_in_the_baseline_is_drawn_without_it() -> None:
    plot = distribution(numbers("x", [1.0, 2.0]), strings("x", {"1": 1, "two": 1}))
    assert plot is not None
    assert plot["baseline"] is None
    assert plot["current"] == [0.5, 0.5]
