"""The error that commands show as a message."""

from collections.abc import Iterator
from contextlib import contextmanager


class LocalSageMakerError(Exception):
    """An error that the user can correct; the message names the thing, the value and the next step."""


@contextmanager
def files_named() -> Iterator[None]:
    """Raise a LocalSageMakerError that names the file in place of an OSError."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        file = error.filename2 or error.filename
        raise LocalSageMakerError(
            f"cannot use {file}: {error.strerror}; correct or remove it, or choose another data directory with "
            "--data-dir or $LOCAL_SAGEMAKER_DIR"
        ) from error
