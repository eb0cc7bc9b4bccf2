"""What would change if a definition replaced the deployed one: parameters and steps added, removed, changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Definition = Mapping[str, Any]


@dataclass(frozen=True)
class Changes:
    """Names added and removed; of changed ones what of them differs, as paths like `Arguments.Environment.MODE`."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True)
class DefinitionDiff:
    parameters: Changes
    steps: Changes

    def __bool__(self) -> bool:
        return bool(self.parameters or self.steps)


def compare(deployed: Definition | None, new: Definition) -> DefinitionDiff:
    """Compare two pipeline definitions; None stands for a pipeline that is not there yet.

    Steps are matched by name, those within a Condition's branches too; a Condition's own changes are in its conditions
    and in which steps its branches hold.
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
    """Each step by name; of a Condition's branches it holds the names alone, as their steps follow by themselves."""
    for step in steps:
        if step["Type"] != "Condition":
            yield step["Name"], step
            continue
        branches = {name: step["Arguments"].get(name, []) for name in ("IfSteps", "ElseSteps")}
        names = {name: [inner["Name"] for inner in branch] for name, branch in branches.items()}
        yield step["Name"], {**step, "Arguments": step["Arguments"] | names}
        for branch in branches.values():
            yield from _steps(branch)


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The paths at which two values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if old.get(key) != new.get(key):
                yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after:
                yield from _differences(before, after, f"{path}[{place}]")
    else:
        yield path
