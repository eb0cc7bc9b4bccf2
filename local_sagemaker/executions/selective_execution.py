"""Selective execution: some steps of a pipeline run, on results that others had in an earlier execution.

Source: "Selective execution of pipeline steps" in the developer guide, and SelectiveExecutionConfig in the API
reference: all steps on all paths between two selected ones are to be selected too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from local_sagemaker.executions.definition import Definition, DefinitionError


def selected_part(definition: Definition, selected: Collection[str]) -> Definition:
    """The selected steps and those whose results they need, which depend on nothing any more.

    Raises DefinitionError where there is no such step, or one between two of them is not selected.
    """
    for name in selected:
        if name not in definition.steps:
            there = ", ".join(definition.steps)
            raise DefinitionError(f"there is no step {name!r} to select; the pipeline's steps: {there}")
    before, behind = _all_before(definition, selected), _all_behind(definition, selected)
    if between := sorted((before & behind).difference(selected)):
        raise DefinitionError(
            f"steps between selected ones have to be selected too: {', '.join(between)} (selected: "
            f"{', '.join(sorted(selected))})"
        )
    reused = reused_steps(definition, selected)
    steps = {
        name: replace(step, dependencies=frozenset(), branch=None) if name in reused else step
        for name, step in definition.steps.items()
        if name in reused or name in selected
    }
    return replace(definition, steps=steps)


def reused_steps(definition: Definition, selected: Collection[str]) -> set[str]:
    """The steps that are not selected and whose results the selected ones need: data, order, a branch taken."""
    return {other for name in selected for other in definition.steps[name].dependencies}.difference(selected)


def _all_before(definition: Definition, names: Iterable[str]) -> set[str]:
    """The steps that any of these depends on, directly or not."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        new = definition.steps[waiting.pop()].dependencies - found
        found |= new
        waiting += new
    return found


def _all_behind(definition: Definition, names: Iterable[str]) -> set[str]:
    """The steps that depend on any of these, directly or not."""
    dependents: dict[str, set[str]] = {name: set() for name in definition.steps}
    for name, step in definition.steps.items():
        for dependency in step.dependencies:
            dependents[dependency].add(name)
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        new = dependents[waiting.pop()] - found
        found |= new
        waiting += new
    return found
