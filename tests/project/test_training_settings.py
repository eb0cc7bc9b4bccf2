"""The section `training`: every parameter of LightGBM by its name or an alias, checked as LightGBM would."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from project.errors import UserError
from project.settings import Settings
from project.settings.lightgbm import PARAMETERS, settable_parameter


def test_the_list_of_parameters_is_that_of_the_installed_lightgbm(tmp_path: Path) -> None:
    script = Path(__file__).with_name("lightgbm_parameters.py")
    written = tmp_path / "parameters.json"
    # LightGBM writes what it refuses to stdout
    subprocess.run([sys.executable, script, written], check=True, capture_output=True)
    shipped = Path(sys.modules[PARAMETERS["alpha"].__module__].__file__ or "").with_name("lightgbm_parameters.json")
    assert json.loads(shipped.read_text()) == json.loads(written.read_text())


def test_a_parameter_is_set_by_its_name_or_an_alias(make_settings: Callable[..., Settings]) -> None:
    training = make_settings(training={"eta": 0.2, "max_bins": 63, "extra_trees": True, "n_estimators": 7}).training
    assert (training.learning_rate, training.num_boost_round) == (0.2, 7)
    assert training.further == {"max_bin": 63, "extra_trees": True}
    assert training.lightgbm["num_iterations"] == 7


def test_numbers_that_yaml_reads_as_texts_are_numbers(make_settings: Callable[..., Settings]) -> None:
    assert make_settings(training={"min_sum_hessian_in_leaf": "1e-4"}).training.further == {
        "min_sum_hessian_in_leaf": 1e-4
    }


def test_default_settings_have_the_hyperparameters_they_had(make_settings: Callable[..., Settings]) -> None:
    assert [*make_settings().training.hyperparameters()] == [
        *("num_leaves", "learning_rate", "num_boost_round", "early_stopping_rounds", "max_depth", "min_data_in_leaf"),
        *("feature_fraction", "bagging_fraction", "bagging_freq", "lambda_l1", "lambda_l2", "class_weight", "seed"),
    ]


def test_hyperparameters_survive_script_mode(make_settings: Callable[..., Settings]) -> None:
    from local_sagemaker.jobs import script_mode

    training = {"mc": {"a, b": 1}, "extra_trees": True, "interaction_constraints": [["a, b", "c"]], "max_bin": 9}
    sent = make_settings(training=training).training.hyperparameters()
    line = script_mode.arguments(script_mode.decode({name: str(value) for name, value in sent.items()}))
    received = dict(zip(line[::2], line[1::2], strict=True))
    assert json.loads(received["--monotone_constraints"]) == {"a, b": 1}
    assert json.loads(received["--interaction_constraints"]) == [["a, b", "c"]]
    assert (received["--extra_trees"], received["--max_bin"]) == ("True", "9")


REGRESSION = {"problem_type": "Regression", "quality": {"metric": "rmse", "threshold": 1}}


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"num_leafs": 3}, "LightGBM has no parameter 'num_leafs'; did you mean num_leaf?"),
        ({"class_weights": "balanced"}, "LightGBM has no parameter 'class_weights'; did you mean class_weight?"),
        ({"eta": 0.1, "learning_rate": 0.1}, "eta and learning_rate are the same parameter of LightGBM; keep one"),
        ({"max_bin": 9, "max_bins": 9}, "max_bin and max_bins are the same parameter of LightGBM; keep one"),
        ({"max_bin": 1}, "max_bin is 1; it must be greater than 1"),
        ({"max_bin": 2.5}, "max_bin is 2.5; it must be an integer"),
        ({"cat_l2": -1}, "cat_l2 is -1; it must be at least 0"),
        ({"feature_fraction_bynode": 1.5}, "it must be greater than 0 and at most 1"),
        ({"extra_trees": 1}, "extra_trees is 1; it must be true or false"),
        ({"cat_smooth": ".nan"}, "cat_smooth is '.nan'; it must be a number"),
        ({"label_gain": [1, "x"]}, "label_gain is [1, 'x']; it must be a list of numbers"),
        ({"feature_contri": [1, 2]}, "expected numbers by the names of columns"),
        ({"nthread": 4}, "nthread (LightGBM's num_threads) cannot be set: the instances of the job decide"),
        ({"device": "gpu"}, "cannot be set: the image of the job has LightGBM for CPUs"),
        ({"metric": "auc"}, "metric cannot be set: set quality.early_stopping_metric"),
        ({"output_model": "x"}, "output_model cannot be set: train.py writes the model"),
        ({"linear_tree": True}, "LightGBM cannot explain linear trees"),
        ({"boosting": "rf"}, "boosting is 'rf'; it must be one of gbdt, dart; a random forest"),
        ({"boosting": "goss"}, "set data_sample_strategy: goss instead"),
        ({"boosting": "dart"}, "boosting dart cannot be combined with early stopping"),
        ({"drop_rate": 0.2}, "drop_rate has no effect without boosting: dart"),
        (
            {"data_sample_strategy": "goss", "bagging_freq": 1, "bagging_fraction": 0.5},
            "goss cannot be combined with bagging",
        ),
        ({"data_sample_strategy": "goss", "top_rate": 0.7, "other_rate": 0.5}, "their sum at most 1"),
        ({"is_unbalance": True, "scale_pos_weight": 3}, "is_unbalance and scale_pos_weight weight the classes more"),
        ({"class_weight": "balanced", "is_unbalance": True}, "class_weight: balanced and is_unbalance weight the"),
        ({"subsample": 0.5}, "bagging_fraction has no effect without bagging_freq; set training.bagging_freq: 1"),
        ({"lambda_l2": float("inf")}, "training.lambda_l2 is inf; it should be a finite number"),
        ({"monotone_constraints": [1, 0]}, "training.monotone_constraints is [1, 0]; it should be a section with keys"),
        ({"interaction_constraints": ["a"]}, "interaction_constraints.0 is 'a'; it should be a list, such as [a, b]"),
        ({"pos_bagging_fraction": 0.5}, "have no effect without bagging_freq"),
        ({"monotone_penalty": 1}, "monotone_penalty has no effect without monotone_constraints"),
        (
            {"mc": {"a": 1}, "monotone_constraints_method": "advanced", "feature_fraction_bynode": 0.5},
            "cannot be combined with feature_fraction_bynode",
        ),
        ({"mc": {"a": 1}, "monotone_penalty": 3, "max_depth": 3}, "set a monotone_penalty less than max_depth"),
        ({"mc": {"a": 2}}, "training.monotone_constraints.a is 2"),
        ({"path_smooth": 1, "min_data_in_leaf": 1}, "set min_data_in_leaf: 2"),
        ({"min_data_in_leaf": 0, "min_sum_hessian_in_leaf": 0}, "are both 0; set min_data_in_leaf: 1"),
        ({"extra_seed": 1}, "extra_seed has no effect without extra_trees: true"),
        ({"objective": "l2"}, "training.objective is 'l2'; for BinaryClassification it must be one of binary"),
        ({"alpha": 0.5}, "training.alpha has no effect with objective binary; it is for huber and quantile"),
        ({"sigmoid": 2}, "training.sigmoid has no effect with objective binary"),
        ({"interaction_constraints": [["c" * 3000]]}, "too long for a hyperparameter"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_words(
    make_settings: Callable[..., Settings], training: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        make_settings(training=training)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"objective": "quantil"}, "did you mean quantile?"),
        ({"objective": "quantile", "alpha": 1.0}, "training.alpha is 1.0; for objective quantile it must be less"),
        ({"objective": "mae", "mc": {"a": 1}}, "cannot be combined with objective regression_l1"),
        ({"objective": "poisson", "reg_sqrt": True}, "reg_sqrt has no effect with objective poisson"),
        ({"objective": "tweedie", "tweedie_variance_power": 2}, "it must be at least 1 and less than 2"),
    ],
)
def test_what_does_not_fit_the_objective_of_a_regression_is_refused(
    make_settings: Callable[..., Settings], training: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        make_settings(**REGRESSION, training=training)


def test_all_unknown_parameters_are_reported_at_once(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(UserError, match=r"'first'.*'second'"):
        make_settings(training={"first": 1, "second": 2})


def test_a_parameter_that_can_be_tuned_has_its_range() -> None:
    parameter = settable_parameter("colsample_bytree")
    assert (parameter.name, parameter.type, parameter.range) == (
        "feature_fraction",
        "double",
        "greater than 0 and at most 1",
    )


# --- what Train gets from the section quality ---


@pytest.mark.parametrize(
    ("quality", "sent"),
    [
        ({}, {}),
        ({"early_stopping_metric": "auc"}, {"early_stopping_metric": "auc"}),
        ({"decision_threshold": 0.3}, {"decision_threshold": 0.3}),
        ({"decision_threshold": "best-f1"}, {"decision_threshold": "best-f1"}),
        ({"decision_threshold": {"min_precision": 0.9}}, {"decision_threshold": {"min_precision": 0.9}}),
    ],
)
def test_rules_reach_train_as_hyperparameters(
    make_settings: Callable[..., Settings], quality: dict[str, Any], sent: dict[str, Any]
) -> None:
    from local_sagemaker.jobs import script_mode

    settings = make_settings(quality={"metric": "auc", "threshold": 0.9} | quality)
    hyperparameters = settings.quality.hyperparameters(settings.problem_type)
    line = script_mode.arguments(script_mode.decode(hyperparameters))
    assert line[::2] == [f"--{name}" for name in sent]
    for received, expected in zip(line[1::2], sent.values(), strict=True):
        assert received == expected or json.loads(received) == expected


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"decision_threshold": 1}, "a threshold of 1 labels all records alike"),
        ({"decision_threshold": "f1"}, "'f1' is not a rule; expected a number between 0 and 1, best-f1"),
        ({"decision_threshold": {"min_precision": 0.9, "min_recall": 0.5}}, "is not a rule; expected"),
        ({"decision_threshold": {"min_recall": 2}}, "min_recall is 2; it must be greater than 0 and at most 1"),
        ({"decision_threshold": {"min_recall": "high"}}, "min_recall is 'high'; it must be a number"),
        (
            {"decision_threshold": {"false_positive_cost": 0, "false_negative_cost": 1}},
            "false_positive_cost and false_negative_cost must be greater than 0",
        ),
        (
            {"early_stopping_metric": "rmse"},
            "quality.early_stopping_metric is 'rmse'; for BinaryClassification it must be one of binary_logloss, auc",
        ),
        ({"early_stopping_metric": "average_precison"}, "did you mean average_precision?"),
    ],
)
def test_a_rule_that_train_could_not_follow_is_refused(
    make_settings: Callable[..., Settings], sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        make_settings(quality={"metric": "auc", "threshold": 0.9} | sections)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"training": {"calibration": "sigmoid"}}, "training.calibration is for BinaryClassification, not Regression"),
        (
            {"training": {"class_weight": "balanced"}},
            "training.class_weight is balanced, but a Regression has no classes",
        ),
        ({"quality": {**REGRESSION["quality"], "decision_threshold": 0.2}}, "quality.decision_threshold is for Binary"),
        (
            {"training": {"folds": 5}, "resources": {"training_instance_count": 2}},
            "training.folds needs one instance, but resources.training_instance_count is 2",
        ),
    ],
)
def test_what_the_problem_type_or_the_instances_do_not_allow_is_refused(
    make_settings: Callable[..., Settings], sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        make_settings(**REGRESSION | sections)
