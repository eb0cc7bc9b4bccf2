"""Errors about images."""


class UnsupportedImage(ValueError):
    """An image that cannot run on this machine; the message names it and lists the supported ones."""


class ImageMapError(ValueError):
    """An invalid image map file; the message names the file, the image and the setting."""
