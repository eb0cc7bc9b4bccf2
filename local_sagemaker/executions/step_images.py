"""Checks that the images of a definition's steps can run on this machine, before any step starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.executions.definition import Definition, DefinitionError, Step
from local_sagemaker.executions.expressions import ExpressionError, Scope, resolve
from local_sagemaker.executions.steps import STEP_TYPES

# the entry point of the SDK's NotebookJobStep, a program of the Distribution image
NOTEBOOK_JOB = ["amazon_sagemaker_scheduler"]


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
        if _argument(step, "AlgorithmSpecification", "ContainerEntrypoint") == NOTEBOOK_JOB:
            raise DefinitionError(
                f"step {step.name!r} runs a notebook job, which is not supported on this machine; run the notebook in "
                "a Processing step, with `jupyter execute` in its script, instead"
            )
        uri = _image_uri(step, scope)
        if uri is None:
            continue
        try:
            images.find(uri, STEP_TYPES[step.type].job_kind)
        except UnsupportedImage as error:
            raise DefinitionError(f"step {step.name!r}: {error}") from None


def _argument(step: Step, *path: str) -> Any:
    """Return the argument at a path, None if there is none."""
    value: Any = step.arguments
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _image_uri(step: Step, scope: Scope | None) -> str | None:
    uri = _argument(step, *STEP_TYPES[step.type].image_argument)
    if scope is not None and isinstance(uri, dict):
        try:
            uri = resolve(uri, scope)
        except ExpressionError:
            return None
    return uri if isinstance(uri, str) else None
