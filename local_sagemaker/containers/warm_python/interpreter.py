"""Turns a forked process into the equivalent of a new interpreter with given arguments, and runs its program."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import os
import runpy
import signal
import site
import sys
import tempfile
import threading
import types
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, SourceFileLoader
from pathlib import Path
from typing import Any, NoReturn

from local_sagemaker.containers.warm_python.requirements import already_satisfied

# Python's exit code if standard output cannot be flushed
FLUSH_FAILED = 120


class ColdStartRequired(Exception):
    """A request that only a new interpreter can serve; the message says why."""


@dataclass(frozen=True)
class Program:
    """The program to run.

    Attributes:
        option: `-c`, `-m`, or "" for a script.
        target: The code, the module's name, or the path of the script.
        arguments: The program's arguments.
        environment: All environment variables.
        folder: The working directory.
        umask: The file mode creation mask.
        own_path: The beginning of sys.path: the folder of the script or the working directory, then PYTHONPATH.
        common_path: The rest of sys.path.
    """

    option: str
    target: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    umask: int
    own_path: list[str]
    common_path: list[str]

    @classmethod
    def from_request(cls, request: dict[str, Any], common_path: list[str]) -> Program:
        """Return the program of a client's request.

        Args:
            request: The client's message.
            common_path: The part of sys.path that is the same for all new interpreters.

        Raises:
            ColdStartRequired: The arguments are not supported.
        """
        option, target, arguments = _parse_arguments(request["arguments"])
        folder, environment = request["folder"], request["environment"]
        first = {"-c": "", "-m": folder}.get(option)
        if first is None:
            path = Path(folder, target)
            if not (target.endswith(".py") and path.is_file()):
                raise ColdStartRequired(f"{target} is not a script")
            first = str(path.resolve().parent)
        listed = environment.get("PYTHONPATH", "").split(os.pathsep)
        own = [os.path.normpath(Path(folder, entry)) for entry in listed] if any(listed) else []
        return cls(
            option, target, arguments, environment, folder, request["umask"], [first or folder, *own], common_path
        )


def run_and_exit(program: Program) -> NoReturn:
    """Run the program, and exit as the interpreter would."""
    _reset(program)
    _exit_hook.known = set(sys.modules)
    _exit_hook.code = _exit_code(program)
    # Python waits for threads and runs the exit handlers
    sys.exit()


def _parse_arguments(arguments: list[str]) -> tuple[str, str, list[str]]:
    rest = [*arguments]
    # PYTHONUNBUFFERED is set anyway
    if rest[:1] == ["-u"]:
        del rest[0]
    if not rest or rest in (["-c"], ["-m"]):
        raise ColdStartRequired("the program is read from standard input")
    if rest[0] in ("-c", "-m"):
        return rest[0], rest[1], rest[2:]
    if rest[0].startswith("-"):
        raise ColdStartRequired(f"option {rest[0]} requires a new interpreter")
    return "", rest[0], rest[1:]


def _reset(program: Program) -> None:
    gc.enable()
    os.chdir(program.folder)
    os.umask(program.umask)
    os.environ.clear()
    os.environ.update(program.environment)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("local_sagemaker", "sitecustomize")]:
        del sys.modules[name]
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        setattr(sys, name, _stream(getattr(sys, name), mode))
        setattr(sys, f"__{name}__", getattr(sys, name))
    _reset_libraries()
    sys.orig_argv = [sys.executable, *([program.option] if program.option else []), program.target, *program.arguments]
    sys.argv = [program.option or program.target, *program.arguments]
    first = "" if program.option == "-c" else program.own_path[0]
    sys.path[:] = [first, *dict.fromkeys([*program.own_path[1:], *program.common_path])]
    importlib.invalidate_caches()
    site.execsitecustomize()


def _stream(old: io.TextIOWrapper, mode: str) -> io.TextIOWrapper:
    """Return a standard stream as Python creates it, in place of one that has the parent's type of file."""
    raw = io.FileIO(old.fileno(), mode, closefd=False)
    raw.name = old.name
    buffer = io.BufferedReader(raw) if mode == "r" else raw
    new = io.TextIOWrapper(buffer, old.encoding, old.errors, newline="\n", write_through=True)
    new.mode = mode  # type: ignore[misc]  # as Python itself sets it
    return new


def _reset_libraries() -> None:
    """Reset the random and environment-dependent state that libraries have initialized on import."""
    tempfile.tempdir = None
    if (random := sys.modules.get("numpy.random")) is not None:
        random.seed()
    if (process := sys.modules.get("multiprocessing.process")) is not None:
        process.current_process().authkey = os.urandom(32)
        process.ORIGINAL_DIR = str(Path.cwd())  # type: ignore[attr-defined]


def _exit_code(program: Program) -> int:
    """Run the program. Returns its exit code; a negative one is the signal to end by."""
    try:
        _run(program)
    except SystemExit as system_exit:
        return _system_exit_code(system_exit)
    except BaseException as error:
        # the frames of this module are not shown
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
            traceback = traceback.tb_next
        try:
            sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        except SystemExit as system_exit:
            return _system_exit_code(system_exit)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _run(program: Program) -> None:
    main = types.ModuleType("__main__")
    main.__dict__.update(__annotations__={}, __builtins__=sys.modules["builtins"])
    sys.modules["__main__"] = main
    if program.option == "-m":
        if program.target == "pip" and (lines := already_satisfied(program.arguments, program.environment)) is not None:
            print("\n".join(lines), end="\n" if lines else "")
            return
        # what `python -m` calls
        runpy._run_module_as_main(program.target)  # type: ignore[attr-defined]
        return
    if program.option == "-c":
        main.__loader__ = BuiltinImporter
        code = compile(program.target, "<string>", "exec", dont_inherit=True)
    else:
        path = program.target if program.target.startswith("/") else f"{program.folder}/{program.target}"
        main.__dict__.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))
        code = compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
    exec(code, main.__dict__)  # noqa: S102 - as an interpreter does


def _system_exit_code(system_exit: SystemExit) -> int:
    if system_exit.code is None or isinstance(system_exit.code, int):
        return (system_exit.code or 0) & 0xFF
    print(system_exit.code, file=sys.stderr)
    return 1


class _ExitHook:
    """The last exit handler, which ends the process without finalizing the whole interpreter.

    Finalization takes a tenth of a second with so many modules. What programs rely on is done: open files are flushed,
    and the program's objects are finalized.
    """

    def __init__(self) -> None:
        self.code = 1
        self.known: set[str] = set()

    def __call__(self) -> None:
        # remaining daemon threads lose their globals: keep them from running and from printing errors
        sys.setswitchinterval(3600)
        threading.excepthook = lambda _: None
        for name in [name for name in sys.modules if name == "__main__" or name not in self.known]:
            with contextlib.suppress(Exception):
                vars(sys.modules.pop(name)).clear()
        gc.collect()
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None and not stream.closed:
                    stream.flush()
            except Exception:
                self.code = self.code or FLUSH_FAILED
        if self.code < 0:
            signal.signal(-self.code, signal.SIG_DFL)
            os.kill(os.getpid(), -self.code)
        os._exit(self.code)


_exit_hook = _ExitHook()
# registered before all others, because handlers run in reverse order
atexit.register(_exit_hook)
