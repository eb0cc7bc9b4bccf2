"""Patches replace methods, module functions and properties, however often they are applied."""

from types import SimpleNamespace
from typing import Any

from local_sagemaker.services.moto.patching import PatchSet


class Greeter:
    """Stands for a class of moto."""

    name = "moto"

    def greet(self, greeting: str) -> str:
        return f"{greeting} from {self.name}"

    @property
    def size(self) -> int:
        return 1


def test_a_second_application_replaces_the_context_and_patches_do_not_stack() -> None:
    module = SimpleNamespace(add=lambda left, right: left + right)
    patches = PatchSet()

    @patches(Greeter, "greet")
    def _greet(original: Any, suffix: str, greeter: Greeter, greeting: str) -> str:
        return original(greeter, greeting) + suffix

    @patches(Greeter, "size")
    def _size(original: Any, suffix: str, greeter: Greeter) -> int:
        return original(greeter) + len(suffix)

    @patches(module, "add")
    def _add(original: Any, suffix: str, left: str, right: str) -> str:
        return original(left, right) + suffix

    patches.apply("?")
    patches.apply("!!")
    assert Greeter().greet(greeting="hello") == "hello from moto!!"
    assert Greeter().size == 3
    assert module.add("a", "b") == "ab!!"
