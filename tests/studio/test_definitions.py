"""The graph of a pipeline definition."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from studio.definitions import graph_of, parameters_of, parse_definition


def step(name: str, kind: str = "Processing", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "Arguments": {}, **more}


def edges(*steps: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(edge.source, edge.target, edge.label) for edge in graph_of({"Steps": list(steps)}).edges}


def test_a_step_waits_for_those_whose_properties_it_uses_and_those_it_depends_on() -> None:
    using = step("Train", "Training", Arguments={"Input": [{"Uri": {"Get": "Steps.Preprocess.Outputs['train'].Uri"}}]})
    after = step("Report", DependsOn=["Train"])
    assert edges(step("Preprocess"), using, after) == {("Preprocess", "Train", ""), ("Train", "Report", "")}


def test_references_to_parameters_and_to_unknown_steps_are_not_edges() -> None:
    using = step("Train", Arguments={"A": {"Get": "Parameters.Depth"}, "B": {"Get": "Steps.Gone.Outputs"}})
    assert edges(using) == set()


def test_both_branches_of_a_condition_begin_with_their_answer() -> None:
    condition = step(
        "GoodEnough",
        "Condition",
        Arguments={
            "Conditions": [{"LeftValue": {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.e"}}}}],
            "IfSteps": [step("Register"), step("Notify", DependsOn=["Register"])],
            "ElseSteps": [step("Stop", "Fail")],
        },
    )
    assert edges(step("Evaluate"), condition) == {
        ("Evaluate", "GoodEnough", ""),
        ("GoodEnough", "Register", "true"),
        ("GoodEnough", "Stop", "false"),
        ("Register", "Notify", ""),
    }


def test_an_edge_that_follows_from_others_is_left_out() -> None:
    last = step("C", DependsOn=["A", "B"])
    assert edges(step("A"), step("B", DependsOn=["A"]), last) == {("A", "B", ""), ("B", "C", "")}


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25))
def test_leaving_edges_out_changes_no_order(pairs: set[tuple[int, int]]) -> None:
    waits = {(f"s{earlier}", f"s{later}") for earlier, later in pairs if earlier < later}
    steps = [step(f"s{i}", DependsOn=[source for source, target in waits if target == f"s{i}"]) for i in range(10)]
    graph = graph_of({"Steps": steps})
    assert reachable({(edge.source, edge.target) for edge in graph.edges}) == reachable(waits)


def reachable(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    closed = set(pairs)
    while more := {(a, d) for a, b in closed for c, d in closed if b == c} - closed:
        closed |= more
    return closed


def test_a_cycle_which_sagemaker_refuses_ends_too() -> None:
    assert edges(step("A", DependsOn=["B"]), step("B", DependsOn=["A"])) == {("A", "B", ""), ("B", "A", "")}


def test_a_definition_that_cannot_be_read_has_no_steps() -> None:
    for text in ("not JSON", "[]", "null"):
        assert graph_of(parse_definition(text)).nodes == ()


def test_values_of_parameters_are_texts_as_those_of_executions() -> None:
    items = [("Integer", 1), ("Float", 0.5), ("Boolean", True)]
    definition = {
        "Parameters": [
            {"Name": kind, "Type": kind, "DefaultValue": value, "EnumValues": [value]} for kind, value in items
        ]
    }
    assert [(item.default, item.choices) for item in parameters_of(definition)] == [
        ("1", ("1",)),
        ("0.5", ("0.5",)),
        ("true", ("true",)),
    ]


def test_parameters_have_types_defaults_and_choices() -> None:
    definition = {
        "Parameters": [
            {"Name": "Type", "Type": "String", "DefaultValue": "ml.m5.large", "EnumValues": ["ml.m5.large", "ml.c5"]},
            {"Name": "Input", "Type": "String"},
        ]
    }
    instance, data = parameters_of(definition)
    assert (instance.default, instance.choices) == ("ml.m5.large", ("ml.m5.large", "ml.c5"))
    assert (data.default, data.choices) == (None, ())
