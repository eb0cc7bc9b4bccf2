"""Images of the user's own: the settings file that says what runs them here.

    team/churn-*:
      as: sagemaker-scikit-learn            # it does what this image does ...
      python: envs/churn/bin/python         # ... on this interpreter; without it, on the one that runs jobs
    team/trainer:
      command: [python, train.py]           # its entry point ...
      code: containers/trainer              # ... in this folder, of which each job gets a copy

A key is a repository's name without registry and tag, and may be a pattern; the first that matches holds. Relative
paths are relative to the file.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from local_sagemaker.containers.images.image_settings import ImageMapError
from local_sagemaker.containers.images.images import Image, Runtime

Word = Annotated[str, StringConstraints(min_length=1)]


class MappedImage(BaseModel):
    """What runs an image. See the module."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stands_for: Image | None = Field(None, alias="as")
    python: Path | None = None
    command: list[Word] | None = Field(None, min_length=1)
    code: Path | None = None

    @model_validator(mode="after")
    def _one_way(self) -> MappedImage:
        if (self.stands_for is None) == (self.command is None):
            raise ValueError("give either `as`, the image it does as, or `command`, its entry point")
        if self.code is not None and self.command is None:
            raise ValueError("`code` is the folder in which `command` runs")
        return self


class ImageMap:
    """The images of one settings file."""

    def __init__(self, runtimes: dict[str, Runtime]) -> None:
        self._runtimes = runtimes

    def find(self, repository: str) -> Runtime | None:
        """What runs the images of a repository, None where the file does not say."""
        return next((run for pattern, run in self._runtimes.items() if fnmatchcase(repository, pattern)), None)


def read_image_map(file: Path) -> ImageMap:
    """The settings of a file. Raises ImageMapError."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ImageMapError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ImageMapError(f"{file} has to be a mapping of repositories to what runs their images")
    return ImageMap({str(pattern): _runtime(file, pattern, settings) for pattern, settings in content.items()})


def _runtime(file: Path, pattern: object, settings: object) -> Runtime:
    try:
        mapped = MappedImage.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ImageMapError(f"{file}: {pattern}: {f'{where}: ' if where else ''}{first['msg']}") from None
    # a link is not followed: through one, a virtual environment's interpreter is another
    python = mapped.python and file.parent.absolute() / mapped.python.expanduser()
    code = mapped.code and file.parent.absolute() / mapped.code.expanduser()
    if python is not None and not python.is_file():
        raise ImageMapError(f"{file}: {pattern}: python: there is no {python}")
    if code is not None and not code.is_dir():
        raise ImageMapError(f"{file}: {pattern}: code: there is no folder {code}")
    return Runtime(mapped.stands_for, python, tuple(mapped.command or ()), code)
