"""The difference of two pipeline definitions: parameters and steps that are added, removed or changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Definition = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """A value that differs; None where a definition does not have it.

    Attributes:
        path: Where it is in its parameter or step, such as `Arguments.Environment.MODE`.
    """

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Changes:
    """Names that are added, removed and changed; changed ones with the values that differ."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[Difference, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True)
class DefinitionDiff:
    parameters: Changes
    steps: Changes

    def __bool__(self) -> bool:
        return bool(self.parameters or self.steps)


def compare(deployed: Definition | None, new: Definition) -> DefinitionDiff:
    """Compare a new pipeline definition with the deployed one, which is None if the pipeline does not exist.

    Steps are matched by name, in the branches of Condition steps too. A Condition step itself changes when its
    conditions or the names of the steps in its branches do.
    """
    old: Definition = deployed or {}
    return DefinitionDiff(
        parameters=_changes(_named(old.get("Parameters", [])), _named(new.get("Parameters", []))),
        steps=_changes(dict(_steps(old.get("Steps", []))), dict(_steps(new.get("Steps", [])))),
    )


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    return Changes(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed={
            name: tuple(_differences(old[name], item))
            for name, item in new.items()
            if name in old and old[name] != item
        },
    )


def _named(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {item["Name"]: item for item in items}


def _steps(steps: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield steps by name; in a Condition step, names replace the steps of its branches, which follow on their own."""
    for step in steps:
        if step["Type"] != "Condition":
            yield step["Name"], step
            continue
        branches = {name: step["Arguments"].get(name, []) for name in ("IfSteps", "ElseSteps")}
        names = {name: [inner["Name"] for inner in branch] for name, branch in branches.items()}
        yield step["Name"], {**step, "Arguments": step["Arguments"] | names}
        for branch in branches.values():
            yield from _steps(branch)


def _differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """Yield the innermost values that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if old.get(key) != new.get(key):
                yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after:
                yield from _differences(before, after, f"{path}[{place}]")
    else:
        yield Difference(path, old, new)
