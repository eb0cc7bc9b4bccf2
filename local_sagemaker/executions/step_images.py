"""Checks that the images of a definition's steps can run on this machine, before anything is started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.executions.definition import Definition, DefinitionError, Step
from local_sagemaker.executions.expressions import ExpressionError, Scope, resolve

# where a step's arguments name its image
IMAGE_ARGUMENTS = {
    "Processing": ("AppSpecification", "ImageUri"),
    "QualityCheck": ("AppSpecification", "ImageUri"),
    "Tuning": ("TrainingJobDefinition", "AlgorithmSpecification", "TrainingImage"),
    "Training": ("AlgorithmSpecification", "TrainingImage"),
}


def check_images(definition: Definition, images: Images, scope: Scope | None = None) -> None:
    """Reject a definition with a step whose image cannot run here.

    Args:
        definition: The definition.
        images: The images that can run here.
        scope: The execution's parameters; without them only images given as literals are checked. An image that
            depends on another step's result is checked when its job is created.

    Raises:
        DefinitionError: A step's image cannot run here.
    """
    for step in definition.steps.values():
        uri = _image_uri(step, scope)
        if uri is None:
            continue
        try:
            images.find(uri, "training-job" if step.type in ("Training", "Tuning") else "processing-job")
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
