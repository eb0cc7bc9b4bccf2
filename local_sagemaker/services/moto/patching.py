"""How methods of moto are replaced.

Patches reach into moto's internals, which change without notice between its minor versions. setup.py therefore caps
moto to the minor version that the patches were tested with: raise the cap together with a run of all tests.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

Replacement = TypeVar("Replacement", bound=Callable[..., Any])


class _Patch(NamedTuple):
    owner: Any
    name: str
    replacement: Callable[..., Any]


class PatchSet:
    """Replacements that are applied together; an instance is the decorator that collects them.

    A replacement is called with moto's original, the context of `apply`, and the arguments of the call:

        @patches(Rule, "send_to_targets")
        def _send_to_targets(original, listener, rule, event): ...
    """

    def __init__(self) -> None:
        self._patches: list[_Patch] = []

    def __call__(self, owner: Any, *names: str) -> Callable[[Replacement], Replacement]:
        """Decorate the replacement of the methods, functions or properties `names` of a class or module."""

        def collect(replacement: Replacement) -> Replacement:
            self._patches += [_Patch(owner, name, replacement) for name in names]
            return replacement

        return collect

    def apply(self, *context: Any) -> None:
        """Replace the originals in moto. A second call replaces the context; patches never stack."""
        for owner, name, replacement in self._patches:
            original = getattr(owner, f"_original_{name}", getattr(owner, name))
            setattr(owner, f"_original_{name}", original)
            if isinstance(original, property):
                setattr(owner, name, property(_bound(replacement, original.fget, context)))
            else:
                setattr(owner, name, functools.wraps(original)(_bound(replacement, original, context)))


def _bound(replacement: Callable[..., Any], original: Any, context: tuple[Any, ...]) -> Callable[..., Any]:
    # a plain function, not functools.partial, which would not become a method
    def call(*arguments: Any, **keywords: Any) -> Any:
        return replacement(original, *context, *arguments, **keywords)

    return call
