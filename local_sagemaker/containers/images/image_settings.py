"""What a data directory's server is told about images: a file that maps them, and whether jobs run isolated.

Environment variables win over what the data directory remembers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_sagemaker.data_dir import DataDir


class ImageMapError(ValueError):
    """A file that maps images and cannot be used; the message names file, image and setting."""


@dataclass(frozen=True)
class ImageSettings:
    """file: maps images of the user's own, None where there is none. isolated: whether jobs have environments of
    their own.
    """

    file: Path | None
    isolated: bool


def image_settings(data_dir: DataDir, environment: Mapping[str, str] = os.environ) -> ImageSettings:
    """The settings in force: $LOCAL_SAGEMAKER_IMAGES and $LOCAL_SAGEMAKER_ISOLATED (0 or 1), else the remembered."""
    named, isolated = environment.get("LOCAL_SAGEMAKER_IMAGES"), environment.get("LOCAL_SAGEMAKER_ISOLATED")
    own = data_dir.images_file
    # a link that leads nowhere is not as good as none: the file that is missing is named when it is read
    remembered = own.resolve() if own.exists() or own.is_symlink() else None
    file = Path(named).absolute() if named else remembered
    return ImageSettings(file, isolated == "1" if isolated else data_dir.isolated_mark.exists())


def remember(data_dir: DataDir, images: Path | None, isolated: bool | None) -> None:
    """Have later starts use these settings; None leaves one as it is.

    images: is linked to, not copied, for paths in it are relative to where it lies. Raises ImageMapError for one that
    cannot be used.
    """
    data_dir.make()
    if images is not None:
        from local_sagemaker.containers.images.image_map import read_image_map  # takes long to import

        read_image_map(images)
        link = data_dir.images_file
        link.unlink(missing_ok=True)
        link.symlink_to(images.resolve())
    if isolated:
        data_dir.isolated_mark.touch()
    elif isolated is not None:
        data_dir.isolated_mark.unlink(missing_ok=True)
