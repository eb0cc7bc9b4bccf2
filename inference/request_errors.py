"""The errors that a client receives."""

from __future__ import annotations

from http import HTTPStatus
from reprlib import Repr

try:
    from sagemaker_inference.errors import BaseInferenceToolkitError
except ImportError:  # Not every serving stack has the toolkit.

    class BaseInferenceToolkitError(Exception):  # type: ignore[no-redef]
        """The error that SageMaker's inference toolkit turns into a response with the error's status code."""


# Messages quote parts of the request, which may be megabytes long.
MAX_MESSAGE_LENGTH, MAX_VALUE_LENGTH = 500, 40
# The built-in repr fails on deeply nested values.
ABBREVIATED = Repr()
ABBREVIATED.maxstring = MAX_VALUE_LENGTH


class InputError(BaseInferenceToolkitError):
    """The request is invalid; the message names the row, the feature and the value.

    Attributes:
        status_code: The HTTP status; like message and phrase an attribute that SageMaker's inference toolkit reads.
        message: The body of the response.
        phrase: The reason phrase of the status.
    """

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST):
        self.status_code = int(status)
        self.message = message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 3] + "..."
        self.phrase = status.phrase
        Exception.__init__(self, self.message)


def shortened(value: object) -> str:
    """Format a value for a message, with lone surrogates and control characters escaped."""
    text = ABBREVIATED.repr(value)
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 3] + "..."
