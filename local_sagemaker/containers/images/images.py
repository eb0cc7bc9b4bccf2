"""Which images can run on this machine, and as what. No image is pulled: a program here does what the image would."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_sagemaker.containers.warm_python import WarmPython
from local_sagemaker.executions.definition import Definition, DefinitionError, Step
from local_sagemaker.executions.expressions import ExpressionError, Scope, resolve

if TYPE_CHECKING:
    from local_sagemaker.containers.container import Container
    from local_sagemaker.containers.images.image_map import ImageMap
    from local_sagemaker.containers.images.isolation import Environments

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
    """What runs an image.

    image: the one whose programs and settings it has, None for one with an entry point of its own. python: the
    interpreter that runs it, None for the one that runs jobs. command, code: the entry point of an image of the user's
    own, and the folder in which it runs.
    """

    image: Image | None
    python: Path | None = None
    command: tuple[str, ...] = ()
    code: Path | None = None


class Images:
    """What runs the images of one data directory.

    mapped: images of the user's own. environments: where jobs run on interpreters of their own rather than on the one
    that runs this. warm_python: of its server, if that has one.
    """

    def __init__(
        self,
        warm_python: WarmPython | None = None,
        mapped: ImageMap | None = None,
        environments: Environments | None = None,
    ) -> None:
        self._warm_python = warm_python
        self._mapped = mapped
        self.environments = environments

    def find(self, uri: str, kind: str) -> Runtime:
        """What runs the image in a `processing-job`, a `training-job` or a `model`. Raises UnsupportedImage."""
        repository = _repository(uri)
        runtime = self._mapped.find(repository) if self._mapped else None
        if runtime is None:
            name = repository.rpartition("/")[2]
            runtime = next((Runtime(image) for image in RUNS[kind] if name == image.value), None)
        if runtime is None or not (runtime.image in RUNS[kind] or (runtime.command and kind != "model")):
            supported = ", ".join(f"{image.value} of any version" for image in RUNS[kind])
            raise UnsupportedImage(
                f"image {uri!r} cannot run on this machine in a {kind.replace('-', ' ')}; supported: {supported}; an "
                f"image of your own is mapped to one of them by images.yaml (`python -m local_sagemaker start --help`)"
            )
        if runtime == Runtime(Image.XGBOOST) and not self.environments and not importlib.util.find_spec("xgboost"):
            raise UnsupportedImage(f"image {uri!r} needs the package xgboost, which is not installed; install xgboost")
        return runtime

    def python(self, runtime: Runtime, container: Container) -> list[str]:
        """What `python` is in an image's container whose code is in place, up to its first argument.

        Raises ClientFault where an environment with what the code requires cannot be had.
        """
        image, environments = runtime.image, self.environments
        if runtime.python is not None:
            return [str(runtime.python)]
        if environments is not None and image is not None and image in environments.packages:
            return [str(environments.python(image, container.requirements()))]
        return self._warm_python.command() if self._warm_python is not None else [sys.executable]

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


def _repository(uri: str) -> str:
    """The name of an image's repository, without registry, tag and digest."""
    folders, slash, name = uri.partition("@")[0].rpartition("/")
    registry, _, rest = folders.partition("/")
    # as Docker tells them apart
    if "." in registry or ":" in registry or registry == "localhost":
        folders, slash = rest, "/" if rest else ""
    return f"{folders}{slash}{name.partition(':')[0]}"


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
