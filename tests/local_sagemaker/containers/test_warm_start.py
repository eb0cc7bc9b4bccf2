"""A warm process must be equivalent to a cold one: most tests run both and compare."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from local_sagemaker.containers.container import Command, Container, common_environment
from local_sagemaker.containers.output import LogStream
from local_sagemaker.containers.warm_python import CLIENT, REPOSITORY, WarmPython
from local_sagemaker.containers.warm_python.requirements import already_satisfied

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every process starts cold"),
]

TIMEOUT = 30
ENVIRONMENT = {"PATH": os.environ["PATH"], **common_environment()}
# imported last
IS_WARM = "import sys; print('sklearn.ensemble' in sys.modules)"


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmPython]:
    python = WarmPython(ENVIRONMENT)
    wait_until(lambda: run(python.command(), "-c", IS_WARM).stdout == "True\n")
    yield python
    python.close()


@pytest.fixture
def unready() -> Iterator[WarmPython]:
    """A new parent, which has just begun to import."""
    python = WarmPython(ENVIRONMENT)
    python.command()
    yield python
    python.close()


def run(
    python: list[str], *arguments: str, folder: Path | None = None, text: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*python, *arguments],
        cwd=folder,
        env={**ENVIRONMENT, **environment},
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_warm(warm: WarmPython, **more: str) -> bool:
    return run(warm.command(), "-c", IS_WARM, **more).stdout == "True\n"


def parent_of(warm: WarmPython) -> psutil.Process:
    assert warm._parent is not None
    return psutil.Process(warm._parent.pid)


def test_libraries_are_loaded_when_a_process_starts(warm: WarmPython) -> None:
    loaded = run(warm.command(), "-c", "import sys; print(*sorted({'lightgbm', 'numpy', 'sklearn'} & {*sys.modules}))")
    assert loaded.stdout == "lightgbm numpy sklearn\n"


# equivalence with a new interpreter

STATE = """
import json, locale, os, resource, signal, stat, sys, threading, time
main = sys.modules["__main__"]
umask = os.umask(0)
os.umask(umask)
def kind(number):
    mode = os.fstat(number).st_mode
    return [stat.S_IFMT(mode), os.get_inheritable(number)]
def files():
    for name in os.listdir("/proc/self/fd"):
        try:
            yield int(name), kind(int(name))
        except OSError:
            pass
print(json.dumps({
    "argv": sys.argv, "path": sys.path, "flags": str(sys.flags), "executable": sys.executable, "prefix": sys.prefix,
    "main": [sorted(vars(main)), main.__name__, main.__doc__, main.__package__, getattr(main.__spec__, "origin", None)],
    "file": globals().get("__file__"), "folder": os.getcwd(), "umask": umask, "environment": dict(os.environ),
    "files": dict(files()), "handlers": [str(signal.getsignal(n)) for n in signal.valid_signals()],
    "blocked": [*signal.pthread_sigmask(signal.SIG_BLOCK, [])], "locale": locale.getlocale(), "zone": time.tzname,
    "streams": [[s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines, str(s.isatty()),
                 s.seekable(), type(s.buffer).__name__] for s in (sys.stdin, sys.stdout, sys.stderr)],
    "threads": threading.active_count(), "leader": os.getpid() == os.getpgrp() or os.getpid() == os.getsid(0),
    "hooks": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__, sys.gettrace() is None],
    "recursion": sys.getrecursionlimit(), "switching": sys.getswitchinterval(),
    "leaked": [name for name in sys.modules if name.startswith(("local_sagemaker", "leak"))],
    "local": [name for name in globals() if name.startswith("leak")],
}))
"""

DIRTY = """
import builtins, atexit, json, os, random, signal, sys, threading, warnings
import leak
import numpy
leak_global = builtins.leak = numpy.leak = json.leak = 1
sys.path.insert(0, "/leak")
sys.argv[:] = ["leak"]
sys.setrecursionlimit(5000)
sys.setswitchinterval(1)
sys.excepthook = None
os.environ["LEAK"] = "1"
os.environ["TZ"] = "Asia/Tokyo"
os.umask(0o777)
os.chdir("/")
open_file = open("/dev/null")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
random.seed(1)
numpy.random.seed(1)
numpy.float64 = None
atexit.register(print, "leak")
"""


def test_a_process_has_the_state_of_a_new_interpreter(warm: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    script = tmp_path / "folder" / "script.py"
    script.write_text(STATE)
    (tmp_path / "link.py").symlink_to(script)
    more = {"PYTHONPATH": f"lib{os.pathsep}{tmp_path}", "OWN": "1 \udcff", "SM_MODEL_DIR": "/x"}
    for arguments in (
        ["folder/script.py", "one", "--two"],
        ["./folder/../link.py"],
        [str(script), ""],
        ["-u", "folder/script.py"],
        ["-c", STATE, "x"],
        ["-m", "folder.script", "-m"],
    ):
        state, expected = (
            json.loads(run(python, *arguments, folder=tmp_path, **more).stdout)
            for python in (warm.command(), [sys.executable])
        )
        # only here is the cold one not a session leader; in a container both are
        assert state.pop("leader") and not expected.pop("leader")
        assert state == expected, arguments


def test_processes_do_not_affect_each_other(warm: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "leak.py").write_text("")
    (tmp_path / "dirty.py").write_text(DIRTY)
    (tmp_path / "state.py").write_text(STATE + "import builtins, numpy; assert not hasattr(builtins, 'leak')\n"
                                       "assert numpy.float64 and not hasattr(numpy, 'leak')\n")  # fmt: skip
    before = run(warm.command(), "state.py", folder=tmp_path)
    dirty = run(warm.command(), "dirty.py", folder=tmp_path)
    assert (dirty.returncode, dirty.stdout) == (0, "leak\n"), dirty.stderr
    after = run(warm.command(), "state.py", folder=tmp_path)
    assert before.returncode == after.returncode == 0, after.stderr
    assert after.stdout == before.stdout


def test_random_numbers_differ_between_processes(warm: WarmPython) -> None:
    code = (
        "import random, secrets, tempfile, uuid, multiprocessing, numpy as np\n"
        "print(random.random(), np.random.rand(), np.random.default_rng().random(), secrets.token_hex(), uuid.uuid4(),"
        "multiprocessing.current_process().authkey.hex(), next(tempfile._get_candidate_names()))"
    )
    first, second = (run(warm.command(), "-c", code).stdout.split() for _ in range(2))
    assert len(first) == 7
    assert not set(first) & set(second)


ENDS = {
    "returns": "print('done')",
    "code": "import sys; sys.exit(3)",
    "large code": "import sys; sys.exit(259)",
    "negative code": "import sys; sys.exit(-1)",
    "words": "import sys; sys.exit('no target column')",
    "exception": "def f():\n    g()\ndef g():\n    raise ValueError('no')\nf()",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('x') from error",
    "syntax": "x = 1\nx = = 2\n",
    "encoding": "# coding: latin-1\nprint('\xe9')\n",
    "import": "import no_such_module",
    "interrupt": "raise KeyboardInterrupt",
    "signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "killed": "import os, signal; print('x', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
    "own hook": "import sys; sys.excepthook = lambda *_: print('hook', *_[:2])\nraise ValueError('x')",
    "at exit": "import atexit; atexit.register(print, 'bye')\nprint('hi')",
    "fails at exit": "import atexit; atexit.register(int, 'x')\nprint('hi')",
    "open file": "file = open('left.txt', 'w'); file.write('text')",
    "object": "class A:\n    def __del__(self): print('deleted')\na = A()",
    "cycle": "class A:\n    def __del__(self): print('deleted')\na = A(); a.a = a; del a",
    "thread": "import threading, time\ndef f():\n    time.sleep(0.1); print('later')\n"
    "threading.Thread(target=f).start()",
    "daemon": "import threading, time\n"
    "def f():\n    while True: time.sleep(0.0001)\nthreading.Thread(target=f, daemon=True).start()",
    "thread fails": "import threading\nthreading.Thread(target=lambda: 1 / 0, name='T').start()",
    "warning": "import warnings; warnings.warn('careful', UserWarning)",
    "closed output": "import sys; sys.stdout.close(); sys.stderr.close()",
    "fork": "import os\npid = os.fork()\nif pid == 0:\n    raise SystemExit(5)\n"
    "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
    "exec": "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'print(1); raise SystemExit(4)'])",
    "input": "import sys; print(sys.stdin.read(), end=''); print(input() if False else '')",
    "logging": "import logging; logging.basicConfig(level='INFO'); logging.info('x')",
    "pickle": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
    "dataclass": "from __future__ import annotations\nimport dataclasses, typing\n"
    "@dataclasses.dataclass\nclass A:\n    a: int\nprint(typing.get_type_hints(A), A.__module__)",
    "frames": "import inspect; print(inspect.getsource(inspect.currentframe()))",
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_a_program_has_the_output_and_exit_code_of_a_cold_start(warm: WarmPython, tmp_path: Path, name: str) -> None:
    (tmp_path / "script.py").write_bytes(ENDS[name].encode("latin-1"))
    results = []
    for python in (warm.command(), [sys.executable]):
        ended = run(python, "script.py", folder=tmp_path, text="line\r\n")
        left = [path.read_text() for path in tmp_path.glob("*.txt")]
        results.append((ended.returncode, ended.stdout, ended.stderr, left))
        (tmp_path / "left.txt").unlink(missing_ok=True)
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "arguments",
    [["-m", "json.tool"], ["-m", "no_such"], ["-m", "package"], ["-m", "package.part", "x"], ["no_such.py"],
     ["--version"], ["-X", "utf8", "-c", "print(1)"], ["-W", "error", "-c", "print(1)"], ["package"], ["-"], ["-c"],
     ["-c", "print(__name__); raise ValueError"], ["-m", "package.fails"]],
    ids=" ".join,
)  # fmt: skip
def test_a_command_line_works_as_in_a_cold_start(warm: WarmPython, tmp_path: Path, arguments: list[str]) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("print('package', __name__)\n")
    (package / "__main__.py").write_text("import sys; print('main', __name__, sys.argv)\n")
    (package / "part.py").write_text("import sys; print('part', __name__, __spec__.name, sys.argv)\n")
    (package / "fails.py").write_text("def f():\n    raise ValueError('x')\nf()\n")
    ended, expected = (
        run(python, *arguments, folder=tmp_path, text='{"a": 1}') for python in (warm.command(), [sys.executable])
    )
    assert (ended.returncode, ended.stdout) == (expected.returncode, expected.stdout)
    assert ended.stderr == expected.stderr


PROCESSES = """
import multiprocessing, os, sys
def square(n):
    return n * n
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(2) as pool:
        print(pool.map(square, range(4)))
    process = context.Process(target=print, args=["not a daemon"])
    process.start()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_program_can_start_processes_in_every_way(warm: WarmPython, tmp_path: Path, method: str) -> None:
    (tmp_path / "script.py").write_text(PROCESSES)
    ended = run(warm.command(), "script.py", method, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "[0, 1, 4, 9]\nnot a daemon\n"), ended.stderr


def test_native_threads_work(warm: WarmPython) -> None:
    code = """
import numpy as np, lightgbm as lgb, pyarrow as pa, pyarrow.compute as pc
x = np.random.default_rng(1).normal(size=(3000, 5))
booster = lgb.train({"num_threads": 2, "verbosity": -1}, lgb.Dataset(x, x[:, 0] > 0), 10)
print(booster.num_trees(), (x @ x.T).shape, pc.sum(pa.chunked_array([x[:, 0], x[:, 1]])).is_valid)
"""
    ended = run(warm.command(), "-c", code)
    assert ended.stdout == "10 (3000, 3000) True\n", ended.stderr


def test_standard_input_can_be_closed(warm: WarmPython) -> None:
    line = ["sh", "-c", '"$@" <&-', "sh", *warm.command(), "-c", "import sys; print(sys.stdin)"]
    assert run(line).stdout == "None\n"


def test_inherited_files_are_passed_on(warm: WarmPython) -> None:
    line = [
        "bash",
        "-c",
        '"$@" <(echo here)',
        "bash",
        *warm.command(),
        "-c",
        "import sys; print(open(sys.argv[1]).read())",
    ]
    assert run(line).stdout == "here\n\n"


# cold starts


@pytest.mark.parametrize(
    "name",
    ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "LD_LIBRARY_PATH", "PYTHONHASHSEED", "HOME", "TZ", "LC_ALL",
     "SCIPY_ARRAY_API"],
)  # fmt: skip
def test_a_variable_that_is_read_while_libraries_load_requires_a_cold_start(warm: WarmPython, name: str) -> None:
    assert is_warm(warm)
    assert not is_warm(warm, **{name: "1"})


def test_variables_of_a_job_do_not_require_a_cold_start(warm: WarmPython) -> None:
    assert is_warm(warm, SM_HPS="{}", AWS_REGION="eu-west-1", OWN="1", TMPDIR="/tmp")  # noqa: S108


@pytest.mark.parametrize("place", ["beside the script", "in PYTHONPATH"])
@pytest.mark.parametrize("module", ["pandas.py", "numpy/__init__.py", "queue.py"])
def test_a_module_of_the_job_that_shadows_a_loaded_one_requires_a_cold_start(
    warm: WarmPython, tmp_path: Path, module: str, place: str
) -> None:
    folder = tmp_path / "job"
    (folder / module).parent.mkdir(parents=True)
    (folder / module).write_text("own = True\n")
    script = (folder if place == "beside the script" else tmp_path) / "script.py"
    script.write_text(f"import {module.removesuffix('.py').removesuffix('/__init__')} as module; print(module.own)\n")
    more = {"PYTHONPATH": str(folder)} if place == "in PYTHONPATH" else {}
    assert run(warm.command(), str(script), **more).stdout == "True\n"


def test_a_folder_that_shadows_nothing_does_not_require_a_cold_start(warm: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "own.py").write_text("")
    (tmp_path / "script.py").write_text(IS_WARM)
    assert run(warm.command(), "script.py", folder=tmp_path).stdout == "True\n"


def test_a_process_with_other_limits_starts_cold(warm: WarmPython) -> None:
    line = ["sh", "-c", 'ulimit -n 100; "$@"', "sh", *warm.command(), "-c"]
    assert run(line, IS_WARM).stdout == "False\n"
    assert run(line, "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])").stdout == "100\n"


def test_a_process_started_during_the_imports_works_and_can_be_killed(unready: WarmPython, tmp_path: Path) -> None:
    wait_until(lambda: run(unready.command(), "-c", "import sys; print('numpy' in sys.modules)").stdout == "True\n")
    client = subprocess.Popen([*unready.command(), "-c", SLEEPS], cwd=tmp_path, env=ENVIRONMENT)
    started = pids(tmp_path)
    client.kill()
    wait_until(lambda: all(map(ended, started)))
    assert run(unready.command(), "-c", "import numpy; print(numpy.arange(3).sum())").stdout == "3\n"


BUSY_PARENT = """
import sys
from local_sagemaker.containers.warm_python import parent
folder, sys.argv[1:] = sys.argv[1], sys.argv[2:]
sys.path.insert(1, folder)
parent.POLL_SECONDS = 3e-5
parent.PRELOADED = [f"module_{number}" for number in range(50)]
parent.main()
"""


def test_jobs_are_served_during_slow_imports(tmp_path: Path) -> None:
    for number in range(50):
        code = "import time\nend = time.time() + 0.02\nwhile time.time() < end: pass"
        (tmp_path / f"module_{number}.py").write_text(code)
    address = tmp_path / "socket"
    start = [sys.executable, "-c", BUSY_PARENT, str(tmp_path), str(address)]
    parent = subprocess.Popen(start, cwd=REPOSITORY, env=ENVIRONMENT, stdin=subprocess.PIPE)
    try:
        wait_until(address.exists)
        client = [sys.executable, "-I", "-S", str(CLIENT), str(address), "-c", "import time; time.sleep(0.2)"]
        clients = [subprocess.Popen(client, env=ENVIRONMENT) for _ in range(10)]
        assert [one.wait(TIMEOUT) for one in clients] == [0] * 10
        assert parent.poll() is None
    finally:
        parent.kill()
        parent.communicate(timeout=TIMEOUT)


# how processes end


@pytest.fixture
def container(tmp_path: Path, warm: WarmPython) -> Iterator[Container]:
    log = LogStream(tmp_path / "log", lambda line, now: None)
    made = Container(tmp_path / "algo-1", "algo-1", log, {})
    made.use_python(warm.command())
    yield made
    made.close(keep=False)


SLEEPS = """
import os, signal, subprocess, sys, time
child = subprocess.Popen(["sleep", "60"])
with open("pids.part", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename("pids.part", "pids")
time.sleep(60)
"""


def pids(folder: Path) -> list[int]:
    wait_until((folder / "pids").exists)
    return [int(word) for word in (folder / "pids").read_text().split()]


def ended(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_process_and_its_children(warm: WarmPython, tmp_path: Path, number: int) -> None:
    client = subprocess.Popen([*warm.command(), "-c", SLEEPS], cwd=tmp_path, env=ENVIRONMENT, start_new_session=True)
    started = pids(tmp_path)
    os.killpg(client.pid, number)
    assert client.wait(TIMEOUT) == -number
    wait_until(lambda: all(map(ended, started)))


def test_a_program_can_handle_a_signal(warm: WarmPython, tmp_path: Path) -> None:
    code = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))" + SLEEPS
    client = subprocess.Popen([*warm.command(), "-c", code], cwd=tmp_path, env=ENVIRONMENT)
    pids(tmp_path)
    client.send_signal(signal.SIGTERM)
    assert client.wait(TIMEOUT) == 7


def test_processes_that_a_program_leaves_running_end_with_it(container: Container) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"
    assert container.run([Command(["python", "-c", code])]).code == 0
    pid = container.folder.with_name("log").read_text().split()[-1]
    wait_until(lambda: ended(int(pid)))


def test_a_shell_script_runs_warm_pythons(container: Container) -> None:
    container.path("run.sh").write_text(f'set -e\npython3 -c "{IS_WARM}"\nexec python "$@"\n')
    assert container.run([Command(["bash", "run.sh", "-c", IS_WARM])]).code == 0
    lines = container.folder.with_name("log").read_text().splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["True", "True"]


def test_host_names_of_a_job_resolve(container: Container) -> None:
    code = "import socket, sys; assert 'pandas' in sys.modules; sys.exit(socket.gethostbyname('algo-2') != '127.0.0.1')"
    assert container.run([Command(["python", "-c", code])]).code == 0


def test_a_killed_parent_kills_its_processes_and_is_restarted_for_the_next(unready: WarmPython, tmp_path: Path) -> None:
    wait_until(lambda: run(unready.command(), "-c", "import sys; print('numpy' in sys.modules)").stdout == "True\n")
    client = subprocess.Popen([*unready.command(), "-c", SLEEPS], cwd=tmp_path, env=ENVIRONMENT)
    started, first = pids(tmp_path)[0], parent_of(unready)
    old = unready.command()
    first.kill()
    assert client.wait(TIMEOUT) == -signal.SIGKILL
    wait_until(lambda: ended(started))
    # with commands of an existing container, and with new ones
    assert run(old, "-c", "print('fine')").stdout == "fine\n"
    wait_until(lambda: ended(first.pid))
    assert run(unready.command(), "-c", "print('fine')").stdout == "fine\n"
    assert parent_of(unready).pid != first.pid


def test_the_parent_and_its_children_end_with_the_server(tmp_path: Path) -> None:
    code = f"""
import os, subprocess, time
from local_sagemaker.containers.warm_python import CLIENT, REPOSITORY, WarmPython
environment = {ENVIRONMENT!r}
warm = WarmPython(environment)
warmed = [*warm.command(), "-c", "import sys; sys.exit('numpy' not in sys.modules)"]
while subprocess.run(warmed, env=environment).returncode:
    time.sleep(0.02)
client = subprocess.Popen([*warm.command(), "-c", {SLEEPS!r}], cwd={str(tmp_path)!r}, env=environment)
while not os.path.exists({str(tmp_path / "pids")!r}):
    time.sleep(0.02)
print(warm._parent.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    server = run([sys.executable, "-c", code], folder=Path(__file__).parents[3])
    assert server.returncode == -signal.SIGKILL, server.stderr
    wait_until(lambda: all(map(ended, [int(server.stdout), *pids(tmp_path)])))


def test_the_parent_releases_the_resources_of_a_process(warm: WarmPython) -> None:
    parent = parent_of(warm)

    def held() -> tuple[int, int]:
        wait_until(lambda: not parent.children())
        return parent.num_fds(), parent.num_threads()

    before = held()
    for arguments in (["-c", "pass"], ["-c", "raise ValueError"], ["--version"], ["-c", "import os; os._exit(1)"]):
        run(warm.command(), *arguments)
    wait_until(lambda: held() == before)


@pytest.mark.parametrize("message", [b"x", b"[]", b"{}", b'{"process_attributes": 1}', b"\xff"])
def test_an_invalid_message_is_ignored(warm: WarmPython, message: bytes) -> None:
    parent = parent_of(warm)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.settimeout(TIMEOUT)
        stranger.connect(str(warm._socket()))
        socket.send_fds(stranger, [message], [0, 1, 2])
        stranger.recv(100)
    assert is_warm(warm)
    assert parent_of(warm).pid == parent.pid


# pip


def pip(folder: Path, requirements: str, *arguments: str, **more: str) -> list[str] | None:
    file = folder / "requirements.txt"
    file.write_text(requirements)
    return already_satisfied(["install", *arguments, "-r", str(file)], more)


def test_satisfied_requirements_are_reported_in_pips_words(warm: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "# what the script needs\npyarrow >= 3  # tables\n\nnumpy\nboto3; python_version < '3'\npython-dateutil>2\n"
    )
    line = ["-m", "pip", "install", "-r", "requirements.txt"]
    settings = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    told, expected = (run(python, *line, folder=tmp_path, **settings) for python in (warm.command(), [sys.executable]))
    assert told.returncode == expected.returncode == 0
    lines = [line for line in expected.stdout.splitlines() if not line.startswith("Ignoring boto3")]
    assert sorted(told.stdout.splitlines()) == sorted(lines)
    assert run(warm.command(), *line, "--quiet", folder=tmp_path, **settings).stdout == ""


@pytest.mark.parametrize(
    "requirements",
    ["no-such-thing", "numpy<1", "numpy @ file:///x.whl", "--index-url https://x\nnumpy", "-e .", "./x.whl", "",
     "numpy --hash=sha256:00", "boto3[crt]", "${NAME}", "num py"],
)  # fmt: skip
def test_pip_runs_for_requirements_that_only_pip_can_process(tmp_path: Path, requirements: str) -> None:
    assert pip(tmp_path, "numpy") is not None
    assert pip(tmp_path, requirements) is None


def test_pip_runs_for_other_options(tmp_path: Path) -> None:
    assert pip(tmp_path, "numpy", "--upgrade") is None
    assert pip(tmp_path, "numpy", "--target", "x") is None
    assert pip(tmp_path, "numpy", PIP_UPGRADE="1") is None
    assert already_satisfied(["list"], {}) is None
    assert already_satisfied(["install"], {}) is None
    assert already_satisfied(["install", "-r", str(tmp_path / "no-such-file")], {}) is None
