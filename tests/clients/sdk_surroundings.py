"""Imported for its side effects before the SageMaker SDK, which itself is not modified.

Host names that are looked up, and connections beyond loopback, are printed. It also saves time: whenever the SDK reads
its defaults, jsonschema validates the SDK's constant schema against the meta-schema, which takes 0.1 s and happens 250
times in sdk_flows.py. Here each schema is validated once.
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
        _checked[id(schema)] = schema  # keeps a reference, so that the id is not reused


Draft202012Validator.check_schema = _check_once
