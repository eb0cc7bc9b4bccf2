"""Errors about images."""

from local_sagemaker.errors import LocalSageMakerError


class UnsupportedImage(ValueError):
    """An image that cannot run on this machine; the message names it and lists the supported ones."""


class ImageMapError(LocalSageMakerError):
    """An invalid image map file; the message names the file, the image and the setting."""
