"""The README's reference is complete."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from project.paths import REPOSITORY
from project.settings import METRICS, Settings

README = (REPOSITORY / "README.md").read_text()


def setting_keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_keys(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix, name


def test_every_setting_is_in_the_reference() -> None:
    missing = [
        prefix + name
        for prefix, name in setting_keys(Settings)
        if f"`{prefix}{name}`" not in README and not (prefix == "training." and f"`{name}`" in README)
    ]
    assert not missing


def test_the_metrics_are_in_the_reference() -> None:
    for metric in METRICS["BinaryClassification"] + METRICS["Regression"]:
        assert f"`{metric}`" in README
