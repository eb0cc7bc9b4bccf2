"""The pages of Studio as a WSGI application."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace

from flask import Flask, Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from deployment.invocations import runtime_client
from project.target import Target
from studio import pages
from studio.access import protect
from studio.failures import show_failures
from studio.filters import add_filters
from studio.links import add_links
from studio.paging import SIZES, has_other_pages
from studio.target import PAGE_CONFIG, RUNTIME_KEY, SERVICES, TARGET_KEY

# to endpoints at the same time; more wait
INVOCATIONS = 10


class PageResponse(Response):
    """A response whose text may have unpaired surrogates, which JSON can escape but UTF-8 cannot encode."""

    def set_data(self, value: bytes | str) -> None:
        super().set_data(value.encode(errors="backslashreplace") if isinstance(value, str) else value)


def create_app(target: Target, *, access_token: str | None = None, read_only: bool = False) -> Flask:
    """Create the application.

    Args:
        target: Account or local SageMaker that the pages show.
        access_token: Token that the first request of a browser must have; None to require none.
        read_only: Whether to refuse all actions.
    """
    app = Flask("studio")
    app.response_class = PageResponse
    app.extensions[TARGET_KEY] = shown = replace(target, client_config=PAGE_CONFIG)
    # boto3 makes clients in one thread only; pages use them in many
    for service in SERVICES:
        getattr(shown, service)
    app.extensions[RUNTIME_KEY] = runtime_client(shown, INVOCATIONS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        region=target.region, is_local=target.s3_folder is not None, page_sizes=SIZES, has_other_pages=has_other_pages
    )
    protect(app, access_token, read_only=read_only)
    show_failures(app)
    add_filters(app)
    add_links(app)
    for module in pkgutil.iter_modules(pages.__path__):
        app.register_blueprint(importlib.import_module(f"{pages.__name__}.{module.name}").blueprint)

    @app.get("/")
    def home() -> AnyResponse:
        return redirect(url_for("pipelines.list_pipelines"))

    return app
