"""The server as an HTTPS proxy: requests to AWS are answered by the server, all others pass through.

See `local_sagemaker.client_environment` for why clients use it.
"""

import contextlib
import logging
import selectors
import socket
import ssl
from urllib.parse import urlsplit

CONNECT_SECONDS = 10
IDLE_SECONDS = 300
LONGEST_RESPONSE = 64 << 10

log = logging.getLogger(__name__)


def is_aws(host: str) -> bool:
    """Return whether a host is one of AWS's API endpoints."""
    return host.lower().rstrip(".").endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


def open_tunnel(target: str, upstream: str | None) -> socket.socket:
    """Connect to `host:port`, through the proxy `upstream` (a URL) if there is one. Raises OSError."""
    if upstream is None:
        host, _, port = target.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS)
    proxy = urlsplit(upstream if "//" in upstream else f"//{upstream}")
    connection = socket.create_connection((proxy.hostname or "", proxy.port or 80), CONNECT_SECONDS)
    try:
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            # byte by byte: what follows the response belongs to the client
            piece = connection.recv(1)
            if not piece or len(answer) > LONGEST_RESPONSE:
                raise OSError(f"the proxy {proxy.hostname} did not answer")
            answer += piece
        status = answer.split(b"\r\n", 1)[0]
        if b" 200" not in status:
            raise OSError(f"the proxy {proxy.hostname} answered {status.decode('latin-1')!r}")
    except BaseException:
        connection.close()
        raise
    return connection


def pass_through(client: socket.socket, remote: socket.socket) -> None:
    """Forward bytes in both directions until one side closes, or for IDLE_SECONDS without any."""
    with remote, selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, remote)
        selector.register(remote, selectors.EVENT_READ, client)
        with contextlib.suppress(OSError):
            while ready := selector.select(IDLE_SECONDS):
                for key, _ in ready:
                    piece = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                    if not piece:
                        return
                    key.data.sendall(piece)


def answer_in_tls(client: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket | None:
    """Return the client's connection in TLS; None if the client does not trust the certificate."""
    try:
        return context.wrap_socket(client, server_side=True)
    except (ssl.SSLError, OSError) as error:
        log.info("TLS handshake failed: %s", error)
        return None
