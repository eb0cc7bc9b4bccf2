"""The section `tuning`: ranges by LightGBM's names, and a message for each mistake before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from project.errors import UserError
from project.settings import NumberRange, Settings, TrainingSettings, TuningSettings
from project.settings.tuning_ranges import DEFAULT_RANGES

MakeSettings = Callable[..., Settings]
GRID = {"num_leaves": [7, 31], "class_weight": ["none", "balanced"]}


def test_without_the_section_nothing_is_tuned(make_settings: MakeSettings) -> None:
    assert make_settings().tuning is None


def test_an_empty_section_searches_the_default_ranges_except_what_training_sets(make_settings: MakeSettings) -> None:
    settings = make_settings(tuning={}, training={"learning_rate": 0.1})
    assert settings.tuning is not None
    assert settings.tuning.search_space(settings.training) == {
        name: item for name, item in DEFAULT_RANGES.items() if name != "learning_rate"
    }
    assert (settings.tuning.number_of_jobs, settings.tuning.metric(settings.problem_type)) == (20, "auc")


@pytest.mark.parametrize(
    ("training", "missing"),
    [
        ({"data_sample_strategy": "goss"}, {"bagging_fraction", "bagging_freq"}),
        ({"bagging_freq": 0}, {"bagging_fraction", "bagging_freq"}),
        ({"path_smooth": 1}, set()),
    ],
)
def test_the_default_ranges_go_with_what_training_sets(
    make_settings: MakeSettings, training: dict[str, Any], missing: set[str]
) -> None:
    settings = make_settings(tuning={}, training=training)
    assert settings.tuning is not None
    assert DEFAULT_RANGES.keys() - settings.tuning.search_space(settings.training).keys() == missing


@pytest.mark.parametrize("name", DEFAULT_RANGES)
def test_the_default_ranges_are_ones_that_a_settings_file_may_have(name: str) -> None:
    item = DEFAULT_RANGES[name]
    assert isinstance(item, NumberRange)
    assert TuningSettings.model_validate({"ranges": {name: item.model_dump()}}).ranges == {name: item}


def test_ranges_get_their_type_from_the_parameter(make_settings: MakeSettings) -> None:
    tuning = make_settings(
        tuning={
            "ranges": {
                "num_leaves": {"min": 8, "max": 256, "scaling": "Logarithmic"},
                # YAML reads 1e-8, which has no dot, as a text
                "lambda_l1": {"min": "1e-8", "max": 10},
                "class_weight": ["none", "balanced"],
            }
        }
    ).tuning
    assert tuning is not None
    assert repr(tuning.ranges["num_leaves"]) == "NumberRange(min=8, max=256, scaling='Logarithmic')"
    assert repr(tuning.ranges["lambda_l1"]) == "NumberRange(min=1e-08, max=10.0, scaling='Auto')"
    assert tuning.ranges["class_weight"] == ("none", "balanced")


def test_every_parameter_of_lightgbm_can_be_tuned_by_its_name_or_an_alias(make_settings: MakeSettings) -> None:
    ranges = {"subsample": {"min": 0.5, "max": 1}, "max_bin": {"min": 63, "max": 511}, "extra_trees": [True, False]}
    training = {"bagging_freq": 1}
    tuning = make_settings(training=training, tuning={"ranges": ranges | {"num_iterations": [100, 200.0]}}).tuning
    assert tuning is not None
    assert tuning.ranges == {
        "bagging_fraction": NumberRange(min=0.5, max=1.0),
        "max_bin": NumberRange(min=63, max=511),
        "extra_trees": (True, False),
        "num_boost_round": (100, 200),
    }
    assert [type(value) for value in tuning.ranges["num_boost_round"]] == [int, int]


@pytest.mark.parametrize("stops", [{"strategy": "Hyperband"}, {"early_stopping": "Auto"}])
def test_what_is_known_at_the_end_only_cannot_stop_trials(make_settings: MakeSettings, stops: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"training\.folds makes the mean over the folds the objective"):
        make_settings(tuning=stops, training={"folds": 5})


def test_a_grid_has_as_many_jobs_as_combinations(make_settings: MakeSettings) -> None:
    tuning = make_settings(tuning={"strategy": "Grid", "ranges": GRID}).tuning
    assert tuning is not None and tuning.number_of_jobs == 4


@pytest.mark.parametrize(
    ("tuning", "message"),
    [
        (
            {"ranges": {"num_leaves": {"min": 64, "max": 8}}},
            "tuning.ranges: num_leaves: min 64 is greater than max 8; exchange them",
        ),
        (
            {"ranges": {"num_leaves": {"min": 8, "max": 8}}},
            "num_leaves: min and max are both 8; set num_leaves in the section training instead",
        ),
        (
            {"ranges": {"lambda_l1": {"min": 0, "max": 1, "scaling": "Logarithmic"}}},
            "lambda_l1: a logarithmic range must begin above 0; found min 0, use 1e-8 for example",
        ),
        (
            {"ranges": {"num_leaves": {"min": 8, "max": 64, "scaling": "ReverseLogarithmic"}}},
            "num_leaves: ReverseLogarithmic needs numbers from 0 to below 1; found 8 to 64",
        ),
        ({"ranges": {"num_leaves": {"min": 2.5, "max": 8}}}, "num_leaves takes integers; found 2.5"),
        ({"ranges": {"num_leaves": {"min": 1, "max": 8}}}, "num_leaves cannot be 1: it must be greater than or equal"),
        ({"ranges": {"num_leaves": {"min": 8}}}, "num_leaves.max: missing; expected a range such as {min: 1"),
        (
            {"ranges": {"num_leaves": {"min": 8, "max": 9, "scale": 1}}},
            "num_leaves.scale: unknown key; expected a rang",
        ),
        ({"ranges": {"num_leaves": 31}}, "num_leaves is 31; expected a range such as {min: 1, max: 10}, or a list"),
        ({"ranges": {"num_leaves": [31]}}, "num_leaves: a list needs at least two values to choose from; found [31]"),
        ({"ranges": {"num_leaves": [31, 31]}}, "num_leaves: a value is listed twice in [31, 31]"),
        ({"ranges": {"num_leaves": [31, [7]]}}, "num_leaves: [7] is not a value; expected numbers, texts or booleans"),
        ({"ranges": {"num_leaves": [*range(2, 33)]}}, "num_leaves: 31 values; SageMaker chooses among at most 30"),
        ({"ranges": {"class_weight": {"min": 1, "max": 2}}}, "class_weight is not a number; give a list of values"),
        ({"ranges": {"num_leavs": [7, 31]}}, "LightGBM has no parameter 'num_leavs'; did you mean num_leaves?"),
        ({"ranges": {"seed": [1, 2]}}, "seed cannot be tuned: a model that is better by its seed is better by"),
        ({"ranges": {"bagging_seed": [1, 2]}}, "bagging_seed cannot be tuned"),
        ({"ranges": {"objective": ["binary", "cross_entropy"]}}, "objective cannot be tuned: losses of different"),
        ({"ranges": {"monotone_constraints": [1, 2]}}, "monotone_constraints cannot be tuned: it is neither a number"),
        ({"ranges": {"num_threads": [1, 2]}}, "num_threads cannot be set: the instances of the job decide"),
        ({"ranges": {"num_leaves": [7, 8], "max_leaves": [7, 8]}}, "are the same parameter of LightGBM; keep one"),
        ({"ranges": {"cat_l2": {"min": -1, "max": 8}}}, "cat_l2 is -1; it must be at least 0"),
        ({"ranges": {"boosting": ["gbdt", "goss"]}}, "boosting is 'goss'; it must be one of gbdt, dart"),
        (
            {"ranges": {"boosting": ["gbdt", "dart"]}},
            "tuning.ranges cannot be combined: boosting dart cannot be combined with early stopping, because",
        ),
        (
            {"ranges": {"path_smooth": {"min": 0, "max": 10}, "min_data_in_leaf": {"min": 1, "max": 10}}},
            "path_smooth needs at least two rows in a leaf; set min_data_in_leaf: 2 (tried min_data_in_leaf 1, pa",
        ),
        (
            {"ranges": {"subsample": {"min": 0.5, "max": 1}}},
            "bagging_fraction has no effect without bagging_freq; set training.bagging_freq: 1, or remove bagging_f",
        ),
        ({"ranges": {"lambda_l2": {"min": 1, "max": float("inf")}}}, "lambda_l2.max: it must be a finite number; exp"),
        ({"ranges": [1]}, "tuning.ranges: expected ranges by name, such as num_leaves: {min: 8, max: 256}"),
        ({"ranges": {f"p{number}": [1, 2] for number in range(31)}}, "31 ranges; SageMaker searches at most 30"),
        ({"max_jobs": 2, "max_parallel_jobs": 3}, "max_parallel_jobs is 3, more than max_jobs (2)"),
        ({"max_jobs": 751}, "max_jobs is 751; strategy Bayesian allows at most 750"),
        ({"max_jobs": 10001, "strategy": "Random"}, "max_jobs is 10001; strategy Random allows at most 10000"),
        (
            {"strategy": "Grid", "ranges": {"num_leaves": {"min": 8, "max": 64}}},
            "strategy Grid tries lists of values; give lists instead of ranges for num_leaves, such as num_leaves: [8",
        ),
        ({"strategy": "Grid"}, "strategy Grid needs ranges: for each parameter a list of the values to try"),
        ({"strategy": "Grid", "ranges": GRID, "max_jobs": 3}, "max_jobs is 3, but the grid has 4 combinations"),
        (
            {"strategy": "Grid", "ranges": {"num_leaves": [*range(2, 30)], "max_depth": [*range(1, 29)]}},
            "the grid has 784 combinations; SageMaker allows at most 750: remove values, or use strategy Random",
        ),
        (
            {"strategy": "Grid", "ranges": GRID, "warm_start_from": ["a"]},
            "strategy Grid tries all combinations, whatever earlier jobs found; remove warm_start_from",
        ),
        ({"strategy": "Hyperband", "early_stopping": "Auto"}, "strategy Hyperband stops trials itself; set early_stop"),
        ({"hyperband": {"min_resource": 3}}, "hyperband is for strategy Hyperband, not Bayesian; remove one of them"),
        (
            {"strategy": "Hyperband", "hyperband": {"min_resource": 99}},
            "hyperband.min_resource is 99, more than max_resource (60)",
        ),
        ({"warm_start_from": ["a_b"]}, "tuning.warm_start_from.0 is 'a_b'; it should match pattern"),
        ({"warm_start_from": [*"abcdef"]}, "at most 5"),
        ({"warm_start_type": "TransferLearning"}, "warm_start_type needs warm_start_from: the names of earlier tuning"),
        ({"objective": "rmse"}, "tuning.objective is 'rmse'; for BinaryClassification it must be one of auc, binary_l"),
        (
            {"objective": "f1", "early_stopping": "Auto"},
            "tuning.objective is 'f1', which is known only when a training ends; early_stopping Auto needs one of auc",
        ),
        ({"objective": "accuracy", "strategy": "Hyperband"}, "strategy Hyperband needs one of auc, binary_logloss"),
        ({"jobs": 3}, "tuning.jobs: unknown key; allowed here: max_jobs, max_parallel_jobs, strategy"),
    ],
)
def test_a_mistake_is_told_with_the_thing_the_value_and_the_next_move(
    make_settings: MakeSettings, tuning: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as refused:
        make_settings(tuning=tuning)
    assert message in str(refused.value)


def test_a_parameter_cannot_have_a_value_and_a_range(make_settings: MakeSettings) -> None:
    with pytest.raises(UserError, match=r"training.num_leaves is 15 and has a range in tuning.ranges; remove one"):
        make_settings(training={"num_leaves": 15}, tuning={"ranges": {"num_leaves": [7, 31]}})


def test_training_may_not_set_all_that_would_be_searched(make_settings: MakeSettings) -> None:
    values = {name: TrainingSettings.model_fields[name].default for name in DEFAULT_RANGES}
    with pytest.raises(UserError, match=r"training sets all parameters that tuning would search; give tuning.ranges"):
        make_settings(training=values, tuning={})


def test_instances_that_are_kept_are_refused(make_settings: MakeSettings) -> None:
    with pytest.raises(UserError, match="keep_alive_seconds is for training jobs; tuning jobs do not take it"):
        make_settings(resources={"keep_alive_seconds": 60}, tuning={})


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from(["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]))
def test_a_range_is_accepted_if_and_only_if_sagemaker_would(low: float, high: float, scaling: str) -> None:
    ranges = {"lambda_l2": {"min": low, "max": high, "scaling": scaling}}
    valid = low < high and (scaling != "Logarithmic" or low > 0) and (scaling != "ReverseLogarithmic" or high < 1)
    try:
        TuningSettings.model_validate({"ranges": ranges})
    except ValueError:
        assert not valid
    else:
        assert valid
