"""Selective execution: some steps of a pipeline run on the results of other steps in an earlier execution.

Source: "Selective execution of pipeline steps" in the developer guide, and SelectiveExecutionConfig in the API
reference: all steps on all paths between two selected steps must be selected, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from local_sagemaker.executions.definition import Definition, DefinitionError, dependents


def selected_part(definition: Definition, selected: Collection[str]) -> Definition:
    """Return the selected steps and the reused ones, the latter without dependencies.

    Raises:
        DefinitionError: A selected step does not exist, or a step between two selected ones is not selected.
    """
    for name in selected:
        if name not in definition.steps:
            names = ", ".join(definition.steps)
            raise DefinitionError(f"unknown step {name!r} in SelectedSteps; the pipeline's steps: {names}")
    direct_dependents = dependents(definition.steps)
    upstream = _reachable(selected, lambda name: definition.steps[name].dependencies)
    downstream = _reachable(selected, lambda name: direct_dependents[name])
    if between := sorted((upstream & downstream).difference(selected)):
        raise DefinitionError(
            f"steps between selected steps must be selected, too: {', '.join(between)} (selected: "
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
    """Return the unselected steps on which the selected ones depend, including Condition steps of their branches."""
    return {other for name in selected for other in definition.steps[name].dependencies}.difference(selected)


def _reachable(names: Iterable[str], neighbours: Callable[[str], Iterable[str]]) -> set[str]:
    """Return the steps that can be reached from the given ones in one hop or more."""
    found: set[str] = set()
    pending = list(names)
    while pending:
        new = set(neighbours(pending.pop())) - found
        found |= new
        pending += new
    return found
