"""What the signature of a request says of where it is meant to go. Signatures are not checked."""

from typing import NamedTuple

from werkzeug.wrappers import Request


class Scope(NamedTuple):
    """Region and service that a request is signed for."""

    region: str
    service: str


def credential_scope(request: Request) -> Scope | None:
    """Return the scope of a request's credential, in its Authorization header or its query; None if it has none."""
    # Credential=KEY/date/region/service/aws4_request
    authorization = request.headers.get("Authorization", "")
    credential = authorization.partition("Credential=")[2].partition(",")[0]
    parts = (credential or request.args.get("X-Amz-Credential", "")).split("/")
    return Scope(parts[-3], parts[-2]) if len(parts) >= 5 else None
