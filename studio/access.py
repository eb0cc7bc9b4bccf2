"""Access control: pages answer the browser of the person who started Studio, and no other web site.

Studio acts with the AWS credentials of the user who started it. It therefore listens on the loopback interface only,
and requires in addition:

- a Host that names this machine, so that no other name can be made to resolve to it (DNS rebinding);
- an Origin or Sec-Fetch-Site of this page, if the browser sends one;
- the access token of the printed address, which a cookie keeps from then on, so that other users of this machine have
  no access;
- for every action, a token that only pages of this process contain (against forged requests). GET never changes
  anything.
"""

from __future__ import annotations

import hmac
import secrets

from flask import Flask, Response, abort, g, redirect, request, session
from werkzeug.wrappers import Response as AnyResponse

# 'unsafe-inline' for style attributes only: SVG of plots has them
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# reports may have scripts for their plots; the sandbox gives them an origin of their own and no network
SANDBOX_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; form-action 'none'; frame-ancestors 'self'"
)
HOSTS = ("127.0.0.1", "localhost", "[::1]")


def protect(app: Flask, access_token: str | None, *, read_only: bool) -> None:
    """Check every request to an app as described above.

    Args:
        app: The app.
        access_token: The token of the printed address; None to let every user of this machine in, as the local
            SageMaker does.
        read_only: Whether to refuse all actions.
    """
    app.secret_key = secrets.token_bytes(32)
    app.config.update(
        # a browser sends the cookies of all servers on this machine to each of them
        SESSION_COOKIE_NAME=f"studio-{secrets.token_hex(4)}",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_HTTPONLY=True,
    )

    @app.before_request
    def check() -> AnyResponse | None:
        _check_site()
        g.nonce = secrets.token_urlsafe(16)
        if access_token is not None and not session.get("admitted"):
            given = request.args.get("access_token", "")
            if not hmac.compare_digest(given.encode(), access_token.encode()):
                abort(403, "Open the address that Studio printed when it started: it contains an access token.")
            session["admitted"] = True
            return redirect(request.path)
        if request.method not in ("GET", "HEAD"):
            _check_action(read_only)
        return None

    @app.after_request
    def set_policies(response: Response) -> Response:
        if "Content-Security-Policy" not in response.headers:
            nonce = g.get("nonce", "")
            response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.format(nonce=nonce)
            response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.context_processor
    def variables() -> dict[str, object]:
        return {"action_token": _action_token, "nonce": g.get("nonce", ""), "read_only": read_only}


def sandboxed(response: Response) -> Response:
    """Give a report or payload an origin of its own: its scripts reach neither pages of Studio nor the network."""
    response.headers["Content-Security-Policy"] = SANDBOX_POLICY
    return response


def _check_site() -> None:
    host = request.host.rpartition(":")[0] if request.host[-1:].isdigit() and ":" in request.host else request.host
    if host.lower() not in HOSTS:
        abort(403, f"The Host {request.host[:200]!r} is not a name of this machine.")
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin is not None and origin.lower().partition("://")[2] != request.host.lower():
        abort(403, "Requests from pages of other sites are not allowed.")
    is_link = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    # a link on another page of this machine may lead here, which changes nothing
    if site not in (None, "same-origin", "none") and not (is_link and site == "same-site"):
        abort(403, "Requests from pages of other sites are not allowed.")


def _check_action(read_only: bool) -> None:
    if read_only:
        abort(403, "Studio was started with --read-only; start it without to allow actions.")
    given = request.headers.get("X-Action-Token") or request.form.get("action_token", "")
    if not hmac.compare_digest(given.encode(), session.get("action_token", "").encode()) or not given:
        abort(403, "The page is from an earlier start of Studio. Reload it, and try again.")


def _action_token() -> str:
    """Return the token that actions of this session must have."""
    if "action_token" not in session:
        session["action_token"] = secrets.token_urlsafe(24)
    token: str = session["action_token"]
    return token
