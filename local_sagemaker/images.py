"""Which images can run on this machine, and as what. No image is pulled: a program here does what the image would."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from local_sagemaker.definition import Definition, DefinitionError, Step
from local_sagemaker.expressions import ExpressionError, Scope, resolve
from local_sagemaker.warm_python import WarmPython

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
    XGBOOST = "sagemaker-xgboost"
    MODEL_MONITOR_ANALYZER = "sagemaker-model-monitor-analyzer"
    GROUND_TRUTH_MERGER = "sagemaker-model-monitor-groundtruth-merger"


RUNS = {
    "processing-job": (Image.SCIKIT_LEARN, Image.XGBOOST, Image.MODEL_MONITOR_ANALYZER, Image.GROUND_TRUTH_MERGER),
    "training-job": (Image.SCIKIT_LEARN, Image.XGBOOST),
    "model": (Image.SCIKIT_LEARN, Image.XGBOOST),
}


class UnsupportedImage(ValueError):
    """An image that cannot run here; the message names it and what is supported."""


@dataclass(frozen=True)
class Runtime:
    """What runs an image. image: the one whose programs and settings it has."""

    image: Image


class Images:
    """What runs the images of one data directory. warm_python: of its server, if that has one."""

    def __init__(self, warm_python: WarmPython | None = None) -> None:
        self._warm_python = warm_python

    def python(self) -> list[str]:
        """What `python` is in their containers, up to its first argument."""
        return self._warm_python.command() if self._warm_python is not None else [sys.executable]

    def find(self, uri: str, kind: str) -> Runtime:
        """What runs the image in a `processing-job`, a `training-job` or a `model`. Raises UnsupportedImage."""
        repository = uri.rpartition("/")[2].partition("@")[0].partition(":")[0]
        image = next((image for image in RUNS[kind] if repository == image.value), None)
        if image is None:
            supported = ", ".join(f"{image.value} of any version" for image in RUNS[kind])
            raise UnsupportedImage(
                f"image {uri!r} cannot run on this machine in a {kind.replace('-', ' ')}; supported: {supported}"
            )
        if image is Image.XGBOOST and importlib.util.find_spec("xgboost") is None:
            raise UnsupportedImage(f"image {uri!r} needs the package xgboost, which is not installed; install xgboost")
        return Runtime(image)

    def check(self, definition: Definition, scope: Scope | None = None) -> None:
        """Refuse a definition with a step whose image cannot run here.

        scope: the execution's parameters; without it only the images that are spelled out are looked at. An image that
        depends on another step's result is looked at when its job is created. Raises DefinitionError.
        """
        for step in definition.steps.values():
            uri = _image_uri(step, scope)
            if uri is None:
                continue
            try:
                self.find(uri, "training-job" if step.type in ("Training", "Tuning") else "processing-job")
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
