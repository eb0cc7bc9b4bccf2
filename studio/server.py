"""The web server of Studio, on the loopback interface."""

from __future__ import annotations

import logging

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from project.errors import UserError

HOST = "127.0.0.1"


class _Handler(WSGIRequestHandler):
    # browsers keep few connections to a server; HTTP/1.0 would open one for every request
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: addresses have names of the account."""


def make_studio_server(app: Flask, port: int) -> BaseWSGIServer:
    """Bind a server to a port; 0 takes a free one.

    Raises:
        UserError: The port is in use.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        return make_server(HOST, port, app, threaded=True, request_handler=_Handler)
    except (OSError, SystemExit) as error:
        raise UserError(f"port {port} cannot be bound; choose another one with --port, or 0 for a free one") from error
