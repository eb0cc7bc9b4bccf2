"""One HTTP request of a connection: parsed, answered by the WSGI application, or passed on to another host."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import ssl
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from werkzeug.exceptions import ClientDisconnected

from local_sagemaker.http import proxy
from local_sagemaker.http.application import HEADERS_KEY, PROXIED_KEY, Environ
from local_sagemaker.http.chunked import ChunkedBody
from local_sagemaker.http.connections import Connection
from local_sagemaker.http.workers import WorkerPool

# for the next piece of a body, or for the client to take the next piece of a response
SOCKET_SECONDS = 30
HANDSHAKE_SECONDS = 10
# for the next piece of a body that nobody reads any more
DRAIN_SECONDS = 5
MAX_TUNNELS = 128
BUFFER = 64 << 10

log = logging.getLogger(__name__)


class WsgiApplication(Protocol):
    """A WSGI application."""

    def __call__(self, environ: Environ, start_response: Any, /) -> Iterable[bytes]: ...


@dataclass
class RequestHandler:
    """Answers requests of connections.

    Attributes:
        application: Answers requests to this server and to AWS.
        port: Where the server listens.
        tls_context: Has the certificate for AWS's host names.
        upstream: The proxy for all other hosts, if there is one.
    """

    application: WsgiApplication
    port: int
    tls_context: ssl.SSLContext
    upstream: str | None = None
    _tunnels: WorkerPool = field(default_factory=lambda: WorkerPool("tunnel", MAX_TUNNELS))

    def answer(self, connection: Connection) -> bool:
        """Answer the next request of a connection; return whether it stays open for another one."""
        connection.sock.settimeout(SOCKET_SECONDS)
        request = _Request(connection, self)
        try:
            request.handle()
        except OSError as error:
            log.debug("connection lost: %s", error)
            return False
        if (target := request.tunnel_to) is None:
            return not request.close_connection
        if proxy.is_aws(target.rpartition(":")[0]):
            return self._answer_in_tls(connection)
        # detached: from here on it belongs to the tunnel
        client = socket.socket(fileno=connection.sock.detach())
        self._tunnels.submit(lambda: self._tunnel(client, target))
        return False

    def _answer_in_tls(self, connection: Connection) -> bool:
        connection.sock.sendall(_ESTABLISHED)
        connection.sock.settimeout(HANDSHAKE_SECONDS)
        in_tls = proxy.answer_in_tls(connection.sock, self.tls_context)
        if in_tls is None:
            return False
        connection.sock, connection.received, connection.proxied = in_tls, bytearray(), True
        return True

    def _tunnel(self, client: socket.socket, target: str) -> None:
        with client:
            client.settimeout(SOCKET_SECONDS)
            try:
                remote = proxy.open_tunnel(target, self.upstream)
            except OSError as error:
                log.info("no connection to %s: %s", target, error)
                with contextlib.suppress(OSError):
                    client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                return
            with contextlib.suppress(OSError):
                client.sendall(_ESTABLISHED)
            proxy.pass_through(client, remote)


_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class _Request(BaseHTTPRequestHandler):
    """The next request of a connection.

    Attributes:
        tunnel_to: The `host:port` that the client wants to be connected to, None for all other requests.
    """

    protocol_version = "HTTP/1.1"
    # responses to malformed requests have a head, which those of HTTP/0.9 have not
    default_request_version = "HTTP/1.0"
    server_version, sys_version = "local-sagemaker", ""
    tunnel_to: str | None = None

    # the base class handles a whole connection
    def __init__(self, connection: Connection, handler: RequestHandler) -> None:
        self._connection, self._handler = connection, handler
        self._input = _Input(connection)
        self.rfile: io.BufferedReader = io.BufferedReader(self._input, BUFFER)
        self.wfile = io.BufferedWriter(_Output(connection.sock), BUFFER)
        self._body: _Body | None = None
        self.client_address = ("127.0.0.1", 0)

    def handle(self) -> None:
        """Answer it, unless it is to connect to another host. Raises OSError if the client is gone."""
        self.close_connection = True
        self.raw_requestline = self.rfile.readline(BUFFER + 2)
        if len(self.raw_requestline) > BUFFER:
            self.command = self.requestline = self.request_version = ""
            self.send_error(414)
        elif self.raw_requestline and self.parse_request():
            if not self._has_valid_length():
                self.close_connection = True
                self.send_error(400, "Invalid Content-Length")
            elif self.command != "CONNECT":
                self._respond()
            elif _is_address(self.path):
                self.tunnel_to = self.path
            else:
                self.send_error(400)
        self.wfile.flush()
        if self._body is not None and not self._body.is_over:
            self._discard(self._body)
        self._connection.received = self._input.end(self.rfile)

    def _respond(self) -> None:
        environ = self._environ()
        started: list[Any] = []
        parts = self._handler.application(environ, lambda status, headers: started.extend((status, headers)))
        try:
            is_chunked = self._send_head(*started)
            for part in filter(None, parts):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if is_chunked else part)
            if is_chunked:
                self.wfile.write(b"0\r\n\r\n")
        finally:
            if (close := getattr(parts, "close", None)) is not None:
                close()

    def _send_head(self, status: str, headers: list[tuple[str, str]]) -> bool:
        """Write status and headers. Returns whether the body has to be chunked."""
        code, _, words = status.partition(" ")
        self.send_response(int(code), words)
        for name, value in headers:
            self.send_header(name, value)
        has_length = any(name.lower() == "content-length" for name, _ in headers)
        has_body = self.command != "HEAD" and int(code) not in (204, 304)
        is_chunked = has_body and not has_length and self.request_version >= "HTTP/1.1"
        if is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection or (has_body and not has_length and not is_chunked):
            self.send_header("Connection", "close")
        self.end_headers()
        return is_chunked

    def _environ(self) -> Environ:
        url = urlsplit(self.path)
        environ: Environ = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(url.path, "latin-1"),
            "QUERY_STRING": url.query,
            "REQUEST_URI": self.path,
            "RAW_URI": self.path,
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self._handler.port),
            "SERVER_PROTOCOL": self.request_version,
            HEADERS_KEY: list(self.headers.items()),
            PROXIED_KEY: self._connection.proxied,
        }
        for name, value in self.headers.items():
            # WSGI cannot tell `x-amz-a_b` from `x-amz-a-b`; see HEADERS_KEY
            if "_" not in name:
                key = name.upper().replace("-", "_")
                key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
                environ[key] = f"{environ[key]},{value}" if key in environ else value
        if url.scheme and url.netloc:
            environ["HTTP_HOST"] = url.netloc
        self._body = self._body_of(environ)
        environ["wsgi.input"] = io.BufferedReader(self._body, BUFFER)
        return environ

    def _has_valid_length(self) -> bool:
        """Return whether it is known where the body ends: a wrong length would cut it."""
        lengths = self.headers.get_all("Content-Length", ["0"])
        return len(lengths) == 1 and lengths[0].strip().isascii() and lengths[0].strip().isdecimal()

    def _body_of(self, environ: Environ) -> _Body:
        codings = [coding.strip().lower() for coding in environ.get("HTTP_TRANSFER_ENCODING", "").split(",")]
        length = environ.get("CONTENT_LENGTH", "0")
        if "chunked" in codings:
            environ["wsgi.input_terminated"] = True
            # requests that give both are those that smuggle another one
            self.close_connection |= "CONTENT_LENGTH" in environ
            return ChunkedBody(self.rfile)
        return _SizedBody(self.rfile, int(length))

    def _discard(self, body: _Body) -> None:
        """Read the rest of a refused body: a client that is still sending it might otherwise miss the response."""
        self._connection.sock.settimeout(DRAIN_SECONDS)
        piece = bytearray(BUFFER)
        try:
            while body.readinto(piece):
                pass
        except (OSError, ClientDisconnected):
            pass
        self.close_connection |= not body.is_over

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        # the client waits for it
        self.wfile.flush()
        return True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        log.debug("%s %s", self.requestline, code)

    def log_message(self, format: str, *args: Any) -> None:
        log.info(format, *args)


def _is_address(target: str) -> bool:
    host, _, port = target.rpartition(":")
    return bool(host) and port.isdecimal()


class _Body(Protocol):
    """The body of a request; `is_over` once all of it has been read."""

    @property
    def is_over(self) -> bool: ...
    def readinto(self, buffer: Any, /) -> int: ...


class _SizedBody(io.RawIOBase):
    """A body whose size is known."""

    def __init__(self, stream: io.BufferedReader, size: int) -> None:
        self._stream, self._left = stream, size

    @property
    def is_over(self) -> bool:
        return self._left == 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._stream.readinto1(memoryview(buffer)[: self._left])
        self._left -= count
        return count


class _Input(io.RawIOBase):
    """What a client sends: first what has been received already, then what the socket receives."""

    def __init__(self, connection: Connection) -> None:
        self._received, self._sock = connection.received, connection.sock
        self._has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._has_ended:
            return 0
        if not self._received:
            return self._sock.recv_into(buffer)
        count = min(len(buffer), len(self._received))
        buffer[:count] = self._received[:count]
        del self._received[:count]
        return count

    def end(self, reader: io.BufferedReader) -> bytearray:
        """Read no more from the socket; return what has been received but not read."""
        self._has_ended = True
        return bytearray(reader.peek()) + self._received


class _Output(io.RawIOBase):
    """What is sent to a client."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._sock.sendall(data)
        return len(data)
