"""CloudWatch's filter patterns for unstructured log events."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from local_sagemaker.protocol.errors import ServiceError


def parse_filter_pattern(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a message matches a pattern of terms.

    A message matches if it contains all terms, none of the `-term`s, and at least one of the `?term`s, if there are
    any. Quotes enclose a term with spaces.

    Raises:
        ServiceError: The pattern is malformed, or one for JSON or space-delimited events, which is not supported.
    """
    if pattern.lstrip().startswith(("{", "[", "%")):
        raise ServiceError(
            "InvalidParameterException",
            f"filterPattern {pattern!r} is not supported; use terms, not JSON, space-delimited or regex patterns",
        )
    try:
        terms = [term for term in shlex.split(pattern.replace("'", r"\'")) if term]
    except ValueError as error:
        raise ServiceError("InvalidParameterException", f"filterPattern {pattern!r}: {error}") from error
    required = [term for term in terms if term[0] not in "-?"]
    excluded = [term[1:] for term in terms if term[0] == "-"]
    optional = [term[1:] for term in terms if term[0] == "?"]

    def matches(message: str) -> bool:
        return (
            all(term in message for term in required)
            and not any(term in message for term in excluded)
            and (not optional or any(term in message for term in optional))
        )

    return matches
