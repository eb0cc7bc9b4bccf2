"""Errors of the API as pages: a missing permission, throttling, a missing resource, an API out of reach."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from flask import Flask, Response, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from project.errors import UserError, is_not_found

log = logging.getLogger(__name__)

THROTTLING = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
)
DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "403"})
# temporary credentials live for hours, a page may be open for days
NOT_ACCEPTED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# after which a page that was throttled, or lost its connection, is loaded again
RETRY_SECONDS = 5
# what IAM calls operations of S3, whose refusals may lack a message
_S3_ACTIONS = {
    "ListBuckets": "s3:ListAllMyBuckets",
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
}
# "User: ... is not authorized to perform: sagemaker:ListPipelines on resource: arn:... because no ..."
_NOT_AUTHORIZED = re.compile(r"not authorized to perform: (\S+?)(?: on resource: (\S+))?(?: |$)")


@dataclass(frozen=True)
class Failure:
    """An error as a page shows it.

    Attributes:
        status: HTTP status.
        title: Short description.
        message: Details.
        advice: The next step; may be empty.
        retry_seconds: When to retry an error that passes, such as throttling; 0 for other errors.
    """

    status: int
    title: str
    message: str
    advice: str = ""
    retry_seconds: int = 0


def explain(error: Exception) -> Failure:
    """Describe an error of a page or of an API call."""
    if isinstance(error, ClientError):
        return _explain_client_error(error)
    if isinstance(error, ParamValidationError):
        return Failure(400, "Invalid request", str(error))
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return Failure(401, "There are no AWS credentials", str(error), "Sign in, and start Studio again.")
    if isinstance(error, BotoCoreError):
        return Failure(
            502,
            "The API cannot be reached",
            str(error),
            "Check the network. With --local, `python -m local_sagemaker status` shows whether the server runs.",
            # a server may start again, and a laptop wake up
            retry_seconds=RETRY_SECONDS if isinstance(error, (NoConnectionError, HTTPClientError)) else 0,
        )
    if isinstance(error, UserError):
        return Failure(400, "Invalid request", str(error))
    if isinstance(error, HTTPException):
        return Failure(error.code or 500, error.name, error.description or "")
    log.error("%s %s", request.method, request.path, exc_info=error)
    return Failure(500, "Internal error", f"{type(error).__name__}; the output of Studio has the details.")


def attempt(call: Callable[[], Any]) -> Callable[[], Any]:
    """Return a call of the API for a part of a page: an error becomes a Failure, which the part shows instead."""

    def attempted() -> Any:
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            return explain(error)

    return attempted


def _explain_client_error(error: ClientError) -> Failure:
    details = error.response["Error"]
    code, message = details.get("Code", ""), details.get("Message", "")
    if code in THROTTLING:
        return Failure(
            503,
            "AWS is throttling requests",
            f"{error.operation_name} was refused for its rate, after several attempts.",
            retry_seconds=RETRY_SECONDS,
        )
    if code in DENIED:
        return _missing_permission(error.operation_name, message)
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return Failure(
            503,
            "The API has failed",
            f"{error.operation_name}: {code}: {message}",
            retry_seconds=RETRY_SECONDS,
        )
    if code in NOT_ACCEPTED:
        return Failure(
            403,
            "AWS does not accept the credentials",
            f"{code}: {message}",
            "Sign in again, and start Studio again if that does not help.",
        )
    if is_not_found(error) or code == "NoSuchBucket":
        return Failure(404, "Not found", message or f"{error.operation_name}: no such resource")
    return Failure(400, f"{error.operation_name} failed", f"{code}: {message}")


def _missing_permission(operation: str, message: str) -> Failure:
    found = _NOT_AUTHORIZED.search(message)
    action, resource = (found[1], found[2]) if found else (_S3_ACTIONS.get(operation, operation), None)
    of_resource = f" on {resource}" if resource else ""
    return Failure(
        403,
        "A permission is missing",
        f"Your credentials lack {action}{of_resource}.",
        f"Allow {action}{of_resource} in the IAM policy of the user or role that Studio runs as. {message}",
    )


def show_failures(app: Flask) -> None:
    """Render the errors of all pages of an app; fragments get a short form for their place on the page."""

    @app.errorhandler(Exception)
    def show(error: Exception) -> Response:
        failure = explain(error)
        template = "failure_fragment.html" if request.headers.get("HX-Request") else "failure.html"
        response = make_response(render_template(template, failure=failure), failure.status)
        if failure.retry_seconds:
            response.headers["Retry-After"] = str(failure.retry_seconds)
        return response
