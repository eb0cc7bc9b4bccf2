"""Requests that a browser sends for a page of another site, which must not reach the services of this machine.

AWS's clients send neither `Origin` nor `Sec-Fetch-Site`. A browser sends them as soon as a page of another site, or of
another port of this machine, is involved; a site whose name is made to resolve to this machine (DNS rebinding) is told
by its `Host`.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from local_sagemaker.http.proxy import is_aws

_LOOPBACK = re.compile(r"(127\.0\.0\.1|([a-z0-9_.-]+\.)?localhost)\.?(:[0-9]+)?", re.IGNORECASE | re.ASCII)


def refusal(environ: Mapping[str, Any], *, is_proxied: bool) -> str | None:
    """Return why a request is refused, None if it is not.

    Args:
        environ: The WSGI environment of the request.
        is_proxied: Whether the request has come through the proxy, for one of AWS's hosts.
    """
    host, origin, site = (environ.get(f"HTTP_{name}") for name in ("HOST", "ORIGIN", "SEC_FETCH_SITE"))
    if is_proxied:
        if not is_aws((host or "").partition(":")[0]):
            return f"the Host {(host or '')[:200]!r} is not a name of AWS"
    elif not _LOOPBACK.fullmatch(host or ""):
        return f"the Host {(host or '')[:200]!r} is not a name of this machine"
    # an address that a user has typed is "none"
    if site not in (None, "same-origin", "none") or (origin is not None and not _is_origin(origin, host or "")):
        return "requests from web pages of other sites are not allowed"
    return None


def _is_origin(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
