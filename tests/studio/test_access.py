"""Who may use Studio: the browser of the person who started it, and no page of another site."""

import re
from collections.abc import Mapping

import pytest
from flask import Flask

from project.target import Target
from studio.app import create_app
from tests.studio.conftest import ADDRESS, Browser

TOKEN = "the-token-of-the-printed-address"  # noqa: S105
START = "/pipelines/breast-cancer/start"


@pytest.fixture
def guarded(target: Target) -> Flask:
    return create_app(target, access_token=TOKEN)


def test_a_page_is_refused_without_the_token_of_the_printed_address(guarded: Flask) -> None:
    client = guarded.test_client()
    for address in ("/pipelines", "/pipelines?access_token=wrong", "/static/studio.css"):
        response = client.get(address, base_url=ADDRESS)
        assert response.status_code == 403
    assert "access token" in client.get("/pipelines", base_url=ADDRESS).text


def test_the_token_admits_a_browser_and_leaves_the_address(guarded: Flask) -> None:
    client = guarded.test_client()
    admitted = client.get(f"/pipelines?access_token={TOKEN}", base_url=ADDRESS)
    assert (admitted.status_code, admitted.location) == (302, "/pipelines")
    assert "HttpOnly" in admitted.headers["Set-Cookie"]
    assert "SameSite=Strict" in admitted.headers["Set-Cookie"]
    assert client.get("/static/studio.css", base_url=ADDRESS).status_code == 200


@pytest.mark.parametrize("host", ["studio.example.com", "127.0.0.1.example.com:8765", "169.254.169.254", ""])
def test_a_host_that_does_not_name_this_machine_is_refused(app: Flask, host: str) -> None:
    response = app.test_client().get("/static/studio.css", base_url=ADDRESS, headers={"Host": host})
    assert response.status_code in (400, 403)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:80", "localhost", "[::1]:8765", "[::1]"])
def test_every_name_of_the_loopback_interface_is_allowed(app: Flask, host: str) -> None:
    assert app.test_client().get("/static/studio.css", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://[127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_a_request_from_a_page_of_another_site_is_refused(app: Flask, headers: Mapping[str, str]) -> None:
    client = app.test_client()
    assert client.get("/static/studio.css", base_url=ADDRESS, headers=headers).status_code == 403
    assert client.post(START, base_url=ADDRESS, headers=headers).status_code == 403


def test_a_link_on_another_page_of_this_machine_may_lead_here(app: Flask) -> None:
    headers = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}
    assert app.test_client().get("/static/studio.css", base_url=ADDRESS, headers=headers).status_code == 200


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_an_action_without_the_token_of_a_page_is_refused(app: Flask, token: str | None) -> None:
    client = app.test_client()
    client.get("/pipelines", base_url=ADDRESS)
    fields = {} if token is None else {"action_token": token}
    refused = client.post(START, base_url=ADDRESS, data=fields)
    assert refused.status_code == 403
    assert "Reload it" in refused.text


def test_the_token_of_another_session_is_refused(browser: Browser, app: Flask) -> None:
    page = browser.get(START)
    other = Browser(app.test_client())
    other.get(START)
    assert other.post(START, page).status_code == 403


def test_read_only_refuses_every_action_and_shows_no_form_of_one(target: Target) -> None:
    app = create_app(target, read_only=True)
    browser = Browser(app.test_client())
    page = browser.get("/pipelines/breast-cancer")
    assert "read-only" in page
    assert 'method="post"' not in page
    refused = browser.client.post(START, base_url=ADDRESS)
    assert refused.status_code == 403
    assert "--read-only" in refused.text


def test_no_route_that_changes_something_answers_get(app: Flask) -> None:
    actions = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    assert actions
    for rule in actions:
        assert "GET" not in (rule.methods or ()), rule.rule


def test_pages_allow_scripts_of_studio_only_and_no_frame_around_them(browser: Browser) -> None:
    response = browser.client.get("/pipelines", base_url=ADDRESS)
    policy = response.headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert re.fullmatch(r"'self' 'nonce-[\w-]{20,}'", directives["script-src"])
    assert directives["style-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert response.headers["Cache-Control"] == "no-store"
    scripts = re.findall(r"<script[^>]*>", response.text)
    assert scripts
    assert all("src=" in script or 'type="importmap" nonce=' in script or "json" in script for script in scripts)
    assert "https://" not in response.text


def test_a_browser_without_javascript_is_told_what_is_missing(browser: Browser) -> None:
    assert "<noscript>" in browser.get("/pipelines")
