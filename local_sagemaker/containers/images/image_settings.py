"""A data directory's settings about images: the image map file, and whether jobs run isolated.

Environment variables take precedence over the settings kept in the data directory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_sagemaker.data_dir import DataDir


@dataclass(frozen=True)
class ImageSettings:
    """Settings about images.

    Attributes:
        file: The image map file; None if there is none.
        isolated: Whether jobs run in Python environments of their own.
    """

    file: Path | None
    isolated: bool


def image_settings(data_dir: DataDir, environment: Mapping[str, str] = os.environ) -> ImageSettings:
    """Return the settings: $LOCAL_SAGEMAKER_IMAGES and $LOCAL_SAGEMAKER_ISOLATED (0 or 1), else the kept ones."""
    named, isolated = environment.get("LOCAL_SAGEMAKER_IMAGES"), environment.get("LOCAL_SAGEMAKER_ISOLATED")
    own = data_dir.images_file
    # a broken link counts, too, so that reading it reports the missing file
    kept = own.resolve() if own.exists() or own.is_symlink() else None
    file = Path(named).absolute() if named else kept
    return ImageSettings(file, isolated == "1" if isolated else data_dir.isolated_mark.exists())


def remember(data_dir: DataDir, images: Path | None, isolated: bool | None) -> None:
    """Keep settings for later starts of the server.

    Args:
        data_dir: The data directory.
        images: The image map file, None to leave the setting unchanged. It is linked, not copied, because paths in it
            are relative to its folder.
        isolated: Whether jobs run isolated, None to leave the setting unchanged.

    Raises:
        ImageMapError: The file cannot be read or is not valid.
    """
    data_dir.make()
    if images is not None:
        # slow to import because of pydantic
        from local_sagemaker.containers.images.image_map import read_image_map

        read_image_map(images)
        link = data_dir.images_file
        link.unlink(missing_ok=True)
        link.symlink_to(images.resolve())
    if isolated:
        data_dir.isolated_mark.touch()
    elif isolated is not None:
        data_dir.isolated_mark.unlink(missing_ok=True)
