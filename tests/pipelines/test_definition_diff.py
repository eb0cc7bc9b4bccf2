"""The difference between a definition and the deployed one."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.definition_diff import Difference, compare

STEPS: list[dict[str, Any]] = [
    {"Name": "Prepare", "Type": "Processing", "Arguments": {"Environment": {"MODE": "fast"}, "Inputs": [{"Uri": "a"}]}},
    {
        "Name": "Check",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
            "IfSteps": [{"Name": "Register", "Type": "RegisterModel", "Arguments": {}}],
            "ElseSteps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}],
        },
    },
]
DEFINITION: dict[str, Any] = {"Parameters": [{"Name": "Rows", "Type": "Integer", "DefaultValue": 5}], "Steps": STEPS}


def changed() -> dict[str, Any]:
    return copy.deepcopy(DEFINITION)


def test_the_same_definition_changes_nothing() -> None:
    assert not compare(DEFINITION, changed())


def test_everything_in_a_new_pipeline_is_added() -> None:
    diff = compare(None, DEFINITION)
    assert diff.parameters.added == ("Rows",)
    assert set(diff.steps.added) == {"Prepare", "Check", "Register", "Stop"}
    assert not diff.steps.removed and not diff.steps.changed


def test_a_change_is_named_by_step_and_path() -> None:
    new = changed()
    new["Steps"][0]["Arguments"]["Environment"]["MODE"] = "slow"
    new["Steps"][0]["Arguments"]["Inputs"][0]["Uri"] = "b"
    new["Parameters"][0]["DefaultValue"] = 6
    diff = compare(DEFINITION, new)
    assert diff.steps.changed == {
        "Prepare": (
            Difference("Arguments.Environment.MODE", "fast", "slow"),
            Difference("Arguments.Inputs[0].Uri", "a", "b"),
        )
    }
    assert diff.parameters.changed == {"Rows": (Difference("DefaultValue", 5, 6),)}


def test_a_changed_step_in_a_branch_does_not_change_the_condition() -> None:
    new = changed()
    new["Steps"][1]["Arguments"]["ElseSteps"][0]["Arguments"]["ErrorMessage"] = "too low"
    assert compare(DEFINITION, new).steps.changed == {"Stop": (Difference("Arguments.ErrorMessage", "no", "too low"),)}


def test_removing_a_step_from_a_branch_changes_the_condition() -> None:
    new = changed()
    new["Steps"][1]["Arguments"]["ElseSteps"] = []
    diff = compare(DEFINITION, new)
    assert diff.steps.removed == ("Stop",)
    assert diff.steps.changed == {"Check": (Difference("Arguments.ElseSteps", ["Stop"], []),)}


NAMES = st.sampled_from(["A", "B", "C", "D"])
STEP = st.builds(
    lambda name, value: {"Name": name, "Type": "Processing", "Arguments": {"Value": value}}, NAMES, st.integers(0, 2)
)
DEFINITIONS = st.builds(lambda steps: {"Steps": steps}, st.lists(STEP, unique_by=lambda step: step["Name"]))


@given(DEFINITIONS, DEFINITIONS)
def test_the_reverse_comparison_swaps_additions_and_removals(old: dict[str, Any], new: dict[str, Any]) -> None:
    there, back = compare(old, new).steps, compare(new, old).steps
    assert set(there.added) == set(back.removed) and set(there.removed) == set(back.added)
    assert there.changed.keys() == back.changed.keys()
    assert bool(there) == (sorted(map(str, old["Steps"])) != sorted(map(str, new["Steps"])))
