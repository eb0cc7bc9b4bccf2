"""The trials of a tuning job, and what the report says of them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from evaluation.report.tuning import tuning_section
from evaluation.trials import edge_hits, position, read_trials, summarize_trials
from hypothesis import given
from hypothesis import strategies as st

STARTED = datetime(2026, 11, 29)
RANGES = {
    "IntegerParameterRanges": [{"Name": "num_leaves", "MinValue": "8", "MaxValue": "256", "ScalingType": "Linear"}],
    "ContinuousParameterRanges": [{"Name": "lambda_l2", "MinValue": "1e-8", "MaxValue": "10", "ScalingType": "Auto"}],
    "CategoricalParameterRanges": [{"Name": "boosting<b>", "Values": ["gbdt", "dart"]}],
}


def job(kind: str = "Maximize") -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": "pipe-Tune-1",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"MetricName": "validation:auc", "Type": kind},
            "ParameterRanges": RANGES,
        },
    }


def trial(number: int, value: float | None, status: str = "Completed", **hyperparameters: str) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "TrainingJobName": f"pipe-Tune-1-{number:03}",
        "TrainingJobStatus": status,
        "TrainingStartTime": STARTED,
        "TrainingEndTime": STARTED + timedelta(seconds=number),
        "TunedHyperParameters": {"num_leaves": "31", "lambda_l2": "0.1", "boosting<b>": "dart"} | hyperparameters,
    }
    if value is not None:
        summary["FinalHyperParameterTuningJobObjectiveMetric"] = {"MetricName": "validation:auc", "Value": value}
    return summary


TRIALS = [trial(1, 0.8), trial(2, None, "Failed"), trial(3, 0.9), trial(4, 0.7, "Stopped")]


@pytest.mark.parametrize(("kind", "values"), [("Maximize", [0.9, 0.8, 0.7, None]), ("Minimize", [0.7, 0.8, 0.9, None])])
def test_the_best_trial_comes_first_and_one_without_an_objective_last(kind: str, values: list[float | None]) -> None:
    tuning = summarize_trials(job(kind), TRIALS)
    assert [item["value"] for item in tuning["trials"]] == values
    assert (tuning["count"], tuning["failed"], tuning["stopped"]) == (4, 1, 1)
    assert tuning["trials"][0]["seconds"] == (3 if kind == "Maximize" else 4)


def test_a_wide_range_is_logarithmic_as_the_search_has_it() -> None:
    ranges = summarize_trials(job(), TRIALS)["ranges"]
    assert ranges["lambda_l2"]["scaling"] == "Logarithmic"
    assert position(ranges["lambda_l2"], "1e-8") == 0
    assert position(ranges["lambda_l2"], "10") == 1
    assert position(ranges["num_leaves"], "132") == 0.5
    assert [position(ranges["boosting<b>"], value) for value in ("gbdt", "dart", "rf")] == [0, 1, None]


@given(st.sampled_from(["Linear", "Logarithmic", "ReverseLogarithmic"]), st.floats(0.001, 0.99), st.floats(0.001, 0.99))
def test_a_greater_value_is_never_further_down_its_range(scaling: str, one: float, other: float) -> None:
    range_ = {"min": 0.001, "max": 0.99, "scaling": scaling}
    low, high = (position(range_, repr(value)) for value in sorted((one, other)))
    assert low is not None and high is not None and -1e-9 <= low <= high <= 1 + 1e-9


def hits(best: list[str], rest: int = 5, **range_: Any) -> list[str]:
    trials = [{"value": 1 - index / 100, "hyperparameters": {"p": text}} for index, text in enumerate(best)]
    trials += [{"value": 0.1, "hyperparameters": {"p": "5"}}] * rest
    return edge_hits({"p": {"min": 1.0, "max": 10.0, "scaling": "Linear", **range_}}, trials)


def test_a_range_that_most_of_the_best_trials_leave_is_named_with_the_next_move() -> None:
    assert hits(["9.9", "10", "9.8", "5", "1"]) == ["p: 3 of the 5 best trials lie at the upper end, 10; raise it"]
    assert hits(["1", "1.1", "1.2", "1.3", "5"]) == ["p: 4 of the 5 best trials lie at the lower end, 1; lower it"]
    assert hits(["1", "1", "5", "10", "10"]) == []


def test_few_trials_say_nothing_about_a_range() -> None:
    assert hits(["10"] * 5, rest=4) == []


@pytest.mark.parametrize(
    ("name", "low", "high", "at"),
    [("feature_fraction", 0.4, 1.0, "1.0"), ("lambda_l1", 1e-8, 10.0, "1e-8"), ("min_data_in_leaf", 1.0, 99.0, "1")],
)
def test_nobody_is_told_to_go_beyond_what_the_parameter_allows(name: str, low: float, high: float, at: str) -> None:
    trials = [{"value": 1.0, "hyperparameters": {name: at}}] * 10
    assert edge_hits({name: {"min": low, "max": high, "scaling": "Linear"}}, trials) == []


def test_the_report_lists_the_trials_and_escapes_their_names() -> None:
    html = tuning_section(summarize_trials(job(), TRIALS))
    assert "4 trials of tuning job pipe-Tune-1 (Bayesian), 1 failed, 1 stopped" in html
    assert "highest AUC" in html and html.count("<polyline") == 3
    assert "<b>0.9000</b>" in html and "boosting&lt;b&gt;" in html and "boosting<b>" not in html


def test_a_single_trial_and_equal_objectives_can_be_reported() -> None:
    assert "<polyline" not in tuning_section(summarize_trials(job(), TRIALS[:1]))
    assert "nan" not in tuning_section(summarize_trials(job(), [trial(1, 0.5), trial(2, 0.5)]))


def test_a_model_that_was_not_tuned_has_no_section() -> None:
    assert tuning_section(None) == ""


def test_without_the_api_the_report_says_why_and_the_evaluation_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    tuning = read_trials("pipe-Tune-1")
    assert tuning.keys() == {"job", "unavailable"}
    assert "cannot read the trials of tuning job pipe-Tune-1" in capsys.readouterr().out
    assert "could not be read: Could not connect" in tuning_section(tuning)


def test_only_the_best_trials_are_kept_of_a_large_job() -> None:
    tuning = summarize_trials(job(), [trial(number, math.sin(number)) for number in range(500)])
    assert (len(tuning["trials"]), tuning["count"]) == (200, 500)
