"""The images that have a substitute on this machine, and what runs an image."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_sagemaker.containers.images.remote_function import RemoteFunction


class Image(Enum):
    """An image by the name of its repository, regardless of account, region and tag."""

    SCIKIT_LEARN = "sagemaker-scikit-learn"
    XGBOOST = "sagemaker-xgboost"
    LINEAR_LEARNER = "linear-learner"
    SPARK = "sagemaker-spark-processing"
    BASE_PYTHON = "sagemaker-base-python"
    DISTRIBUTION = "sagemaker-distribution"
    MODEL_MONITOR_ANALYZER = "sagemaker-model-monitor-analyzer"
    CLARIFY = "sagemaker-clarify-processing"
    GROUND_TRUTH_MERGER = "sagemaker-model-monitor-groundtruth-merger"

    @classmethod
    def of_repository(cls, name: str) -> Image | None:
        """Return the image of a repository, or None if it has no substitute."""
        # the algorithm's first images, xgboost:1 and xgboost:latest, which `image_uris.retrieve` still returns
        if name == "xgboost":
            return cls.XGBOOST
        # sagemaker-base-python-310, sagemaker-distribution-prod
        with_suffix = (image for image in (cls.BASE_PYTHON, cls.DISTRIBUTION) if name.startswith(image.value))
        return next(with_suffix, None) or next((image for image in cls if image.value == name), None)


@dataclass(frozen=True)
class Runtime:
    """What runs an image.

    Attributes:
        image: The image whose programs and settings are used; None for an image with an entry point of its own.
        python: The interpreter to run it with; None for the interpreter that jobs use by default.
        command: The entry point of a custom image.
        code: The folder that `command` runs in.
        tag: The tag of the image's URI.
        remote_function: The function of a client that the job runs, if it does.
    """

    image: Image | None
    python: Path | None = None
    command: tuple[str, ...] = ()
    code: Path | None = None
    tag: str = ""
    remote_function: RemoteFunction | None = None
