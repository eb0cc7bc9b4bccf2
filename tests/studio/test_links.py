"""Every link and every part of every page leads somewhere."""

from __future__ import annotations

import re
from collections import Counter, deque
from html import unescape

import pytest
from flask import Flask
from werkzeug.test import Client

from studio.links import address_of, link_to
from tests.studio.conftest import ADDRESS

# pages of each kind, as a project has hundreds of jobs and files
OF_EACH_KIND = 3
_ADDRESSES = re.compile(r'(?:href|hx-get|src)="(/[^"#]*)"')


def test_links_and_parts_of_pages_answer(app: Flask) -> None:
    client = app.test_client()
    adapter = app.url_map.bind("127.0.0.1:8765")
    waiting, seen = deque(["/pipelines"]), {"/pipelines"}
    visited: Counter[str] = Counter()
    broken = []
    while waiting:
        address = waiting.popleft()
        kind, _ = adapter.match(address.partition("?")[0])
        if visited[kind] >= OF_EACH_KIND:
            continue
        visited[kind] += 1
        status, text = read(client, address)
        if status not in (200, 302):
            broken.append(f"{status} {address}")
        for found in _ADDRESSES.findall(text):
            link = unescape(found)
            if link not in seen:
                seen.add(link)
                waiting.append(link)
    assert not broken
    sections = {kind.partition(".")[0] for kind in visited}
    assert sections >= {"pipelines", "executions", "models", "jobs", "logs", "s3", "endpoints", "monitoring"}


def read(client: Client, address: str) -> tuple[int, str]:
    """Return status and text of a page; the text of streams and downloads is empty."""
    response = client.get(address, base_url=ADDRESS)
    try:
        is_page = response.mimetype == "text/html" and "sandbox" not in response.headers["Content-Security-Policy"]
        return response.status_code, response.text if is_page else ""
    finally:
        response.close()


@pytest.mark.parametrize(
    "value",
    [
        *("s3://", "s3:///key", "arn:aws:sagemaker:us-east-1:123456789012:model-package/group/latest"),
        *("arn:aws:sagemaker:us-east-1:123456789012:pipeline/", "arn:aws:logs:us-east-1:123456789012:log-group:"),
        *("arn:aws:iam::123456789012:role/Role", "<b>text</b>", ""),
    ],
)
def test_values_without_a_page_are_shown_as_text(app: Flask, value: str) -> None:
    with app.test_request_context():
        assert address_of(value) is None
        assert "<" not in link_to(value)
