"""A forked process becomes what a new interpreter with the same arguments would be, and runs its program."""

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

UNFLUSHED = 120


class Unsuited(Exception):
    """Arguments that only a new interpreter can do justice to; the message says why."""


@dataclass(frozen=True)
class Program:
    """What to run: `-c` with code, `-m` with a module's name, or "" with the path of a script.

    own_path: what comes first in sys.path: the script's folder or the current one, then PYTHONPATH.
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
    def of(cls, request: dict[str, Any], common_path: list[str]) -> Program:
        """The program of a client's request. common_path: sys.path of any new interpreter. Raises Unsuited."""
        option, target, arguments = _parsed(request["arguments"])
        folder, environment = request["folder"], request["environment"]
        first = {"-c": "", "-m": folder}.get(option)
        if first is None:
            path = Path(folder, target)
            if not (target.endswith(".py") and path.is_file()):
                raise Unsuited(f"{target} is no script")
            first = str(path.resolve().parent)
        listed = environment.get("PYTHONPATH", "").split(os.pathsep)
        own = [os.path.normpath(Path(folder, entry)) for entry in listed] if any(listed) else []
        return cls(
            option, target, arguments, environment, folder, request["umask"], [first or folder, *own], common_path
        )


def become(program: Program) -> NoReturn:
    """Run the program, and end as the interpreter would."""
    _reset(program)
    _end.known = set(sys.modules)
    _end.code = _exit_code(program)
    sys.exit()  # so that Python waits for threads, and does what is to be done at the exit


def _parsed(arguments: list[str]) -> tuple[str, str, list[str]]:
    rest = [*arguments]
    if rest[:1] == ["-u"]:  # as PYTHONUNBUFFERED has it already
        del rest[0]
    if not rest or rest in (["-c"], ["-m"]):
        raise Unsuited("nothing is to be run but what comes on standard input")
    if rest[0] in ("-c", "-m"):
        return rest[0], rest[1], rest[2:]
    if rest[0].startswith("-"):
        raise Unsuited(f"option {rest[0]} is for a new interpreter")
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
    """A standard stream as Python makes it; the old one remembers what kind of file it had."""
    raw = io.FileIO(old.fileno(), mode, closefd=False)
    raw.name = old.name
    buffer = io.BufferedReader(raw) if mode == "r" else raw
    new = io.TextIOWrapper(buffer, old.encoding, old.errors, newline="\n", write_through=True)
    new.mode = mode  # type: ignore[misc]  # Python sets it so
    return new


def _reset_libraries() -> None:
    """Make anew what libraries have drawn or looked up as they were imported."""
    tempfile.tempdir = None
    if (random := sys.modules.get("numpy.random")) is not None:
        random.seed()
    if (process := sys.modules.get("multiprocessing.process")) is not None:
        process.current_process().authkey = os.urandom(32)
        process.ORIGINAL_DIR = str(Path.cwd())  # type: ignore[attr-defined]


def _exit_code(program: Program) -> int:
    """Run the program; its exit code, negative for the signal that it is to end by."""
    try:
        _run(program)
    except SystemExit as leaving:
        return _code_of(leaving)
    except BaseException as error:
        # without the frames of this module
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
            traceback = traceback.tb_next
        try:
            sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        except SystemExit as leaving:
            return _code_of(leaving)
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
        runpy._run_module_as_main(program.target)  # type: ignore[attr-defined]  # what `python -m` calls
        return
    if program.option == "-c":
        main.__loader__ = BuiltinImporter
        code = compile(program.target, "<string>", "exec", dont_inherit=True)
    else:
        path = program.target if program.target.startswith("/") else f"{program.folder}/{program.target}"
        main.__dict__.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))
        code = compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
    exec(code, main.__dict__)  # noqa: S102 - this is an interpreter


def _code_of(leaving: SystemExit) -> int:
    if leaving.code is None or isinstance(leaving.code, int):
        return (leaving.code or 0) & 0xFF
    print(leaving.code, file=sys.stderr)
    return 1


class _End:
    """The last thing done at the exit, in place of taking the whole interpreter down.

    That takes a tenth of a second with so much imported. What a program may rely on is done: files that it has left
    open are written, and its objects finalized.
    """

    def __init__(self) -> None:
        self.code = 1
        self.known: set[str] = set()

    def __call__(self) -> None:
        # daemon threads that are left see their names vanish: let them neither run nor complain
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
                self.code = self.code or UNFLUSHED
        if self.code < 0:
            signal.signal(-self.code, signal.SIG_DFL)
            os.kill(os.getpid(), -self.code)
        os._exit(self.code)


_end = _End()
# before any other: what is registered first is done last
atexit.register(_end)
