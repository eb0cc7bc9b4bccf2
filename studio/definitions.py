"""The graph of a pipeline definition: its steps, including those of branches, and their dependencies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Step = Mapping[str, Any]


@dataclass(frozen=True)
class Node:
    """A step of a definition.

    Attributes:
        kind: The type of the step, such as "Training".
        title: The display name, by default the name.
    """

    name: str
    kind: str
    title: str


@dataclass(frozen=True)
class Edge:
    """A step that waits for another one.

    Attributes:
        label: "true" or "false" from a Condition step to the first steps of its branches; else empty.
    """

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Graph:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a definition, with its values as executions have them: as text.

    Attributes:
        kind: "String", "Integer", "Float" or "Boolean".
        default: The default; None if a value is required.
        choices: The values that are allowed; empty if all are.
    """

    name: str
    kind: str
    default: str | None
    choices: tuple[str, ...]

    def is_default(self, value: str) -> bool:
        return self.default is not None and self.are_equal(value, self.default)

    def are_equal(self, one: str, other: str) -> bool:
        """Return whether two values are the same text, number or truth value."""
        if self.kind == "Boolean":
            return one.lower() == other.lower()
        if self.kind in ("Integer", "Float"):
            try:
                return float(one) == float(other)
            except ValueError:
                return one == other
        return one == other


def parse_definition(text: str) -> dict[str, Any]:
    """Parse a definition; one that is not JSON, as SDK 2 can upload, has no steps."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return {"Parameters": [], "Steps": []}
    return parsed if isinstance(parsed, dict) else {"Parameters": [], "Steps": []}


def parameters_of(definition: Mapping[str, Any]) -> list[Parameter]:
    return [
        Parameter(
            name=item["Name"],
            kind=item.get("Type", "String"),
            default=None if item.get("DefaultValue") is None else _text(item["DefaultValue"]),
            choices=tuple(map(_text, item.get("EnumValues", ()))),
        )
        for item in definition.get("Parameters", ())
    ]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def all_steps(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps in order; those of branches follow their Condition step."""
    for step in steps:
        yield step
        for _, branch in branches(step):
            yield from all_steps(branch)


def branches(step: Step) -> Iterator[tuple[str, Sequence[Step]]]:
    """Yield the label and the steps of each branch of a Condition step."""
    if step.get("Type") == "Condition":
        for label, key in (("true", "IfSteps"), ("false", "ElseSteps")):
            yield label, step.get("Arguments", {}).get(key) or ()


def graph_of(definition: Mapping[str, Any]) -> Graph:
    """Return the graph of a definition, without edges that follow from others."""
    steps = list(all_steps(definition.get("Steps", ())))
    names = {step["Name"] for step in steps}
    edges: dict[tuple[str, str], Edge] = {}
    for step in steps:
        for source in _dependencies(step) & names - {step["Name"]}:
            edges.setdefault((source, step["Name"]), Edge(source, step["Name"]))
        for label, branch in branches(step):
            inner = {item["Name"] for item in all_steps(branch)}
            for item in branch:
                if not _dependencies(item) & inner:
                    edges[step["Name"], item["Name"]] = Edge(step["Name"], item["Name"], label)
    nodes = tuple(Node(step["Name"], step.get("Type", ""), step.get("DisplayName") or step["Name"]) for step in steps)
    return Graph(nodes, _reduced(nodes, edges))


def _dependencies(step: Step) -> set[str]:
    """Return the names of the steps that a step waits for: by DependsOn, or as it uses their properties."""
    own = (
        {key: value for key, value in step.get("Arguments", {}).items() if key not in ("IfSteps", "ElseSteps")}
        if (step.get("Type") == "Condition")
        else step
    )
    return {str(name).partition(".")[0] for name in step.get("DependsOn") or ()} | set(_references(own))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        reference = value.get("Get")
        if isinstance(reference, str) and reference.startswith("Steps."):
            # `Steps.Train.ModelArtifacts...` or `Steps.Train['...']`
            yield reference.removeprefix("Steps.").partition(".")[0].partition("[")[0]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _reduced(nodes: Sequence[Node], edges: Mapping[tuple[str, str], Edge]) -> tuple[Edge, ...]:
    """Return the edges whose target cannot be reached by a longer way; branches keep theirs."""
    following: dict[str, set[str]] = {node.name: set() for node in nodes}
    for source, target in edges:
        following[source].add(target)
    reachable: dict[str, set[str]] = {}

    def reach(name: str) -> set[str]:
        if name not in reachable:
            # a definition with a cycle, which SageMaker refuses, must not recurse for ever
            reachable[name] = set()
            reachable[name] = following[name].union(*(reach(other) for other in following[name]))
        return reachable[name]

    return tuple(
        edge
        for (source, target), edge in edges.items()
        if edge.label or not any(target in reach(other) for other in following[source] - {target})
    )
