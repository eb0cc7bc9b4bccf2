"""Run by every interpreter of a job at startup, in place of the container's /etc/hosts and file system.

The hosts of a job are named algo-1, algo-2 and so on; here all names resolve to this machine.

Paths below /opt/ml are rewritten in scripts. In a job that runs a pickled function they cannot be. There, the functions
of Python that take a path find it in the job's folder; libraries that open files themselves do not.
"""

import builtins
import io
import os
import socket
from typing import Any

_CONTAINER_ROOT = "/opt/ml"
_FUNCTIONS_OF_A_PATH = """
access chdir chmod chown getxattr lchown listdir listxattr lstat mkdir open pathconf readlink remove removexattr rmdir
scandir setxattr stat statvfs truncate unlink utime
"""


def _resolved(host: Any) -> Any:
    if isinstance(host, str) and host.startswith("algo-") and host[5:].isdecimal():
        return "127.0.0.1"
    return host


def _patch(owner: Any, name: str, resolve: Any, *positions: int) -> None:
    original = getattr(owner, name)

    def patched(*args: Any, **kwargs: Any) -> Any:
        changed = list(args)
        for position in positions:
            if len(changed) > position:
                changed[position] = resolve(changed[position])
        for argument in ("host", "path", "file", "src", "dst"):
            if argument in kwargs:
                kwargs[argument] = resolve(kwargs[argument])
        return original(*changed, **kwargs)

    setattr(owner, name, patched)
    for functions in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if original in functions:
            functions.add(patched)


def _resolved_address(address: Any) -> Any:
    return (_resolved(address[0]), *address[1:]) if isinstance(address, tuple) and address else address


def _redirected(path: Any) -> Any:
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if isinstance(text, str) and (text == _CONTAINER_ROOT or text.startswith(f"{_CONTAINER_ROOT}/")):
        return os.environ["SAGEMAKER_BASE_DIR"] + text[len(_CONTAINER_ROOT) :]
    return path


for _function in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
    _patch(socket, _function, _resolved, 0)
# these methods resolve names without calling the functions above
for _method in ("bind", "connect", "connect_ex"):
    _patch(socket.socket, _method, _resolved_address, 1)

if "LOCAL_SAGEMAKER_REDIRECT" in os.environ:
    for _owner in (builtins, io):
        _patch(_owner, "open", _redirected, 0)
    for _function in _FUNCTIONS_OF_A_PATH.split():
        # some exist on Linux only
        if hasattr(os, _function):
            _patch(os, _function, _redirected, 0)
    for _function in ("link", "rename", "replace", "symlink"):
        _patch(os, _function, _redirected, 0, 1)
