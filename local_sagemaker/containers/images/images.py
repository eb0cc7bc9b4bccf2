"""Which images can run on this machine, and how. Images are not pulled: local programs behave as the images do."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from local_sagemaker.containers.container import Container
from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.image import Image, Runtime
from local_sagemaker.containers.images.isolation import Environments
from local_sagemaker.containers.images.xgboost_versions import needs_its_version
from local_sagemaker.containers.warm_python import WarmPython

if TYPE_CHECKING:
    # slow to import because of pydantic
    from local_sagemaker.containers.images.image_map import ImageMap

SUPPORTED = {
    "processing-job": (
        Image.SCIKIT_LEARN,
        Image.XGBOOST,
        Image.SPARK,
        Image.BASE_PYTHON,
        Image.DISTRIBUTION,
        Image.MODEL_MONITOR_ANALYZER,
        Image.CLARIFY,
        Image.GROUND_TRUTH_MERGER,
    ),
    "training-job": (Image.SCIKIT_LEARN, Image.XGBOOST, Image.BASE_PYTHON, Image.DISTRIBUTION),
    "model": (Image.SCIKIT_LEARN, Image.XGBOOST, Image.LINEAR_LEARNER),
}


class Images:
    """The images that can run for one data directory.

    Args:
        warm_python: The server's warm Python, if it has one.
        mapped: Custom images.
        environments: Python environments of images; None if there are none.
        isolated: Whether all jobs run in such environments, instead of on the server's interpreter.
    """

    def __init__(
        self,
        warm_python: WarmPython | None = None,
        mapped: ImageMap | None = None,
        environments: Environments | None = None,
        isolated: bool = False,
    ) -> None:
        self._warm_python = warm_python
        self._mapped = mapped
        self._environments = environments
        self._isolated = isolated and environments is not None

    def find(self, uri: str, kind: str) -> Runtime:
        """Return what runs an image.

        Args:
            uri: The image's URI.
            kind: `processing-job`, `training-job` or `model`.

        Raises:
            UnsupportedImage: The image cannot run here as that kind.
        """
        repository = _repository(uri)
        image = Image.of_repository(repository.rpartition("/")[2])
        tag = uri.partition("@")[0].rpartition("/")[2].partition(":")[2]
        runtime = self._mapped.find(repository) if self._mapped else None
        if runtime is None:
            runtime = Runtime(image, tag=tag) if image in SUPPORTED[kind] else None
        elif runtime.image is image:
            # one of SageMaker's own images on another interpreter has its versions still
            runtime = replace(runtime, tag=tag)
        if runtime is None or not (runtime.image in SUPPORTED[kind] or (runtime.command and kind != "model")):
            supported = ", ".join(image.value for image in SUPPORTED[kind])
            raise UnsupportedImage(
                f"image {uri!r} cannot run on this machine in a {kind.replace('-', ' ')}; supported images, in any "
                f"version: {supported}; to run its scripts, such as those of PyTorch, TensorFlow or Hugging Face, on a "
                f"Python environment of your own, map it in images.yaml: {repository}: {{as: sagemaker-scikit-learn, "
                "python: PATH} (see `python -m local_sagemaker start --help`)"
            )
        on_server = runtime.python is None and not self._isolated
        if runtime.image is Image.XGBOOST and on_server and not importlib.util.find_spec("xgboost"):
            raise UnsupportedImage(
                f"image {uri!r} requires the Python package xgboost, which is not installed; install xgboost"
            )
        if runtime.image is Image.SPARK and (missing := self._missing_for_spark(runtime)):
            raise UnsupportedImage(
                f"image {uri!r} requires {missing} on this machine, which is not installed; install Java 17 and the "
                'extra [spark] of this project: pip install "sagemaker-lightgbm-pipelines[spark]"'
            )
        return runtime

    def python(self, runtime: Runtime, container: Container) -> list[str]:
        """Return the command for `python` in a container whose code is in place.

        Raises:
            ClientFault: The environment with the code's requirements cannot be created.
        """
        image, environments = runtime.image, self._environments
        if runtime.python is not None:
            return [str(runtime.python)]
        if environments is not None and (function := runtime.remote_function) is not None:
            requirements = function.requirements(container)
            if self._isolated or not function.runs_here(requirements):
                return [str(environments.python(runtime, requirements))]
        elif environments is not None and image is not None and image in environments.packages:
            is_old = image is Image.XGBOOST and needs_its_version(container.path("/opt/ml/model"))
            if self._isolated or is_old:
                return [str(environments.python(runtime, container.requirements()))]
        # Spark starts its Python workers itself
        if self._warm_python is None or image is Image.SPARK:
            return [sys.executable]
        return self._warm_python.command()

    def _missing_for_spark(self, runtime: Runtime) -> str | None:
        home = os.environ.get("JAVA_HOME")
        if not (shutil.which("java") or (home and os.access(f"{home}/bin/java", os.X_OK))):
            return "Java"
        has_own_packages = runtime.python is not None or self._isolated
        return None if has_own_packages or importlib.util.find_spec("pyspark") else "PySpark"


def _repository(uri: str) -> str:
    """Return the name of an image's repository, without registry, tag and digest."""
    folders, slash, name = uri.partition("@")[0].rpartition("/")
    registry, _, rest = folders.partition("/")
    # Docker's rule for telling a registry from a namespace
    if "." in registry or ":" in registry or registry == "localhost":
        folders, slash = rest, "/" if rest else ""
    return f"{folders}{slash}{name.partition(':')[0]}"
