"""Which service a request is for."""

from __future__ import annotations

from collections.abc import Mapping

from werkzeug.wrappers import Request

from local_sagemaker.protocol import aws_json
from local_sagemaker.protocol.credentials import credential_scope
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Service
from local_sagemaker.services.mlflow.service import arn_of

# of the operations of Feature Store's runtime, which is signed for as SageMaker
FEATURE_STORE_PATHS = ("/FeatureGroup/", "/BatchGetRecord", "/BatchWriteRecord")


class Router:
    """Finds the service that answers a request.

    Attributes:
        services: By the name that requests are signed for.
        default: Answers for all other services.
    """

    def __init__(self, services: Mapping[str, Service], default: Service) -> None:
        self._services = services
        self._default = default

    def find(self, request: Request) -> Service:
        """Return the service for a request. Raises ServiceError if the request does not say which it is for."""
        return self._services.get(service_name(request), self._default)


def service_name(request: Request) -> str:
    """Return the name that a request is signed for, such as `sagemaker`; "" if it is in none of the known forms."""
    if arn_of(request) is not None:
        return "sagemaker-mlflow"
    prefix, _ = aws_json.target(request)
    if prefix == "SageMaker":
        return "sagemaker"
    if prefix.startswith("Logs_"):
        return "logs"
    if prefix == "AmazonAthena":
        return "athena"
    if prefix:
        return ""
    if (scope := credential_scope(request)) is not None:
        if scope.service == "sagemaker" and request.path.startswith("/endpoints/"):
            return "sagemaker-runtime"
        if scope.service == "sagemaker" and request.path.startswith(FEATURE_STORE_PATHS):
            return "sagemaker-featurestore-runtime"
        if scope.service in ("sagemaker", "logs"):
            raise ServiceError("UnknownOperationException", "the request has no X-Amz-Target header")
        return scope.service
    authorization = request.headers.get("Authorization", "")
    # S3's signature version 2 begins with "AWS "
    if authorization and not authorization.startswith("AWS "):
        raise ServiceError("IncompleteSignature", "the Authorization header has no credential scope")
    # unsigned: a form is a request to STS; else a presigned URL of signature version 2, or a GET of an object
    return "sts" if is_form(request) else "s3"


def is_form(request: Request) -> bool:
    """Return whether a request is in AWS's query protocol, whose responses are XML."""
    return request.mimetype == "application/x-www-form-urlencoded"
