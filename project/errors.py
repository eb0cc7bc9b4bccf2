"""The error that a command shows as a message, and how the services report a missing resource."""

from __future__ import annotations

from botocore.exceptions import ClientError

_NOT_FOUND = frozenset(
    ("ResourceNotFound", "ResourceNotFoundException", "ObjectNotFoundException", "NoSuchKey", "NotFound", "404")
)


class UserError(Exception):
    """An error that the user can correct; the message names the thing, the value and the next move."""


def is_not_found(error: ClientError) -> bool:
    """Whether a call failed because the resource does not exist.

    SageMaker reports a missing resource as ResourceNotFound or, for endpoints and models, as a ValidationException.
    """
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"].lower()
    return code in _NOT_FOUND or (
        code == "ValidationException" and ("could not find" in message or "does not exist" in message)
    )
