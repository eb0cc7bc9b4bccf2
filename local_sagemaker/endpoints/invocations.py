"""The sagemaker-runtime service: InvokeEndpoint over HTTP.

Errors are JSON with ErrorCode and Message; the header x-amzn-ErrorType has their type.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from werkzeug.wrappers import Request, Response

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.containers.model_server import ModelServerError, ServerResponse
from local_sagemaker.endpoints.data_capture import CapturedInvocation
from local_sagemaker.endpoints.endpoint import Endpoint, Fleet, NoSuchVariant
from local_sagemaker.endpoints.explainer import Explainer, ExplainerFailed, NotExplained
from local_sagemaker.endpoints.manager import INVOCATION_TIMEOUT, EndpointManager
from local_sagemaker.endpoints.metrics import MetricSource
from local_sagemaker.endpoints.variant import Throttled, Unavailable, Variant
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.options import Members, Options
from local_sagemaker.protocol.rest_json import head_members
from local_sagemaker.protocol.shapes import check_request, operation_model
from local_sagemaker.storage.log_files import endpoint_group

OPERATIONS = {
    "invocations": "InvokeEndpoint",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
    "async-invocations": "InvokeEndpointAsync",
}
MAX_BODY_BYTES, MAX_SERVERLESS_BODY_BYTES = 6 << 20, 4 << 20

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
TARGET_VARIANT = "X-Amzn-SageMaker-Target-Variant"
ENABLE_EXPLANATIONS = "X-Amzn-SageMaker-Enable-Explanations"
# the headers that are passed on to the container
CONTAINER_HEADERS = ("Content-Type", "Accept", CUSTOM_ATTRIBUTES, INFERENCE_ID)
TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for "
    "each container in Amazon CloudWatch, resolve the issue, and try again."
)
OPTIONS = Options(
    "sagemaker-runtime",
    {
        "InvokeEndpointInput": Members(
            "ContentType Accept CustomAttributes InferenceId TargetVariant EnableExplanations",
            refused="TargetModel TargetContainerHostname InferenceComponentName SessionId PrefixAwareId",
        )
    },
)


class InvocationError(Exception):
    """An error response.

    Args:
        kind: The type of the exception in the service's API.
        status: The HTTP status.
        code: The ErrorCode.
        message: The message.
        members: Other members of the exception.
    """

    def __init__(self, kind: str, status: int, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.kind, self.status = kind, status
        self.body = {"ErrorCode": code, "Message": message, **members}

    @property
    def counted_as(self) -> int:
        """The status that the metrics count: the model's if it has responded."""
        return int(self.body.get("OriginalStatusCode", self.status) or 500)


class SageMakerRuntime:
    """The sagemaker-runtime service of one data directory's endpoints."""

    def __init__(self, endpoint_manager: EndpointManager) -> None:
        self._endpoint_manager = endpoint_manager

    def respond(self, request: Request) -> Response:
        """Answer a request to /endpoints/<name>/<operation>."""
        try:
            return _invoke(self._endpoint_manager, request)
        except InvocationError as error:
            response = Response(json.dumps(error.body), status=error.status, content_type="application/json")
            response.headers["x-amzn-ErrorType"] = error.kind
            response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
            return response


def _invoke(endpoint_manager: EndpointManager, request: Request) -> Response:
    arrived = time.perf_counter()
    name = _checked_name(request)
    body = request.stream.read(MAX_BODY_BYTES + 1)
    _check_size(body, MAX_BODY_BYTES)
    endpoint = endpoint_manager.find(name)
    if endpoint is None:
        raise InvocationError(
            "ValidationError", 400, "NO_SUCH_ENDPOINT", f"Endpoint {name} of account {ACCOUNT} not found."
        )
    try:
        fleet, variant = endpoint.begin_request(request.headers.get(TARGET_VARIANT))
    except NoSuchVariant as error:
        raise _invalid(str(error)) from error
    except Throttled as error:
        raise InvocationError("ThrottlingException", 429, "THROTTLED", f"Rate exceeded: {error}.") from error
    invoked, status = time.perf_counter(), 200
    try:
        predictions = _invoke_variant(endpoint, variant, request, body)
        response = _explained(endpoint, fleet.explainer, variant, request, body, predictions)
    except InvocationError as error:
        status = error.counted_as
        raise
    finally:
        variant.end_request()
        model_seconds, overhead_seconds = time.perf_counter() - invoked, invoked - arrived
        source = MetricSource(endpoint.name, variant.name, fleet.config_name)
        endpoint_manager.metrics.add(source, status, model_seconds, overhead_seconds)
    # what the model responded, so that Model Monitor can read it
    _capture(endpoint_manager, endpoint, fleet, variant, request, body, predictions)
    return _http_response(variant, response)


def _invoke_variant(endpoint: Endpoint, variant: Variant, request: Request, body: bytes) -> ServerResponse:
    """Return the model's response. Raises InvocationError."""
    limit = MAX_SERVERLESS_BODY_BYTES if variant.serverless else MAX_BODY_BYTES
    _check_size(body, limit)
    headers = {header: request.headers[header] for header in CONTAINER_HEADERS if header in request.headers}
    response = _send(endpoint, variant, body, headers, INVOCATION_TIMEOUT)
    if not 200 <= response.status < 300:
        message = response.body.decode("utf-8", errors="replace")
        raise _model_error(endpoint, response.status, message, response.container)
    if len(response.body) > limit:
        raise _model_error(endpoint, 500, f"the response has {len(response.body)} bytes; the maximum is {limit}")
    return response


def _send(endpoint: Endpoint, variant: Variant, body: bytes, headers: dict[str, str], timeout: float) -> ServerResponse:
    """Return the model's response, whatever its status. Raises InvocationError if there is none."""
    try:
        return variant.invoke(body, headers, timeout)
    except Unavailable as error:
        message = f"Variant {variant.name} has no running container: {error}"
        raise InvocationError("ServiceUnavailable", 503, "SERVICE_UNAVAILABLE", message) from error
    except ModelServerError as error:
        raise _model_error(endpoint, 500, f"the container ended before it responded: {error}") from error
    except TimeoutError as error:
        raise _model_error(endpoint, 0, TIMED_OUT) from error


def _explained(
    endpoint: Endpoint,
    explainer: Explainer | None,
    variant: Variant,
    request: Request,
    body: bytes,
    predictions: ServerResponse,
) -> ServerResponse:
    """Return the model's response, with an explainer inside the response that also explains it.

    Raises:
        InvocationError: It cannot be explained.
    """
    enable = request.headers.get(ENABLE_EXPLANATIONS)
    if explainer is None:
        if enable is not None:
            raise _invalid(f"Endpoint {endpoint.name} has no ExplainerConfig; remove EnableExplanations.")
        return predictions
    end = time.monotonic() + INVOCATION_TIMEOUT
    headers = {header: request.headers[header] for header in ("Content-Type", "Accept") if header in request.headers}

    def invoke(records: bytes) -> ServerResponse:
        return _send(endpoint, variant, records, headers, max(0.001, end - time.monotonic()))

    try:
        content = explainer.explain(body, headers.get("Content-Type", ""), predictions, enable, invoke, end)
    except NotExplained as error:
        raise _invalid(f"The SageMaker Clarify explainer cannot explain the request: {error}") from error
    except ExplainerFailed as error:
        raise InvocationError("InternalFailure", 500, "INTERNAL_FAILURE", str(error)) from error
    except TimeoutError as error:
        raise _model_error(endpoint, 0, f"{TIMED_OUT} The SageMaker Clarify explainer: {error}.") from error
    return ServerResponse(200, {**predictions.headers, "content-type": "application/json"}, content)


def _checked_name(request: Request) -> str:
    """Return the endpoint's name.

    Raises:
        InvocationError: The request is not a valid one to InvokeEndpoint.
    """
    _, _, name, *rest = request.path.split("/")
    operation = OPERATIONS.get("/".join(rest))
    if request.method != "POST" or operation is None:
        raise InvocationError(
            "UnknownOperationException",
            404,
            "UNKNOWN_OPERATION",
            f"{request.method} {request.path} is not an operation of sagemaker-runtime",
        )
    if operation != "InvokeEndpoint":
        raise _invalid(f"{operation} is not supported on this machine; use InvokeEndpoint")
    shape = operation_model("sagemaker-runtime", operation).input_shape
    # the size of the body is checked separately, because the maximum depends on the variant
    members = {"EndpointName": name, "Body": b"", **head_members(shape, request)}
    try:
        check_request(shape, members)
    except ServiceError as error:
        raise _invalid(error.message) from error
    if refusal := OPTIONS.refusal(operation, members):
        raise _invalid(refusal)
    return name


def _check_size(body: bytes, limit: int) -> None:
    if len(body) > limit:
        raise _invalid(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less "
            f"than or equal to {limit}"
        )


def _model_error(endpoint: Endpoint, status: int, message: str, container: str = "primary") -> InvocationError:
    group = endpoint_group(endpoint.name)
    origin = "client" if 400 <= status < 500 else "server"
    return InvocationError(
        "ModelError",
        424,
        "CLIENT_ERROR_FROM_MODEL" if origin == "client" else "INTERNAL_FAILURE_FROM_MODEL",
        f'Received {origin} error ({status}) from {container} with message "{message}". See the log group {group} in '
        f"account {ACCOUNT} for more information.",
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
    response: ServerResponse,
) -> None:
    if fleet.data_capture is not None and fleet.data_capture.is_sampled():
        event = CapturedInvocation(
            endpoint=endpoint.name,
            variant=variant.name,
            input=(body, request.headers.get("Content-Type", "")),
            output=(response.body, response.headers.get("content-type", "")),
            inference_id=request.headers.get(INFERENCE_ID),
            custom_attributes=request.headers.get(CUSTOM_ATTRIBUTES),
            time=time.time(),
        )
        endpoint_manager.data_capture.add(fleet.data_capture, event)


def _http_response(variant: Variant, model_response: ServerResponse) -> Response:
    response = Response(model_response.body, status=200)
    response.headers["Content-Type"] = model_response.headers.get("content-type", "application/octet-stream")
    response.headers["x-Amzn-Invoked-Production-Variant"] = variant.name
    response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    if attributes := model_response.headers.get(CUSTOM_ATTRIBUTES.lower()):
        response.headers[CUSTOM_ATTRIBUTES] = attributes
    return response
