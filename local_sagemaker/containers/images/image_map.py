"""Custom images: the settings file that says what runs them on this machine.

    team/churn-*:
      as: sagemaker-scikit-learn            # behaves as this image ...
      python: envs/churn/bin/python         # ... on this interpreter; by default the one that runs jobs
    team/trainer:
      command: [python, train.py]           # its entry point ...
      code: containers/trainer              # ... in this folder, which is copied for each job

A key is the name of a repository without registry and tag, or a glob pattern; the first match applies. Relative paths
are resolved against the file's folder.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from local_sagemaker.containers.images.errors import ImageMapError
from local_sagemaker.containers.images.image import Image, Runtime

Word = Annotated[str, StringConstraints(min_length=1)]


class MappedImage(BaseModel):
    """The settings of one image; see the module docstring."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    behaves_as: Image | None = Field(None, alias="as")
    python: Path | None = None
    command: list[Word] | None = Field(None, min_length=1)
    code: Path | None = None

    @model_validator(mode="after")
    def _check_entry_point(self) -> MappedImage:
        if (self.behaves_as is None) == (self.command is None):
            raise ValueError("give either `as`, the image that it behaves as, or `command`, its entry point")
        if self.code is not None and self.command is None:
            raise ValueError("`code` is the folder that `command` runs in; give `command`, too")
        return self


class ImageMap:
    """The images of one settings file."""

    def __init__(self, runtimes: dict[str, Runtime]) -> None:
        self._runtimes = runtimes

    def find(self, repository: str) -> Runtime | None:
        """Return what runs the images of a repository, None if the file does not map it."""
        matches = (runtime for pattern, runtime in self._runtimes.items() if fnmatchcase(repository, pattern))
        return next(matches, None)


def read_image_map(file: Path) -> ImageMap:
    """Read and validate a settings file.

    Raises:
        ImageMapError: The file cannot be read or is not valid.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # YAML's messages have several lines
        raise ImageMapError(
            f"cannot read {file}: {' '.join(str(error).split())}; correct it, or give another with "
            "`python -m local_sagemaker start --images`"
        ) from error
    if not isinstance(content, dict):
        raise ImageMapError(f"{file} must be a mapping from repositories to the settings of their images")
    return ImageMap({str(pattern): _runtime(file, pattern, settings) for pattern, settings in content.items()})


def _runtime(file: Path, pattern: object, settings: object) -> Runtime:
    try:
        mapped = MappedImage.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ImageMapError(f"{file}: {pattern}: {f'{where}: ' if where else ''}{first['msg']}") from None
    # symbolic links are not resolved: Python finds a virtual environment by the path of its interpreter
    python = mapped.python and file.parent.absolute() / mapped.python.expanduser()
    code = mapped.code and file.parent.absolute() / mapped.code.expanduser()
    if python is not None and not python.is_file():
        raise ImageMapError(f"{file}: {pattern}: python: {python} does not exist")
    if code is not None and not code.is_dir():
        raise ImageMapError(f"{file}: {pattern}: code: {code} is not a folder")
    return Runtime(mapped.behaves_as, python, tuple(mapped.command or ()), code)
