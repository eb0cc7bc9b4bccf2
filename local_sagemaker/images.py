"""Which images can run on this machine, and as what. No image is pulled: a program here does what the image would."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from local_sagemaker.definition import Definition, DefinitionError, Step
from local_sagemaker.expressions import ExpressionError, Scope, resolve

# where a step's arguments name its image
IMAGE_ARGUMENTS = {
    "Processing": ("AppSpecification", "ImageUri"),
    "QualityCheck": ("AppSpecification", "ImageUri"),
    "Tuning": ("TrainingJobDefinition", "AlgorithmSpecification", "TrainingImage"),
    "Training": ("AlgorithmSpecification", "TrainingImage"),
}


class Image(Enum):
    """An image by the name of its repository, whatever its account, region and tag."""

    SCIKIT_LEARN = "sagemaker-scikit-learn"
    MODEL_MONITOR_ANALYZER = "sagemaker-model-monitor-analyzer"


RUNS = {
    "processing-job": (Image.SCIKIT_LEARN, Image.MODEL_MONITOR_ANALYZER),
    "training-job": (Image.SCIKIT_LEARN,),
}


class UnsupportedImage(ValueError):
    """An image that cannot run here; the message names it and what is supported."""


def find_image(uri: str, kind: str) -> Image:
    """What runs the image in a job of this kind, `processing-job` or `training-job`. Raises UnsupportedImage."""
    repository = uri.rpartition("/")[2].partition("@")[0].partition(":")[0]
    for image in RUNS[kind]:
        if repository == image.value:
            return image
    supported = ", ".join(f"{image.value} of any version" for image in RUNS[kind])
    raise UnsupportedImage(
        f"image {uri!r} cannot run on this machine in a {kind.replace('-', ' ')}; supported: {supported}"
    )


def check_images(definition: Definition, scope: Scope | None = None) -> None:
    """Refuse a definition with a step whose image cannot run here.

    scope: the execution's parameters; without it only the images that are spelled out are looked at. An image that
    depends on another step's result is looked at when its job is created. Raises DefinitionError.
    """
    for step in definition.steps.values():
        uri = _image_uri(step, scope)
        if uri is None:
            continue
        try:
            find_image(uri, "training-job" if step.type in ("Training", "Tuning") else "processing-job")
        except UnsupportedImage as error:
            raise DefinitionError(f"step {step.name!r}: {error}") from None


def _image_uri(step: Step, scope: Scope | None) -> str | None:
    uri: Any = step.arguments
    for key in IMAGE_ARGUMENTS.get(step.type, ()):
        uri = uri.get(key) if isinstance(uri, Mapping) else None
    if scope is not None and isinstance(uri, dict):
        try:
            uri = resolve(uri, scope)
        except ExpressionError:
            return None
    return uri if isinstance(uri, str) else None
