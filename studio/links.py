"""Addresses of Studio for ARNs and S3 URIs, wherever they appear."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, url_for
from markupsafe import Markup

from pipelines.runner import JOBS
from project.s3_uris import is_s3_uri, split_s3_uri
from studio.paging import address_with

_ARN = re.compile(r"arn:[\w-]+:(?P<service>[\w-]+):[\w-]*:\d*:(?P<resource>.+[^/:])", re.ASCII)


def add_links(app: Flask) -> None:
    app.jinja_env.globals.update(
        link_to=link_to, address_with=address_with, address_of=address_of, content_address=content_address
    )


def link_to(value: Any, text: str | None = None) -> Markup:
    """Return a link to the page of an ARN or S3 URI; other values as escaped text."""
    address = address_of(str(value))
    if address is None:
        return Markup("{}").format(text if text is not None else value)
    return Markup('<a href="{}">{}</a>').format(address, text if text is not None else value)


def address_of(value: str) -> str | None:
    """Return the address of the page of an ARN or S3 URI; None if it has no page."""
    if is_s3_uri(value):
        bucket, key = split_s3_uri(value)
        return url_for("s3.browse", bucket=bucket, key=key) if bucket else None
    found = _ARN.fullmatch(value)
    if found is not None and found["service"] == "logs":
        return _log_address(found["resource"])
    if found is None or found["service"] != "sagemaker":
        return None
    match found["resource"].split("/"):
        case ["pipeline", name]:
            return url_for("pipelines.show_pipeline", name=name)
        case ["pipeline", name, "execution", execution]:
            return url_for("executions.show_execution", name=name, execution=execution)
        case ["model-package", group, version] if version.isdecimal():
            return url_for("models.show_version", group=group, version=version)
        case ["model-package", name]:
            return url_for("models.show_package", name=name)
        case ["model-package-group", group]:
            return url_for("models.show_group", group=group)
        case ["endpoint", name]:
            return url_for("endpoints.show_endpoint", name=name)
        case ["monitoring-schedule", name]:
            return url_for("monitoring.show_schedule", name=name)
        case [kind, name] if kind in JOBS:
            return url_for("jobs.show_job", kind=kind, name=name)
    return None


def content_address(uri: str) -> str:
    """Return the address of an object's content, for a frame or an image."""
    bucket, key = split_s3_uri(uri)
    return url_for("s3.show_content", bucket=bucket, key=key)


def _log_address(resource: str) -> str | None:
    match resource.split(":"):
        case ["log-group", group] | ["log-group", group, "*"]:
            return url_for("logs.list_streams", group=group)
        case ["log-group", group, "log-stream", stream]:
            return url_for("logs.show_stream", group=group, stream=stream)
    return None
