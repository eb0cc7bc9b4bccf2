"""Errors: the one that a command shows as a message, and the service errors that mean "not found"."""

from __future__ import annotations

from botocore.exceptions import ClientError

_NOT_FOUND_CODES = frozenset(
    {
        "ResourceNotFound",  # SageMaker
        "ResourceNotFoundException",  # CloudWatch Logs, EventBridge Scheduler, Feature Store
        "ObjectNotFoundException",  # Application Auto Scaling
        "NoSuchKey",  # S3
        "NotFound",  # S3 HeadObject and HeadBucket; SNS
        "404",  # S3 HeadObject
    }
)


class UserError(Exception):
    """An error the user can correct; the message names the thing, the value and the next step."""


def is_not_found(error: ClientError) -> bool:
    """Return whether a call failed because the resource or object does not exist.

    Most of SageMaker's Describe operations and CloudFormation's DescribeStacks report a missing resource as a
    validation error, which only its message tells from others. A missing bucket does not count: a missing object can be
    expected, a missing bucket is usually a wrong name.
    """
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "").lower()
    if code in _NOT_FOUND_CODES:
        return True
    return code in ("ValidationException", "ValidationError") and (
        # the last of them of DescribeTrainingJob
        any(words in message for words in ("could not find", "does not exist", "requested resource not found"))
    )
