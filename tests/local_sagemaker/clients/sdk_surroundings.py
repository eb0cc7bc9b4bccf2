"""Imported by programs that use the SageMaker SDK, before it, for its effects; the SDK itself stays as it is.

What they look up and connect to beyond loopback is printed. And they take less time: at each look at its defaults the
SDK has jsonschema check the SDK's own schema, a constant, against the schema of schemas, which takes 0.1 s and happens
250 times in sdk_flows.py. Here jsonschema does so once a schema.
"""

import socket
import sys
from typing import Any

from jsonschema import Draft202012Validator


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and arguments[0].family != socket.AF_UNIX and arguments[1][0] != "127.0.0.1":
        print("CONNECTED TO", arguments[1], flush=True)
    if event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", "localhost"):
        print("RESOLVED", arguments[0], flush=True)


sys.addaudithook(_watch)

_check = Draft202012Validator.check_schema
_checked: dict[int, Any] = {}


def _check_once(schema: Any, *more: Any, **named: Any) -> None:
    if id(schema) not in _checked:
        _check(schema, *more, **named)
        _checked[id(schema)] = schema  # kept, so that its id is no other's


Draft202012Validator.check_schema = _check_once
