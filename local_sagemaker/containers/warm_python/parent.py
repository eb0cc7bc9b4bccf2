"""The warm parent: `python -m local_sagemaker.containers.warm_python.parent SOCKET` imports libraries and forks.

It listens from the start and serves requests between imports, so that no client waits for all of them: a child imports
the rest itself. It has a single thread, because forking is only safe without threads. At the end of its standard input
it kills its children, removes its socket and exits.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.machinery
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from local_sagemaker.containers.warm_python.client import STARTED, process_attributes
from local_sagemaker.containers.warm_python.interpreter import ColdStartRequired, Program, run_and_exit

# libraries of the scikit-learn image and of this project's scripts, in the order in which they are needed
PRELOADED = (
    "numpy",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    "duckdb",
    "pandas",
    "scipy.sparse",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.base",
    "sklearn.metrics",
    "lightgbm",
    "packaging.requirements",
    "datasketches",
    "boto3",
    "sklearn.pipeline",
    "sklearn.linear_model",
    "sklearn.ensemble",
)
# prefixes of variables that native code reads when it is loaded, or Python when it starts; the variables that Python
# modules read are recorded during their import
READ_EARLY = (
    "ARROW_",
    "BLIS_",
    "GLIBC_",
    "GOMP_",
    "GOTO_",
    "HOME",
    "KMP_",
    "LANG",
    "LC_",
    "LD_",
    "MALLOC_",
    "MKL_",
    "NUMEXPR_",
    "OMP_",
    "OPENBLAS_",
    "PYTHON",
    "TZ",
    "VECLIB_",
)
MAX_REQUEST_BYTES = 1 << 20
POLL_SECONDS = 0.02
PR_SET_PDEATHSIG = 1


def main() -> None:
    address = Path(sys.argv[1])
    # left by an earlier parent
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(address))
        listener.listen()
        run_and_exit(_serve(Parent(listener)))


def _serve(parent: Parent) -> Program:
    """Import libraries and serve requests; returns only in children."""
    # imported modules are never garbage
    gc.disable()
    for name in PRELOADED:
        # if a library is missing or broken, the import fails in the programs that use it
        with parent.importing(), contextlib.suppress(Exception):
            importlib.import_module(name)
        if program := parent.serve_requests(timeout=0):
            return program
    gc.collect()
    # otherwise, a garbage collection in a child would touch, and thereby copy, all objects
    gc.freeze()
    while True:
        if program := parent.serve_requests():
            return program


class Parent:
    """The parent's connections and children.

    Args:
        listener: The socket that clients connect to.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._process_attributes = process_attributes()
        self._environment = dict(os.environ)
        # names of variables that were read during imports
        self._read: set[str] = set()
        # without the folder of this program
        self._path = sys.path[1:]
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl
        self._children: dict[socket.socket, int] = {}
        self._is_polling = False
        self._listener = listener
        self._ended, end = socket.socketpair()
        end.setblocking(False)
        self._end = end
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(end.fileno(), warn_on_full_buffer=False)
        self._selector = selectors.PollSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._ended, selectors.EVENT_READ, self._reap)
        self._selector.register(0, selectors.EVENT_READ, self._close)

    @contextlib.contextmanager
    def importing(self) -> Iterator[None]:
        """Record which environment variables an import reads, and serve running children in the meantime."""
        original = type(os.environ)
        os.environ.__class__ = _RecordingEnviron
        _RecordingEnviron.read = self._read
        signal.signal(signal.SIGALRM, lambda *_: self._serve_children())
        # not every library retries system calls that a signal has interrupted
        signal.siginterrupt(signal.SIGALRM, False)
        signal.setitimer(signal.ITIMER_REAL, POLL_SECONDS, POLL_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            os.environ.__class__ = original

    def serve_requests(self, timeout: float | None = None) -> Program | None:
        """Serve pending requests.

        Args:
            timeout: How long to wait for a request in seconds; None for no limit.

        Returns:
            In a new child the program to run, in the parent None.
        """
        for key, _ in self._selector.select(timeout):
            # disconnected in this round, because its child has ended
            if key.fd not in self._selector.get_map():
                continue
            program: Program | None = key.data(key.fileobj)
            if program is not None:
                return program
        return None

    def _serve_children(self) -> None:
        """Serve running children; called during an import, when forking is not possible."""
        # the timer has fired again before the previous call was done
        if self._is_polling:
            return
        self._is_polling = True
        for key, _ in self._selector.select(0):
            if key.data != self._accept and (key.data != self._receive or key.fileobj in self._children):
                key.data(key.fileobj)
        self._is_polling = False

    def program(self, request: dict[str, Any]) -> Program:
        """Return the program of a client's request.

        Raises:
            ColdStartRequired: A forked child would differ from a new interpreter.
        """
        if request["process_attributes"] != self._process_attributes:
            raise ColdStartRequired("the process has other limits, processors or signals")
        environment = request["environment"]
        names = {name for name in environment.keys() | self._environment.keys() if name.startswith(READ_EARLY)}
        for name in sorted(self._read | names - {"PYTHONPATH"}):
            if environment.get(name) != self._environment.get(name):
                raise ColdStartRequired(f"{name}, which was read while libraries loaded, has another value")
        program = Program.from_request(request, self._path)
        for name in self._names_in(program.own_path):
            found = importlib.machinery.PathFinder.find_spec(name, program.own_path)
            if found is not None and found.loader is not None and found.origin != _origin(name):
                raise ColdStartRequired(f"{found.origin} takes precedence over the loaded {name}")
        return program

    def _names_in(self, path: list[str]) -> set[str]:
        """Return the names of loaded modules that these folders may contain, too."""
        found: set[str] = set()
        for folder in path:
            with contextlib.suppress(OSError):
                found.update(entry.name.partition(".")[0] for entry in os.scandir(folder))
        return found & sys.modules.keys()

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        self._selector.register(connection, selectors.EVENT_READ, self._receive)

    def _receive(self, connection: socket.socket) -> Program | None:
        try:
            message, files, _, _ = socket.recv_fds(connection, MAX_REQUEST_BYTES, 3)
        except OSError:
            message, files = b"", []
        program = None
        try:
            if connection in self._children:
                # if the client was killed, its child is killed, too
                _signal(self._children[connection], int(message) if message else signal.SIGKILL)
            elif message:
                program = self._start(connection, json.loads(message), files)
        except (LookupError, TypeError, ValueError):
            # not a message of client.py
            message = b""
        if not message:
            self._disconnect(connection)
        for file in files:
            os.close(file)
        return program

    def _start(self, connection: socket.socket, request: dict[str, Any], streams: list[int]) -> Program | None:
        try:
            program = self.program(request)
            connection.send(STARTED)
        except ColdStartRequired as reason:
            with contextlib.suppress(OSError):
                connection.send(str(reason).encode())
            return None
        except OSError:
            # the client has ended
            return None
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._children[connection] = pid
            return None
        os.setsid()
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        self._close_parents_resources()
        return program

    def _close_parents_resources(self) -> None:
        """Close the parent's sockets and reset its signal handlers, in a child."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._end.close()
        self._children.clear()

    def _reap(self, ended: socket.socket) -> None:
        ended.recv(1 << 10)
        with contextlib.suppress(ChildProcessError):
            # its group is killed before it is reaped, while the id cannot be reused
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                _signal(found.si_pid, signal.SIGKILL)
                _, status = os.waitpid(found.si_pid, 0)
                for connection in [other for other, pid in self._children.items() if pid == found.si_pid]:
                    with contextlib.suppress(OSError):
                        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
                    self._disconnect(connection)

    def _disconnect(self, connection: socket.socket) -> None:
        self._children.pop(connection, None)
        self._selector.unregister(connection)
        connection.close()

    def _close(self, _: int) -> None:
        for pid in self._children.values():
            _signal(pid, signal.SIGKILL)
        # the server may have been killed, so that it cannot remove them
        address = Path(self._listener.getsockname())
        with contextlib.suppress(OSError):
            address.unlink()
            address.parent.rmdir()
        os._exit(0)


class _RecordingEnviron(os._Environ[str]):
    """os.environ that records the names of variables that are read."""

    read: ClassVar[set[str]]

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.read.add(str(name))
        return super().__contains__(name)


def _signal(pid: int, number: int) -> None:
    """Send a signal to a child and its process group."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        # the child has not created its group yet
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _origin(name: str) -> str | None:
    specification = getattr(sys.modules[name], "__spec__", None)
    return specification.origin if specification else None


if __name__ == "__main__":
    main()
