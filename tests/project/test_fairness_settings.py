"""Settings of fairness and attribution."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from analyzer.bias.catalogue import BY_NAME, POST_TRAINING_NAMES, PRE_TRAINING_NAMES
from pipelines.bundles import evaluate_bundle
from project.errors import UserError
from project.settings import Settings
from project.settings.fairness import CONDITIONAL, POST_TRAINING, PRE_TRAINING, RATIOS

DATA: dict[str, Any] = {"input": "s3://bucket/data.csv", "target_column": "y"}
FACETS: list[dict[str, Any]] = [{"column": "sex", "values": ["female"]}, {"column": "age", "threshold": 25}]
REGRESSION = {"problem_type": "Regression", "quality": {"metric": "rmse", "threshold": 1}}


def quality_of(settings: Settings) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(evaluate_bundle(settings).files["quality.json"])
    return content


def test_without_fairness_nothing_is_evaluated(make_settings: Callable[..., Settings]) -> None:
    assert quality_of(make_settings())["fairness"] is None


def test_evaluate_gets_groups_outcome_and_limits(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(
        fairness={
            "facets": FACETS,
            "favourable": ["yes"],
            "group_column": "housing",
            "max": {"DPL": 0.1, "DI": [0.8, 1.25]},
        }
    )
    assert quality_of(settings)["fairness"] == {
        "label": "y",
        "favourable": {"values": ["yes"], "threshold": None},
        "facets": [
            {"column": "sex", "values": ["female"], "threshold": None},
            {"column": "age", "values": None, "threshold": 25.0},
        ],
        "group_column": "housing",
        "max": {"DPL": [-0.1, 0.1], "DI": [0.8, 1.25]},
    }


def test_the_positive_class_is_the_favourable_outcome(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(data=DATA | {"positive_class": "good"}, fairness={"facets": FACETS})
    assert quality_of(settings)["fairness"]["favourable"] == {"values": ["good"], "threshold": None}


def test_the_favourable_outcome_of_a_regression_is_above_a_number(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(**REGRESSION, fairness={"facets": FACETS, "favourable": 50_000})
    assert quality_of(settings)["fairness"]["favourable"] == {"values": [], "threshold": 50_000}


def test_values_keep_their_type(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(fairness={"facets": [{"column": "a", "values": ["1", 1, 1.5]}], "favourable": [1]})
    assert quality_of(settings)["fairness"]["facets"][0]["values"] == ["1", 1, 1.5]
    assert quality_of(settings)["fairness"]["favourable"]["values"] == [1]


@pytest.mark.parametrize(
    ("fairness", "message"),
    [
        ({"facets": []}, "fairness.facets is []; it should have at least 1 item, not 0"),
        ({"facets": [{"colum": "sex"}]}, "fairness.facets.0.colum: unknown key; allowed here: column, values"),
        ({"facets": [{"column": "sex", "values": []}]}, "fairness.facets.0.values is []"),
        ({"facets": [{"column": "sex", "values": [True]}]}, "YAML reads True as a boolean; put it in quotes"),
        ({"facets": [{"column": "a", "values": [1], "threshold": 2}]}, "facet 'a' has values and a threshold"),
        ({"facets": [{"column": "a"}, {"column": "a", "values": ["b"]}]}, "facets has column 'a' twice"),
        ({"facets": [{"column": "y"}]}, "fairness.facets has 'y', which is data.target_column; name another column"),
        ({"group_column": "y"}, "fairness.group_column has 'y', which is data.target_column"),
        ({"group_column": "sex"}, "group_column 'sex' is a facet, too; remove one of them"),
        ({"favourable": []}, "fairness.favourable is missing; set it to the value of the target"),
        ({"favourable": [True]}, "YAML reads True as a boolean"),
        ({"max": {"dpll": 0.1}}, "Clarify has no bias metric 'dpll'; did you mean DPL?"),
        ({"max": {"accuracy": 0.1}}, "the metrics are CI, DPL, KL"),
        ({"max": {"DI": 0.8}}, "DI is 0.8, but without bias it is 1; write the lowest and the highest value"),
        ({"max": {"DPL": -0.1}}, "DPL is -0.1, but it is a distance from 0; write 0.1, or both ends"),
        ({"max": {"DPL": [0.1, -0.1]}}, "DPL is [0.1, -0.1]; write the lowest value first"),
        ({"max": {"CDDPL": 0.1}}, "max.CDDPL needs group_column"),
    ],
)
def test_fairness_that_cannot_be_measured_is_refused(
    make_settings: Callable[..., Settings], fairness: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as refused:
        make_settings(fairness={"facets": FACETS, "favourable": ["yes"]} | fairness)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("fairness", "problem"),
    [
        (
            {"facets": [{"column": "sex", "value": "a"}]},
            "facets.0.value: unknown key; allowed here: column, values, threshold",
        ),
        ({"facets": [{"values": ["a"]}]}, "facets.0.column: required, but missing; add it"),
        ({"facets": [{"column": "a", "values": "b"}]}, "facets.0.values is 'b'; it should be a list, such as [a, b]"),
        (
            {"facets": [{"column": "a", "values": [None]}]},
            "facets.0.values.0 is None; it should be a valid string or a valid integer or a valid number",
        ),
        (
            {"max": {"DI": "0.8 to 1.25"}},
            "max.DI is '0.8 to 1.25'; it should be a valid number or a list, such as [a, b]",
        ),
        (
            {"max": {"DI": [0.8, 1, 1.25]}},
            "max.DI is [0.8, 1, 1.25]; it should be a valid number or should have at most 2 items, not 3",
        ),
        ({"max": {"DI": [0.8, "a"]}}, "max.DI.1 is 'a'; it should be a valid number"),
    ],
)
def test_a_problem_is_explained_once(
    make_settings: Callable[..., Settings], fairness: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UserError) as refused:
        make_settings(fairness={"facets": FACETS, "favourable": ["yes"]} | fairness)
    _, *problems = str(refused.value).splitlines()
    assert problems == [f"  fairness.{problem}"]


@pytest.mark.parametrize("favourable", [["a"], [1, 2]])
def test_the_favourable_outcome_of_a_regression_is_one_number(
    make_settings: Callable[..., Settings], favourable: list[object]
) -> None:
    with pytest.raises(UserError, match="for Regression it must be one number"):
        make_settings(**REGRESSION, fairness={"facets": FACETS, "favourable": favourable})


def test_a_facet_is_not_the_weight_of_a_row(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(UserError, match=r"fairness.facets has 'w', which is data.weight_column"):
        make_settings(data=DATA | {"weight_column": "w"}, fairness={"facets": [{"column": "w"}], "favourable": ["yes"]})


def test_the_values_of_a_boolean_column_are_those_that_preprocess_makes_of_it(
    make_settings: Callable[..., Settings],
) -> None:
    data = DATA | {"columns": {"member": {"type": "boolean"}, "y": {"type": "boolean"}}}
    facets = [{"column": "member", "values": ["yes"]}]
    with pytest.raises(UserError, match=r"column 'member' has the value 'yes', but data\.columns makes 'member'"):
        make_settings(data=data, fairness={"facets": facets, "favourable": ["true"]})
    with pytest.raises(UserError, match=r"fairness\.favourable has the value 'yes', but data\.columns makes 'y'"):
        make_settings(data=data, fairness={"facets": [{"column": "sex"}], "favourable": ["yes"]})
    facets = [{"column": "member", "values": ["false"]}]
    assert make_settings(data=data, fairness={"facets": facets, "favourable": ["true"]}).fairness is not None


def test_a_ranking_has_no_outcomes_to_compare(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(UserError, match="fairness compares outcomes, which a Ranking does not have; remove it"):
        make_settings(
            problem_type="Ranking",
            data=DATA | {"group_column": "query"},
            quality={"metric": "ndcg", "threshold": 0.5},
            fairness={"facets": FACETS, "favourable": ["yes"]},
        )


@pytest.mark.parametrize("section", [{"fairness": {"facets": FACETS, "favourable": ["yes"]}}, {"attribution": {}}])
def test_clarify_cannot_invoke_the_model_from_an_isolated_network(
    make_settings: Callable[..., Settings], section: dict[str, Any]
) -> None:
    isolated: dict[str, Any] = {"security": {"network_isolation": True}} | section
    with pytest.raises(UserError, match=f"{next(iter(section))} needs ClarifyCheck steps"):
        make_settings(**isolated)
    assert make_settings(**isolated, quality_checks="processing").security.network_isolation


def test_the_metrics_are_those_of_the_analyzer() -> None:
    assert set(PRE_TRAINING) == set(PRE_TRAINING_NAMES)
    assert set(POST_TRAINING) == set(POST_TRAINING_NAMES)
    assert {name for name, metric in BY_NAME.items() if metric.fair_value == 1} == RATIOS
    assert {name for name, metric in BY_NAME.items() if metric.needs_group_variable} == CONDITIONAL


def test_attribution_has_no_keys(make_settings: Callable[..., Settings]) -> None:
    assert make_settings().attribution is None
    assert make_settings(attribution={}).attribution is not None
    with pytest.raises(UserError, match=r"attribution\.method: unknown key; remove it"):
        make_settings(attribution={"method": "shap"})
