"""Names of features as CloudWatch accepts them, and back; a module of its own because Studio imports it."""

from __future__ import annotations

import re

NAME_LENGTH = 255
# Escapes as the error handler "backslashreplace" writes them, and that of a backslash.
_ESCAPE = re.compile(r"\\(x5c|x[89a-f][0-9a-f]|u[0-9a-f]{4}|U00(?:0[1-9a-f]|10)[0-9a-f]{4})")


def metric_name(name: str) -> str:
    """Return a text as CloudWatch accepts it for names and values of dimensions: 255 characters of ASCII."""
    # A backslash that looks like the start of an escape is escaped itself, so that names stay different.
    unambiguous = _ESCAPE.sub(r"\\x5c\1", name)
    return unambiguous.encode("ascii", "backslashreplace").decode("ascii")[:NAME_LENGTH]


def original_name(name: str) -> str:
    r"""Return the text that `metric_name` escaped, such as ``Kündigung`` for ``K\xfcndigung``."""
    return _ESCAPE.sub(lambda match: chr(int(match[1][1:], 16)), name)
