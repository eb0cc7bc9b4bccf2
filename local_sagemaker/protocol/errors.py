"""Errors that clients see."""

import errno
from typing import NamedTuple


class ServiceError(Exception):
    """An error response of an operation, which boto3 raises as `ClientError`.

    Attributes:
        code: AWS's error code, such as `ValidationException`, `ResourceNotFound` or `ConflictException`.
        message: As the service words it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Refusal(NamedTuple):
    """Code, HTTP status and message of an error."""

    code: str
    status: int
    message: str


def refusal_by_disk(error: OSError) -> Refusal:
    """Return the response to a request for which the data directory's disk refuses a write.

    AWS clients do not retry the statuses of a full disk and of missing permissions.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Refusal(
            "InsufficientStorage",
            507,
            f"the disk is full ({error}); nothing was changed: free some space and try again",
        )
    if isinstance(error, PermissionError):
        return Refusal("AccessDenied", 403, f"access denied: {error}; change the file's permissions")
    return Refusal("InternalFailure", 500, f"the data directory cannot be written: {error}")
