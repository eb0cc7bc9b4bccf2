"""The strategies of tuning jobs, without training jobs."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from local_sagemaker.jobs.tuning.ranges import parse_ranges
from local_sagemaker.jobs.tuning.search import Search, make_search

X = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "10"}]}
MINIMIZE = {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"}}

NUMBERS = st.floats(-1e6, 1e6)


@settings(deadline=None)
@given(st.data())
def test_samples_are_within_the_ranges(data: Any) -> None:
    low, high = sorted(data.draw(st.tuples(NUMBERS, NUMBERS)))
    whole = data.draw(st.booleans())
    scalings = ["Auto", "Linear", *(["Logarithmic"] if low >= 1 else [])]
    if whole:
        low, high = int(low), int(high)
    elif data.draw(st.booleans()):
        low, high = sorted(data.draw(st.tuples(st.floats(0, 0.999), st.floats(0, 0.999))))
        scalings = ["ReverseLogarithmic"]
    item = {"Name": "n", "MinValue": str(low), "MaxValue": str(high)}
    item["ScalingType"] = data.draw(st.sampled_from(scalings))
    ranges = {"IntegerParameterRanges" if whole else "ContinuousParameterRanges": [item]}
    config = {"Strategy": "Random", "ResourceLimits": {}}
    search = make_search(config, ranges)
    for _ in range(5):
        suggestion = search.ask()
        assert suggestion is not None
        drawn = suggestion.hyperparameters
        assert low <= float(drawn["n"]) <= high
        assert not whole or drawn["n"] == str(int(drawn["n"]))
        assert parse_ranges(ranges)["n"].to_sample(drawn["n"]) is not None


def test_a_seed_makes_a_search_repeatable() -> None:
    def drawn(seed: int) -> list[Any]:
        search = make_search({"Strategy": "Random", "ResourceLimits": {}, "RandomSeed": seed}, X)
        return [search.ask() for _ in range(3)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_bayesian_search_finds_better_values_than_random_search() -> None:
    def lowest(strategy: str, seed: int) -> float:
        objective = {"Type": "Minimize", "MetricName": "loss"}
        limits = {"MaxNumberOfTrainingJobs": 40}
        names = [f"x{number}" for number in range(3)]
        ranges = [{"Name": name, "MinValue": "0", "MaxValue": "10", "ScalingType": "Linear"} for name in names]
        config = {"Strategy": strategy, "HyperParameterTuningJobObjective": objective, "ResourceLimits": limits}
        search = make_search({**config, "RandomSeed": seed}, {"ContinuousParameterRanges": ranges})
        losses = []
        for _ in range(40):
            tried = search.ask()
            assert tried is not None
            losses.append(sum((float(tried.hyperparameters[name]) - 3) ** 2 for name in names))
            search.tell(tried.number, losses[-1])
        return min(losses)

    assert sum(lowest("Bayesian", seed) < lowest("Random", seed) for seed in range(5)) >= 4


def test_a_wide_range_is_logarithmic_by_default() -> None:
    def scaling(low: str, high: str) -> str:
        return parse_ranges({"ContinuousParameterRanges": [{"Name": "x", "MinValue": low, "MaxValue": high}]})[
            "x"
        ].scaling  # type: ignore[union-attr]

    assert (scaling("1e-6", "1"), scaling("0", "1"), scaling("1", "10")) == ("Logarithmic", "Linear", "Linear")


def bayesian(parallel: int, seed: int | None) -> Search:
    limits = {"MaxNumberOfTrainingJobs": 30, "MaxParallelTrainingJobs": parallel}
    config = {"Strategy": "Bayesian", "ResourceLimits": limits, **MINIMIZE}
    return make_search(config if seed is None else {**config, "RandomSeed": seed}, X)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.randoms(use_true_random=False))
def test_suggestions_of_a_seed_do_not_depend_on_which_job_ends_first(parallel: int, order: Any) -> None:
    def suggested(pick: Any) -> list[str]:
        search, running, drawn = bayesian(parallel, seed=1), [], []
        while len(drawn) < 12:
            if len(running) < parallel and search.is_ready():
                suggestion = search.ask()
                assert suggestion is not None
                running.append(suggestion)
                drawn.append(suggestion.hyperparameters["x"])
            else:
                ended = running.pop(pick(len(running)))
                search.tell(ended.number, (float(ended.hyperparameters["x"]) - 3) ** 2)
        return drawn

    assert suggested(lambda running: 0) == suggested(lambda running: order.randrange(running))


def test_without_a_seed_a_suggestion_never_waits_for_a_slow_job() -> None:
    search = bayesian(2, seed=None)
    for _ in range(10):
        assert search.is_ready() and search.ask() is not None


def test_hyperband_keeps_the_best_third_of_a_bracket() -> None:
    resources = {"MinResource": 1, "MaxResource": 9}
    config = {"Strategy": "Hyperband", "StrategyConfig": {"HyperbandStrategyConfig": resources}, "RandomSeed": 1}
    search = make_search({**config, "ResourceLimits": {"MaxNumberOfTrainingJobs": 60}, **MINIMIZE}, X)
    reports = []
    for _ in range(60):
        suggestion = search.ask()
        assert suggestion is not None
        loss = float(suggestion.hyperparameters["x"])
        reports.append((next(n for n in range(1, 20) if search.should_stop(suggestion.number, loss)), loss))
        search.tell(suggestion.number, loss)
    assert {number for number, _ in reports} <= {1, 3, 9}, "only at a multiple of 3 of MinResource, and at MaxResource"
    whole, stopped = ([loss for number, loss in reports if (number == 9) is kept] for kept in (True, False))
    assert sum(whole) / len(whole) < sum(stopped) / len(stopped)


def test_hyperband_takes_max_resource_from_the_epochs() -> None:
    config = {"Strategy": "Hyperband", "ResourceLimits": {}, **MINIMIZE}
    search = make_search(config, X, static={"n_epochs": "2"})
    suggestion = search.ask()
    assert suggestion is not None
    assert [search.should_stop(suggestion.number, 1.0) for _ in range(2)] == [False, True]
