"""The one error that the local SageMaker answers a client with, and what a disk that refuses is to clients."""

import errno
from typing import NamedTuple


class ServiceError(Exception):
    """An operation refused, as the service words it.

    `code` is AWS's error code (`ValidationException`, `ResourceNotFound`, `ConflictException`, ...); it travels to the
    client in the response, where boto3 raises it as `ClientError`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Refusal(NamedTuple):
    """An error's code, HTTP status and message."""

    code: str
    status: int
    message: str


def refusal_by_disk(error: OSError) -> Refusal:
    """What a client is told where the data directory's disk refuses what it asks for.

    Neither a full disk nor a lack of permission is a status that AWS clients try again at once.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Refusal(
            "InsufficientStorage",
            507,
            f"the disk has no room for it ({error}); nothing was changed: make room and try again",
        )
    if isinstance(error, PermissionError):
        return Refusal("AccessDenied", 403, f"the data directory refused it: {error}; change the file's permissions")
    return Refusal("InternalFailure", 500, f"the data directory refused it: {error}")
