"""The warm parent: `python -m local_sagemaker.containers.warm_python.parent SOCKET` imports libraries and forks.

It listens from the start and answers between two imports, so that nobody waits for all of them: a child imports what
is still missing itself. It has one thread only, for forking is safe in no other process, and ends, with all that it has
forked, as soon as its standard input does.
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

from local_sagemaker.containers.warm_python.client import STARTED, surroundings
from local_sagemaker.containers.warm_python.interpreter import Program, Unsuited, become

# of the scikit-learn image and of what our scripts bring; the first ones are needed first
PRELOADED = (
    "numpy",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    "pandas",
    "scipy.sparse",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.base",
    "sklearn.metrics",
    "lightgbm",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "packaging.requirements",
    "datasketches",
    "boto3",
    "sklearn.pipeline",
    "sklearn.linear_model",
    "sklearn.ensemble",
)
# Variables that native code reads as it loads, or Python as it starts; those that Python modules read are noted.
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
LARGEST_REQUEST = 1 << 20
LOOK_SECONDS = 0.02
PR_SET_PDEATHSIG = 1


def main() -> None:
    address = Path(sys.argv[1])
    address.unlink(missing_ok=True)  # of a parent that is no more
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(address))
        listener.listen()
        become(_serve(Parent(listener)))


def _serve(parent: Parent) -> Program:
    """Import and answer; returns in the children alone."""
    gc.disable()  # what is imported stays
    for name in PRELOADED:
        # what is not installed, or broken, is left to those who want it
        with parent.importing(), contextlib.suppress(Exception):
            importlib.import_module(name)
        if program := parent.answer(timeout=0):
            return program
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and thereby copy, all of it
    while True:
        if program := parent.answer():
            return program


class Parent:
    """The parent's connections and children. listener: where clients come."""

    def __init__(self, listener: socket.socket) -> None:
        self._surroundings = surroundings()
        self._environment = dict(os.environ)
        self._read: set[str] = set()
        # without the folder of this program
        self._path = sys.path[1:]
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl
        self._jobs: dict[socket.socket, int] = {}
        self._is_looking = False
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
        """For an import: note which environment variables are read, and look after what runs meanwhile."""
        usual = type(os.environ)
        os.environ.__class__ = _Noting
        _Noting.read = self._read
        signal.signal(signal.SIGALRM, lambda *_: self._look_after_jobs())
        signal.siginterrupt(signal.SIGALRM, False)  # not every library begins again what a signal has interrupted
        signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            os.environ.__class__ = usual

    def answer(self, timeout: float | None = None) -> Program | None:
        """Do what is asked for, waiting at most so many seconds. In a new child, what that is to run, else None."""
        for key, _ in self._selector.select(timeout):
            if key.fd not in self._selector.get_map():  # forgotten a moment ago, as its child had ended
                continue
            program: Program | None = key.data(key.fileobj)
            if program is not None:
                return program
        return None

    def _look_after_jobs(self) -> None:
        """Do all that can be done in the middle of an import, when nothing can be forked."""
        if self._is_looking:  # the next signal came before this was done
            return
        self._is_looking = True
        for key, _ in self._selector.select(0):
            if key.data != self._accept and (key.data != self._hear or key.fileobj in self._jobs):
                key.data(key.fileobj)
        self._is_looking = False

    def suited(self, request: dict[str, Any]) -> Program:
        """The program that a client wants to run. Raises Unsuited where a child would not be what it wants."""
        if request["surroundings"] != self._surroundings:
            raise Unsuited("it has other limits, processors or signals")
        environment = request["environment"]
        names = {name for name in environment.keys() | self._environment.keys() if name.startswith(READ_EARLY)}
        for name in sorted(self._read | names - {"PYTHONPATH"}):
            if environment.get(name) != self._environment.get(name):
                raise Unsuited(f"{name} was read while libraries loaded, and has another value")
        program = Program.of(request, self._path)
        for name in self._names_in(program.own_path):
            found = importlib.machinery.PathFinder.find_spec(name, program.own_path)
            if found is not None and found.loader is not None and found.origin != _origin(name):
                raise Unsuited(f"{found.origin} comes before the {name} that is loaded")
        return program

    def _names_in(self, path: list[str]) -> set[str]:
        """Names of loaded modules that may be found in these folders, too."""
        found: set[str] = set()
        for folder in path:
            with contextlib.suppress(OSError):
                found.update(entry.name.partition(".")[0] for entry in os.scandir(folder))
        return found & sys.modules.keys()

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        self._selector.register(connection, selectors.EVENT_READ, self._hear)

    def _hear(self, connection: socket.socket) -> Program | None:
        try:
            message, files, _, _ = socket.recv_fds(connection, LARGEST_REQUEST, 3)
        except OSError:
            message, files = b"", []
        program = None
        try:
            if connection in self._jobs:
                # with the client what it stands for is killed, too
                _signal(self._jobs[connection], int(message) if message else signal.SIGKILL)
            elif message:
                program = self._start(connection, json.loads(message), files)
        except (LookupError, TypeError, ValueError):  # no client of ours
            message = b""
        if not message:
            self._forget(connection)
        for file in files:
            os.close(file)
        return program

    def _start(self, connection: socket.socket, request: dict[str, Any], streams: list[int]) -> Program | None:
        try:
            program = self.suited(request)
            connection.send(STARTED)
        except Unsuited as reason:
            with contextlib.suppress(OSError):
                connection.send(str(reason).encode())
            return None
        except OSError:  # the client is gone
            return None
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._jobs[connection] = pid
            return None
        os.setsid()
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        self._let_go()
        return program

    def _let_go(self) -> None:
        """Close, in a child, all that belongs to the parent."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._end.close()
        self._jobs.clear()

    def _reap(self, ended: socket.socket) -> None:
        ended.recv(1 << 10)
        with contextlib.suppress(ChildProcessError):
            # the rest of its group is killed while nobody else can have its id
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                _signal(found.si_pid, signal.SIGKILL)
                _, status = os.waitpid(found.si_pid, 0)
                for connection in [other for other, pid in self._jobs.items() if pid == found.si_pid]:
                    with contextlib.suppress(OSError):
                        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
                    self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        self._jobs.pop(connection, None)
        self._selector.unregister(connection)
        connection.close()

    def _close(self, _: int) -> None:
        for pid in self._jobs.values():
            _signal(pid, signal.SIGKILL)
        os._exit(0)


class _Noting(os._Environ[str]):
    read: ClassVar[set[str]]

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.read.add(str(name))
        return super().__contains__(name)


def _signal(pid: int, number: int) -> None:
    """Send a signal to a child and all of its group."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:  # it has none yet
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _origin(name: str) -> str | None:
    specification = getattr(sys.modules[name], "__spec__", None)
    return specification.origin if specification else None


if __name__ == "__main__":
    main()
