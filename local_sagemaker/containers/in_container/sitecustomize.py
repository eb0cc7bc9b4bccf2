"""Run by every interpreter of a job at startup, in place of the container's /etc/hosts.

The hosts of a job are named algo-1, algo-2 and so on; here all names resolve to this machine.
"""

import socket
from typing import Any


def _resolved(host: Any) -> Any:
    if isinstance(host, str) and host.startswith("algo-") and host.removeprefix("algo-").isdecimal():
        return "127.0.0.1"
    return host


def _patch(owner: Any, name: str, resolve: Any, position: int) -> None:
    original = getattr(owner, name)

    def patched(*args: Any, **kwargs: Any) -> Any:
        if len(args) > position:
            args = (*args[:position], resolve(args[position]), *args[position + 1 :])
        elif "host" in kwargs:
            kwargs["host"] = resolve(kwargs["host"])
        return original(*args, **kwargs)

    setattr(owner, name, patched)


def _resolved_address(address: Any) -> Any:
    return (_resolved(address[0]), *address[1:]) if isinstance(address, tuple) and address else address


for _function in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
    _patch(socket, _function, _resolved, 0)
# these methods resolve names without calling the functions above
for _method in ("bind", "connect", "connect_ex"):
    _patch(socket.socket, _method, _resolved_address, 1)
