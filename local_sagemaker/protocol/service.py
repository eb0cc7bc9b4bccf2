"""What every service of this package is to the server, and how one leaves a request to moto."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from werkzeug.wrappers import Request, Response

from local_sagemaker.storage.records import Record

# answers an operation by its name and request, such as `call("DescribeModel", {"ModelName": "churn"})`
Call = Callable[[str, Record], Record]


class Service(Protocol):
    """An AWS service that answers HTTP requests."""

    def respond(self, request: Request) -> Response:
        """Answer a request.

        Raises:
            ServiceError: The request is refused, and the error has no form of the service's own.
            NotImplementedHere: The service does not have the operation.
        """


class NotImplementedHere(Exception):
    """A service does not have the operation that a request is for, and moto may."""


class WithFallback:
    """A service, and another one that answers requests which the first does not implement."""

    def __init__(self, service: Service, fallback: Service) -> None:
        self._service = service
        self._fallback = fallback

    def respond(self, request: Request) -> Response:
        try:
            return self._service.respond(request)
        except NotImplementedHere:
            return self._fallback.respond(request)
