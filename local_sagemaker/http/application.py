"""One endpoint for every service: each request goes to SageMaker, S3, Lambda or CloudWatch Logs here, or to moto."""

import io
import json
import logging
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from werkzeug.datastructures import Headers
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from local_sagemaker.endpoints import invocations
from local_sagemaker.http.background import RUN_NOW_PATH, STATUS_PATH
from local_sagemaker.protocol.errors import ServiceError, refusal_by_disk
from local_sagemaker.services.lambda_.service import LONGEST_REQUEST, LambdaService
from local_sagemaker.services.logs.service import LogsService
from local_sagemaker.services.moto.backend import MotoBackend
from local_sagemaker.services.s3.service import S3Service
from local_sagemaker.services.sagemaker.service import SageMakerService
from local_sagemaker.services.sts_iam import identity
from local_sagemaker.storage.records import DamagedRecord

log = logging.getLogger(__name__)

Environ = dict[str, Any]
WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# the request's headers as they came; in WSGI's own form `x-amz-meta-run_id` and `x-amz-meta-run-id` are one
HEADERS_KEY = "local_sagemaker.headers"
# set where the request was meant for AWS itself and came through the proxy
PROXIED_KEY = "local_sagemaker.proxied"

LONGEST_BODY = 16 << 20


class Target(NamedTuple):
    """The service a request is for, by the name it is signed for, and its operation where a header says it."""

    service: str
    operation: str


class Application:
    """The WSGI application of one data directory. `status`: what the status page says."""

    def __init__(
        self,
        sagemaker: SageMakerService,
        s3: S3Service,
        functions: LambdaService,
        moto: MotoBackend,
        logs: LogsService,
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._sagemaker = sagemaker
        self._s3 = s3
        self._functions = functions
        self._moto = moto
        self._logs = logs
        self._status = status

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        request.headers = Headers(environ[HEADERS_KEY])
        try:
            response = self._respond(request)
        except ServiceError as error:
            response = _error(request, error.code, error.message)
        except (ClientDisconnected, TimeoutError) as error:
            response = _error(request, "RequestTimeout", f"the request's body did not arrive: {error}")
        except DamagedRecord as error:
            response = _error(request, "ValidationException", str(error))
        except OSError as error:
            response = _refused_by_disk(request, error)
        except Exception:
            log.exception("%s %s", request.method, request.path)
            response = _error(request, "InternalFailure", "internal error; the server's log has the details", 500)
        if response is not None:
            return response(environ, start_response)
        try:
            return self._moto.respond(request, lambda: _body(Request(environ)))(environ, start_response)
        except OSError as error:
            return _refused_by_disk(request, error)(environ, start_response)
        except Exception as error:
            # an operation that moto has not, or a request that it did not reckon with: not worth a retry
            log.exception("%s %s", request.method, request.path)
            words = f"moto, which stands in for this service, cannot answer: {type(error).__name__}: {error}"
            return _error(request, "UnsupportedOperation", words)(environ, start_response)

    def _respond(self, request: Request) -> Response | None:
        """The response, None where moto has to give it."""
        if (refusal := _refusal(request)) is not None:
            return refusal
        if request.path == STATUS_PATH:
            return Response(json.dumps(self._status()), content_type="application/json")
        if request.path == RUN_NOW_PATH:
            return _json_response(self._run_now(request))
        target = _target(request)
        if target.service == "sagemaker":
            return _json_response(self._sagemaker.call(target.operation, _json_body(request)))
        if target.service == "sagemaker-runtime":
            return invocations.respond(self._sagemaker.endpoint_manager, request)
        if target.service == "s3":
            return self._s3.respond(request)
        if target.service == "lambda":
            return self._functions.respond(request, _body(request, LONGEST_REQUEST))
        if target.service == "logs":
            return self._logs_response(request, target.operation)
        if target.service in ("sts", "iam"):
            return _identity_response(request)
        return None

    def _run_now(self, request: Request) -> dict[str, Any]:
        """The summary of a monitoring execution that was run at once; see `python -m local_sagemaker run-now`."""
        if request.method != "POST":
            raise ServiceError("ValidationException", "a monitoring execution is run by POST")
        body = _json_body(request)
        try:
            start, end = (_utc(body[edge]) if body.get(edge) else None for edge in ("Start", "End"))
            name = str(body["MonitoringScheduleName"])
        except (KeyError, ValueError, TypeError) as error:
            raise ServiceError("ValidationException", f"the request names no schedule or no window: {error}") from error
        return self._sagemaker.monitoring_scheduler.run_now(name, start, end)

    def _logs_response(self, request: Request, operation: str) -> Response | None:
        body = _json_body(request)
        return _json_response(self._logs.call(operation, body)) if self._logs.has(operation, body) else None


def _utc(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _refusal(request: Request) -> Response | None:
    """What no client of ours sends: a name that someone else has pointed at this address, a page on another site."""
    host = request.environ.get("HTTP_HOST", "")
    if not request.environ.get(PROXIED_KEY) and not _is_loopback(host):
        return _error(request, "AccessDenied", f"the Host {host[:200]!r} is not a name of this machine's own", 403)
    origin = request.headers.get("Origin")
    if origin is not None and not _is_loopback(urlsplit(origin).netloc):
        return _error(request, "AccessDenied", "web pages of other sites are not served", 403)
    return None


def _is_loopback(host: str) -> bool:
    name = (host.rpartition(":")[0] if ":" in host else host).lower().rstrip(".")
    return name in ("127.0.0.1", "localhost") or name.endswith(".localhost")


def _target(request: Request) -> Target:
    prefix, _, operation = request.headers.get("X-Amz-Target", "").rpartition(".")
    if prefix == "SageMaker":
        return Target("sagemaker", operation)
    if prefix.startswith("Logs_"):
        return Target("logs", operation)
    if prefix:
        return Target("", operation)
    # Credential=KEY/date/region/service/aws4_request
    authorization = request.headers.get("Authorization", "")
    credential = authorization.partition("Credential=")[2].partition(",")[0]
    credential = credential or request.args.get("X-Amz-Credential", "")
    scope = credential.split("/")
    if len(scope) >= 5:
        if scope[-2] == "sagemaker" and request.path.startswith("/endpoints/"):
            return Target("sagemaker-runtime", "")
        if scope[-2] in ("sagemaker", "logs"):
            raise ServiceError("UnknownOperationException", "the X-Amz-Target header names no operation")
        return Target(scope[-2], "")
    if authorization and not authorization.startswith("AWS "):  # S3's signatures of old
        raise ServiceError("IncompleteSignature", "the Authorization header names no credential's scope")
    # unsigned: a presigned URL of the old kind or a plain GET of an object; the forms of STS say what they are
    return Target("sts" if _is_form(request) else "s3", "")


def _identity_response(request: Request) -> Response | None:
    body = _body(request).decode("utf-8", errors="replace")
    arguments = dict(request.args) | dict(parse_qsl(body, keep_blank_values=True))
    if "Action" not in arguments:
        raise ServiceError("MissingAction", "the request names no Action")
    xml = identity.answer(arguments)
    return None if xml is None else Response(xml, content_type="text/xml")


def _json_body(request: Request) -> dict[str, Any]:
    try:
        content = json.loads(_body(request) or b"{}")
    except (ValueError, RecursionError) as error:
        raise ServiceError("SerializationException", f"the request is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ServiceError("SerializationException", "the request is not a JSON structure")
    return content


def _body(request: Request, longest: int = LONGEST_BODY) -> bytes:
    """The body, kept for moto to read once more. Raises ServiceError where it is too long for any operation."""
    body = io.BufferedReader(cast(io.RawIOBase, request.stream)).read(longest + 1)
    if len(body) > longest:
        raise ServiceError("ValidationException", f"the request exceeds {longest} bytes")
    request.environ.pop("HTTP_TRANSFER_ENCODING", None)
    request.environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    return body


def _json_response(content: dict[str, Any], status: int = 200) -> Response:
    response = Response(json.dumps(content), status=status, content_type="application/x-amz-json-1.1")
    response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    return response


def _error(request: Request, code: str, message: str, status: int = 400) -> Response:
    """An error in the protocol of the request: XML for the services that are sent forms, JSON for the others."""
    if not _is_form(request):
        return _json_response({"__type": code, "message": message}, status)
    xml = f"<ErrorResponse><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></ErrorResponse>"
    return Response(xml, status=status, content_type="text/xml")


def _refused_by_disk(request: Request, error: OSError) -> Response:
    log.error("%s %s: %s", request.method, request.path, error)
    refusal = refusal_by_disk(error)
    return _error(request, refusal.code, refusal.message, refusal.status)


def _is_form(request: Request) -> bool:
    return request.mimetype == "application/x-www-form-urlencoded"
