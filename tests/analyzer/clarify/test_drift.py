"""Violations: what is farther from the fair value than in the baseline, in the words of Clarify's container."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest

from analyzer import QualityError
from analyzer.clarify.drift import find_violations, group_text, joint_tolerance, violation_groups
from tests.analyzer.clarify.conftest import CONFIG, LOANS, RunJob


def bias(*metrics: tuple[str, Any], group: str = "female", error: float | None = None) -> dict[str, Any]:
    entries = [
        {"name": name, "description": name, "value": value} | ({} if error is None else {"standard_deviation": error})
        for name, value in metrics
    ]
    facets = {"sex": [{"value_or_threshold": group, "metrics": entries}]}
    return {"post_training_bias_metrics": {"label": "credit", "facets": facets, "label_value_or_threshold": "yes"}}


def attribution(**values: float) -> dict[str, Any]:
    return {"explanations": {"kernel_shap": {"label0": {"global_shap_values": values, "expected_value": 0.5}}}}


# Metrics of a monitoring execution of AWS's example on the adult data, as its container has published them.
OBSERVED = {
    "CDDPL": (0.28176563733194276, 0.3748947825295131),
    "DAR": (-0.09508196721311479, -0.34693877551020413),
    "DCR": (0.027874251497005953, -0.07650793650793647),
    "TE": (2.916666666666667, "Infinity"),
}


def test_the_violations_of_a_published_execution_are_found_in_its_words() -> None:
    baseline = bias(*((name, before) for name, (before, _) in OBSERVED.items()))
    current = bias(*((name, now) for name, (_, now) in OBSERVED.items()))
    assert find_violations(current, baseline) == [
        {
            "facet": "sex",
            "facet_value": "female",
            "metric_name": name,
            "constraint_check_type": "bias_drift_check",
            "description": f"Metric value {now} doesn't meet the baseline constraint requirement {before}",
        }
        for name, (before, now) in OBSERVED.items()
    ]


@pytest.mark.parametrize(
    ("name", "before", "now", "drifts"),
    [
        ("DPPL", 0.2, 0.1, False),
        ("DPPL", 0.2, -0.3, True),
        ("DPPL", 0.2, -0.2, False),
        ("DI", 0.8, 0.9, False),
        ("DI", 0.8, 0.7, True),
        ("DI", 0.8, 1.3, True),
        ("DI", 0.8, 0.05, True),
        ("TE", "Infinity", "Infinity", False),
        ("TE", "Infinity", 5.0, False),
        ("DPPL", 0.2, None, False),
        ("DPPL", None, 0.2, False),
    ],
)
def test_only_a_metric_farther_from_its_fair_value_drifts(name: str, before: Any, now: Any, drifts: bool) -> None:
    assert bool(find_violations(bias((name, now)), bias((name, before)))) == drifts


def test_sums_in_another_order_are_no_drift() -> None:
    assert not find_violations(bias(("DPPL", 0.20015891077100018)), bias(("DPPL", 0.20015891077100015)))


def test_the_tolerance_is_in_standard_errors_of_the_difference() -> None:
    baseline, current = bias(("DPPL", 0.1), error=0.03), bias(("DPPL", 0.2), error=0.04)
    # The standard error of the difference is 0.05, and the metric is 0.1 farther.
    assert find_violations(current, baseline, metric_tolerance=1.9)
    assert not find_violations(current, baseline, metric_tolerance=2.1)


def test_a_metric_of_too_few_records_for_a_standard_error_is_compared_only_without_a_tolerance() -> None:
    few, many = bias(("TE", "Infinity")), bias(("TE", 0.2), error=0.1)
    assert find_violations(few, many)
    assert not find_violations(few, many, metric_tolerance=2.5)
    # nor one that the baseline knows too little of
    current, baseline = bias(("TE", 2.0), ("DPPL", 0.3), error=0.1), bias(("TE", 0.2), ("DPPL", 0.3), error=0.1)
    del baseline["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"][0]["standard_deviation"]
    assert not find_violations(current, baseline, metric_tolerance=2.5)


def test_a_baseline_without_standard_errors_counts_as_exact() -> None:
    assert find_violations(bias(("DPPL", 0.3), error=0.1), bias(("DPPL", 0.1)), metric_tolerance=1.9)
    assert not find_violations(bias(("DPPL", 0.3), error=0.1), bias(("DPPL", 0.1)), metric_tolerance=2.1)


def test_chance_violates_a_metric_of_several_groups_as_often_as_that_of_one() -> None:
    tail = NormalDist().cdf
    assert [joint_tolerance(0, 9), joint_tolerance(2.5, 0)] == pytest.approx([0, 2.5])
    assert 4 * tail(-joint_tolerance(2.5, 4)) == pytest.approx(tail(-2.5))
    # too far for a double
    assert joint_tolerance(50, 4) == 50
    now, before = bias(("DPPL", 0.36), error=0.1), bias(("DPPL", 0.0), error=0.1)
    assert find_violations(now, before, metric_tolerance=2.5)
    for document in (now, before):
        of_sex = document["post_training_bias_metrics"]["facets"]["sex"]
        of_sex.extend({**of_sex[0], "value_or_threshold": f"group {number}"} for number in range(3))
    assert not find_violations(now, before, metric_tolerance=2.5)


def test_groups_by_a_threshold_are_compared_although_their_intervals_end_at_the_largest_value() -> None:
    assert find_violations(bias(("DPPL", 0.3), group="(40, 71]"), bias(("DPPL", 0.2), group="(40, 75]"))
    assert find_violations(bias(("DPPL", 0.3), group="(40, 71]"), bias(("DPPL", 0.2), group="(40.0, 75.5]"))


@pytest.mark.parametrize(("group", "of_baseline"), [("male", "female"), ("(60, 71]", "(40, 71]"), ("40", "(40, 71]")])
def test_the_only_group_of_a_facet_is_not_compared_with_another_one(group: str, of_baseline: str) -> None:
    assert not find_violations(bias(("DPPL", 0.3), group=group), bias(("DPPL", 0.2), group=of_baseline))


def test_a_value_that_a_configuration_lists_twice_is_named_once() -> None:
    assert group_text("foreign", "1,1") == "foreign = 1"
    assert group_text("region", "east,west") == "region = east,west"
    assert group_text("age", "(25, 75]") == "age in (25, 75]"


def test_other_groups_are_not_compared() -> None:
    two = bias(("DPPL", 0.1), group="male")
    two["post_training_bias_metrics"]["facets"]["sex"] += bias(("DPPL", 0.1), group="other")[
        "post_training_bias_metrics"
    ]["facets"]["sex"]
    assert not find_violations(bias(("DPPL", 0.3)), two)


def test_a_ranking_with_an_ndcg_below_0_9_drifts() -> None:
    # The example of AWS's documentation: the order of three features has reversed.
    baseline, current = attribution(sat=0.7, gpa=0.5, rank=0.05), attribution(sat=0.1, gpa=0.2, rank=0.7)
    score = (0.05 + 0.5 / math.log2(3) + 0.7 / 2) / (0.7 + 0.5 / math.log2(3) + 0.05 / 2)
    (violation,) = find_violations(current, baseline)
    assert violation == {
        "label": "label0",
        "metric_name": "shap",
        "constraint_check_type": "feature_attribution_drift_check",
        "description": violation["description"],
    }
    _, _, _, text, *rest = violation["description"].split()
    assert float(text) == pytest.approx(score)
    assert rest == ["exceeds", "threshold", "0.9"]
    assert not find_violations(attribution(sat=0.6, gpa=0.5, rank=0.1), baseline)
    (group,) = violation_groups([violation], current, baseline)
    assert group.text.endswith("the first are rank, gpa, sat, in the baseline sat, gpa, rank")


def test_placeholders_stand_for_the_labels_in_their_order() -> None:
    def of(*labels: str) -> dict[str, Any]:
        values = [{"a": 0.9, "b": 0.1, "c": 0.01}, {"a": 0.01, "b": 0.1, "c": 0.9}]
        return {
            "explanations": {
                "kernel_shap": {
                    label: {"global_shap_values": found, "expected_value": 0.0}
                    for label, found in zip(labels, values, strict=False)
                }
            }
        }

    labels = of("x", "y")["explanations"]["kernel_shap"]
    reversed_labels = {"explanations": {"kernel_shap": dict(reversed(labels.items()))}}
    assert not find_violations(of("x", "y"), of("label0", "label1"))
    assert {entry["label"] for entry in find_violations(reversed_labels, of("label0", "label1"))} == {"x", "y"}
    # Labels of another model, and another number of them, are not compared.
    assert not find_violations(reversed_labels, of("p", "q"))
    assert not find_violations(reversed_labels, of("label0"))


def test_a_job_with_a_baseline_writes_the_violations_and_says_them(run_job: RunJob, tmp_path: Path) -> None:
    run_job(CONFIG)
    baseline = (tmp_path / "output" / "analysis.json").rename(tmp_path / "baseline.json")
    same = run_job(CONFIG, baseline=baseline)
    assert same.message == "Completed: Job completed successfully with no violations."
    file = tmp_path / "output" / "constraint_violations.json"
    assert json.loads(file.read_text()) == {"version": "1.0", "violations": []}
    worse = run_job(CONFIG, LOANS.replace("female,35,own,yes,yes", "female,35,own,yes,no"), baseline=baseline)
    assert worse.message == (
        "CompletedWithViolations: Job completed successfully with 3 violations. sex = female: AD is 0.333 "
        "(baseline 0.0833), DI is 0.375 (baseline 0.75), DPPL is 0.417 (baseline 0.167)."
    )
    assert json.loads(file.read_text())["violations"] == worse.violations
    assert "Drift from the baseline: 3 bias metrics" in (tmp_path / "output" / "report.html").read_text()


def test_a_baseline_of_other_groups_does_not_look_like_no_drift(run_job: RunJob, tmp_path: Path) -> None:
    (tmp_path / "baseline.json").write_text(json.dumps(attribution(age=1.0)))
    result = run_job(CONFIG, baseline=tmp_path / "baseline.json")
    assert result.message.startswith("Completed: Job completed successfully, but the baseline has no metric of these")
    assert "Nothing to compare with the baseline" in (tmp_path / "output" / "report.html").read_text()


def test_a_baseline_of_another_kind_is_refused(run_job: RunJob, tmp_path: Path) -> None:
    for content, message in (({}, "has neither bias metrics nor"), ({"explanations": 1}, "is not an analysis.json")):
        (tmp_path / "baseline.json").write_text(json.dumps(content))
        with pytest.raises(QualityError, match=message):
            run_job(deepcopy(CONFIG), baseline=tmp_path / "baseline.json")
