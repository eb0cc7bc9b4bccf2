"""The web server of Studio, on the loopback interface."""

from __future__ import annotations

import logging
import socket

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from project.errors import UserError

HOST = "127.0.0.1"


class _Handler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: addresses have names of the account."""


def make_studio_server(app: Flask, *ports: int) -> BaseWSGIServer:
    """Bind a server to the first of some ports that is free; 0 is any free one.

    Raises:
        UserError: All ports are in use.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    for port in ports:
        # werkzeug would print advice, and exit
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except OSError:
                continue
            listener.listen()
            return make_server(HOST, port, app, threaded=True, request_handler=_Handler, fd=listener.fileno())
    raise UserError(f"port {ports[0]} is in use; choose another one with --port, or 0 for a free one")
