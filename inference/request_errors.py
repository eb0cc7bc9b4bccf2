"""The errors that a client is told about."""

from __future__ import annotations

from http import HTTPStatus
from reprlib import Repr

try:
    from sagemaker_inference.errors import BaseInferenceToolkitError
except ImportError:  # not every serving stack has the toolkit

    class BaseInferenceToolkitError(Exception):  # type: ignore[no-redef]
        """What SageMaker's inference toolkit answers with the status code that it carries."""


# a message repeats what was sent, which may be megabytes
LONGEST_MESSAGE, LONGEST_VALUE = 500, 40
# repr itself fails on what is nested deeply
ABBREVIATED = Repr()
ABBREVIATED.maxstring = LONGEST_VALUE


class InputError(BaseInferenceToolkitError):
    """The request cannot be answered; the message names the row, the feature and what is wrong with its value.

    status_code, message and phrase are what SageMaker's inference toolkit answers with.
    """

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST):
        self.status_code = int(status)
        self.message = message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 3] + "..."
        self.phrase = status.phrase
        Exception.__init__(self, self.message)


def shortened(value: object) -> str:
    """A value as it stands in a message; lone surrogates and control characters are escaped."""
    text = ABBREVIATED.repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."
