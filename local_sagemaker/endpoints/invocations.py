"""sagemaker-runtime: InvokeEndpoint over HTTP, in the service's own form.

An error is JSON with ErrorCode and Message, its type in the header x-amzn-ErrorType.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from werkzeug.wrappers import Request, Response

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.containers.model_server import ModelServerError, ServerResponse
from local_sagemaker.endpoints.capture import Event
from local_sagemaker.endpoints.endpoint import Endpoint, Fleet, NoSuchVariant
from local_sagemaker.endpoints.manager import ANSWER_SECONDS, EndpointManager
from local_sagemaker.endpoints.variant import Throttled, Unavailable, Variant
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import check_request, operation_model
from local_sagemaker.storage.log_files import endpoint_group

OPERATIONS = {
    "invocations": "InvokeEndpoint",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
    "async-invocations": "InvokeEndpointAsync",
}
LARGEST_BODY, LARGEST_SERVERLESS_BODY = 6 << 20, 4 << 20

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
TARGET_VARIANT = "X-Amzn-SageMaker-Target-Variant"
# the headers that a container sees; all others stay with the service
PASSED_ON = ("Content-Type", "Accept", CUSTOM_ATTRIBUTES, INFERENCE_ID)
TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for "
    "each container in Amazon CloudWatch, resolve the issue, and try again."
)
REFUSED = {
    "X-Amzn-SageMaker-Target-Model": "TargetModel",
    "X-Amzn-SageMaker-Target-Container-Hostname": "TargetContainerHostname",
    "X-Amzn-SageMaker-Enable-Explanations": "EnableExplanations",
    "X-Amzn-SageMaker-Inference-Component": "InferenceComponentName",
    "X-Amzn-SageMaker-Session-Id": "SessionId",
}


class InvocationError(Exception):
    """A request that gets no prediction. kind: the exception's name. members: what else the exception has."""

    def __init__(self, kind: str, status: int, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.kind, self.status = kind, status
        self.body = {"ErrorCode": code, "Message": message, **members}

    @property
    def counted_as(self) -> int:
        """The status that the metrics count: the model's, where it has answered."""
        return int(self.body.get("OriginalStatusCode", self.status) or 500)


class SageMakerRuntime:
    """InvokeEndpoint, for the endpoints of one data directory."""

    def __init__(self, endpoint_manager: EndpointManager) -> None:
        self._endpoint_manager = endpoint_manager

    def respond(self, request: Request) -> Response:
        try:
            return _invoke(self._endpoint_manager, request)
        except InvocationError as error:
            response = Response(json.dumps(error.body), status=error.status, content_type="application/json")
            response.headers["x-amzn-ErrorType"] = error.kind
            response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
            return response


def _invoke(endpoint_manager: EndpointManager, request: Request) -> Response:
    begun = time.perf_counter()
    name = _checked_name(request)
    body = request.stream.read(LARGEST_BODY + 1)
    _check_size(body, LARGEST_BODY)
    endpoint = endpoint_manager.find(name)
    if endpoint is None:
        raise InvocationError(
            "ValidationError", 400, "NO_SUCH_ENDPOINT", f"Endpoint {name} of account {ACCOUNT} not found."
        )
    try:
        fleet, variant = endpoint.enter(request.headers.get(TARGET_VARIANT))
    except NoSuchVariant as error:
        raise _invalid(str(error)) from error
    except Throttled as error:
        raise InvocationError("ThrottlingException", 429, "THROTTLED", f"Rate exceeded: {error}.") from error
    asked, status = time.perf_counter(), 200
    try:
        answer = _answer(endpoint, variant, request, body)
    except InvocationError as error:
        status = error.counted_as
        raise
    finally:
        variant.leave()
        endpoint_manager.metrics.add(endpoint.name, variant.name, status, time.perf_counter() - asked, asked - begun)
    _capture(endpoint_manager, endpoint, fleet, variant, request, body, answer)
    return _response(variant, answer)


def _answer(endpoint: Endpoint, variant: Variant, request: Request, body: bytes) -> ServerResponse:
    """What the model answers. Raises InvocationError."""
    limit = LARGEST_SERVERLESS_BODY if variant.serverless else LARGEST_BODY
    _check_size(body, limit)
    headers = {header: request.headers[header] for header in PASSED_ON if header in request.headers}
    try:
        answer = variant.invoke(body, headers, ANSWER_SECONDS)
    except Unavailable as error:
        message = f"Variant {variant.name} has no running container: {error}"
        raise InvocationError("ServiceUnavailable", 503, "SERVICE_UNAVAILABLE", message) from error
    except ModelServerError as error:
        raise _model_error(endpoint, 500, f"the container ended before it answered: {error}") from error
    except TimeoutError as error:
        raise _model_error(endpoint, 0, TIMED_OUT) from error
    if not 200 <= answer.status < 300:
        raise _model_error(endpoint, answer.status, answer.body.decode("utf-8", errors="replace"))
    if len(answer.body) > limit:
        raise _model_error(endpoint, 500, f"the response has {len(answer.body)} bytes; it can have {limit}")
    return answer


def _checked_name(request: Request) -> str:
    """The endpoint's name. Raises InvocationError for what is not a request to InvokeEndpoint."""
    _, _, name, *rest = request.path.split("/")
    operation = OPERATIONS.get("/".join(rest))
    if request.method != "POST" or operation is None:
        raise InvocationError(
            "UnknownOperationException", 404, "UNKNOWN_OPERATION", f"there is no {request.method} {request.path}"
        )
    if operation != "InvokeEndpoint":
        raise _invalid(f"{operation} is not supported on this machine; use InvokeEndpoint")
    for header, member in REFUSED.items():
        if header in request.headers:
            raise _invalid(f"{member} is not supported on this machine")
    given = {
        "EndpointName": name,
        "Body": b"",  # whose size depends on the variant
        "ContentType": request.headers.get("Content-Type"),
        "Accept": request.headers.get("Accept"),
        "CustomAttributes": request.headers.get(CUSTOM_ATTRIBUTES),
        "InferenceId": request.headers.get(INFERENCE_ID),
        "TargetVariant": request.headers.get(TARGET_VARIANT),
    }
    try:
        check_request(operation_model("sagemaker-runtime", operation).input_shape, given)
    except ServiceError as error:
        raise _invalid(error.message) from error
    return name


def _check_size(body: bytes, limit: int) -> None:
    if len(body) > limit:
        raise _invalid(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less "
            f"than or equal to {limit}"
        )


def _model_error(endpoint: Endpoint, status: int, message: str) -> InvocationError:
    group = endpoint_group(endpoint.name)
    by = "client" if 400 <= status < 500 else "server"
    return InvocationError(
        "ModelError",
        424,
        "CLIENT_ERROR_FROM_MODEL" if by == "client" else "INTERNAL_FAILURE_FROM_MODEL",
        f'Received {by} error ({status}) from primary with message "{message}". See the log group {group} in account '
        f"{ACCOUNT} for more information.",
        OriginalMessage=message,
        OriginalStatusCode=status,
        LogStreamArn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}",
    )


def _invalid(message: str) -> InvocationError:
    return InvocationError("ValidationError", 400, "VALIDATION_ERROR", message)


def _capture(
    endpoint_manager: EndpointManager,
    endpoint: Endpoint,
    fleet: Fleet,
    variant: Variant,
    request: Request,
    body: bytes,
    answer: ServerResponse,
) -> None:
    if fleet.capture is not None and fleet.capture.samples():
        event = Event(
            endpoint=endpoint.name,
            variant=variant.name,
            input=(body, request.headers.get("Content-Type", "")),
            output=(answer.body, answer.headers.get("content-type", "")),
            inference_id=request.headers.get(INFERENCE_ID),
            custom_attributes=request.headers.get(CUSTOM_ATTRIBUTES),
            moment=time.time(),
        )
        endpoint_manager.capture.add(fleet.capture, event)


def _response(variant: Variant, answer: ServerResponse) -> Response:
    response = Response(answer.body, status=200)
    response.headers["Content-Type"] = answer.headers.get("content-type", "application/octet-stream")
    response.headers["x-Amzn-Invoked-Production-Variant"] = variant.name
    response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    if attributes := answer.headers.get(CUSTOM_ATTRIBUTES.lower()):
        response.headers[CUSTOM_ATTRIBUTES] = attributes
    return response
