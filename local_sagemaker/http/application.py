"""One endpoint for every service: each request goes to one of this package's services, or to moto."""

import logging
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from xml.sax.saxutils import escape

from werkzeug.datastructures import Headers
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from local_sagemaker.http.administration import PATHS, Administration
from local_sagemaker.http.browsers import refusal
from local_sagemaker.http.front_page import FrontPage, is_from_browser
from local_sagemaker.http.routing import Router, is_form
from local_sagemaker.protocol import aws_json
from local_sagemaker.protocol.errors import ServiceError, refusal_by_disk
from local_sagemaker.storage.records import DamagedRecord

log = logging.getLogger(__name__)

Environ = dict[str, Any]

# the request's headers as they came; in WSGI's own form `x-amz-meta-run_id` and `x-amz-meta-run-id` are the same
HEADERS_KEY = "local_sagemaker.headers"
# set if the request was meant for AWS itself and came through the proxy
PROXIED_KEY = "local_sagemaker.proxied"


class Application:
    """The WSGI application of one data directory."""

    def __init__(self, router: Router, administration: Administration, front_page: FrontPage) -> None:
        self._router = router
        self._administration = administration
        self._front_page = front_page

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
        if "x-amz-request-id" not in response.headers:
            # services whose documents hold the id have set it already
            response.headers.setdefault("x-amzn-RequestId", str(uuid.uuid4()))
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        if (reason := refusal(request.environ, is_proxied=request.environ.get(PROXIED_KEY, False))) is not None:
            return _error(request, "AccessDenied", reason, 403)
        if is_from_browser(request):
            return self._front_page.respond()
        service = self._administration if request.path in PATHS else self._router.find(request)
        return service.respond(request)


def _error(request: Request, code: str, message: str, status: int = 400) -> Response:
    """Return an error in the protocol of the request: XML for the query protocol, else JSON."""
    if not is_form(request):
        return aws_json.write_response({"__type": code, "message": message}, status)
    request_id = str(uuid.uuid4())
    xml = (
        f"<ErrorResponse><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(xml, status=status, headers={"x-amzn-RequestId": request_id}, content_type="text/xml")


def _refused_by_disk(request: Request, error: OSError) -> Response:
    log.error("%s %s: %s", request.method, request.path, error)
    by_disk = refusal_by_disk(error)
    return _error(request, by_disk.code, by_disk.message, by_disk.status)
