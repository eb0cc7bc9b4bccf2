"""A container, that is, one host of a job: processes with a folder of their own in place of the container's /opt/ml."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_sagemaker.containers.output import LogStream, read_output
from local_sagemaker.storage.files import remove_tree
from local_sagemaker.storage.transfers import SCRIPTS, ClientFault, inside, rewrite_archive, unpack

CONTAINER_ROOT = "/opt/ml"
# for an interpreter to print where its packages are
INTERPRETER_TIMEOUT = 30
# seconds to wait for a program that is still open for writing
BUSY_TIMEOUT = 2
# the prefix of folders in the system's folder for temporary files
TEMPORARY = "sagemaker-"
IN_CONTAINER = Path(__file__).parent / "in_container"
XGBOOST = Path(__file__).parents[1] / "algorithms" / "xgboost"
LINEAR_LEARNER = Path(__file__).parents[1] / "algorithms" / "linear_learner"

# the variables that processes inherit from the server's environment, in addition to PATH
INHERITED_VARIABLES = ("HOME", "JAVA_HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")

_ROOT_IN_TEXT = re.compile(rf"(?<![\w.-]){re.escape(CONTAINER_ROOT)}(?![\w.-])")
# the name of an archive that a shell script unpacks
_ARCHIVE = re.compile(r"\btar\s+-?x\w*\s+(?:[\w./-]*/)?([\w.-]+)")
_PLAIN_PATH = re.compile(r"[\w@%+=:,./-]+")


@dataclass(frozen=True)
class Command:
    """A command to run in a container. Paths are those of the container.

    Attributes:
        arguments: The program and its arguments.
        environment: The command's environment variables.
        folder: The working directory.
        failure: The image's failure message, with {code}, {message} and {command} as placeholders.
    """

    arguments: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = CONTAINER_ROOT
    failure: str = "{message}"


@dataclass(frozen=True)
class Exit:
    """How a container ended.

    Attributes:
        code: The exit code, as a shell reports it; 0 for success.
        reason: The image's failure message.
    """

    code: int
    reason: str = ""


class Container:
    """A folder that takes the place of /opt/ml for the commands that run in it, one after the other.

    Args:
        folder: The folder; it is created.
        host: The container's host name.
        log: Where output is logged.
        environment: Variables that take precedence over those of commands.
    """

    def __init__(self, folder: Path, host: str, log: LogStream, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.host = host
        self._log = log
        self._overrides = environment
        self._link: Path | None = None
        if not _PLAIN_PATH.fullmatch(str(folder)):
            # in shell scripts, an unquoted /opt/ml/x would be split at a space
            self._link = Path(tempfile.mkdtemp(prefix=TEMPORARY)) / "ml"
            self._link.symlink_to(folder, target_is_directory=True)
        self.root = self._link or folder
        self._prefix = folder.with_name(f"{folder.name}.python")
        self._packages = Path(sysconfig.get_path("purelib", "posix_prefix", {"base": str(self._prefix)}))
        _make_commands(self._prefix / "bin", [sys.executable])
        self._code: list[Path] = []
        self._archives: set[str] = set()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def path(self, container_path: str) -> Path:
        """Return where a path of the container, absolute or relative to /opt/ml, is on this machine.

        Raises:
            ClientFault: The path is outside of /opt/ml.
        """
        if container_path == CONTAINER_ROOT or container_path.startswith(f"{CONTAINER_ROOT}/"):
            container_path = container_path.removeprefix(CONTAINER_ROOT).lstrip("/")
        return inside(self.root, container_path)

    def write_json(self, container_path: str, content: Any) -> None:
        """Write a JSON file."""
        path = self.path(container_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")

    def read_text(self, container_path: str, max_chars: int = 1024) -> str:
        """Return the beginning of a text file, "" if it does not exist."""
        try:
            with self.path(container_path).open(encoding="utf-8", errors="replace") as file:
                return file.read(max_chars).strip()
        except OSError:
            return ""

    def rewrite(self, text: str) -> str:
        """Return a text with the container's /opt/ml replaced by the folder on this machine."""
        return _ROOT_IN_TEXT.sub(lambda match: str(self.root), text)

    def rewrite_code(self, command: Sequence[str], folders: Iterable[str]) -> None:
        """Rewrite the scripts in folders that contain code, and in archives that a shell script unpacks.

        Args:
            command: The command that runs the code.
            folders: Folders of the container. One contains code if the command, or a shell script in such a folder,
                mentions it.
        """
        remaining, texts = list(folders), [" ".join(command)]
        while texts:
            text = texts.pop()
            self._archives |= set(_ARCHIVE.findall(text))
            mentioned = [folder for folder in remaining if re.search(rf"{re.escape(folder)}(?![\w.-])", text)]
            remaining = [folder for folder in remaining if folder not in mentioned]
            for folder in mentioned:
                texts += self.rewrite_scripts(folder)
        for archive in self._code_archives():
            rewrite_archive(archive, self.rewrite)

    def rewrite_scripts(self, container_path: str) -> list[str]:
        """Replace /opt/ml in the scripts below a folder; the objects in S3 are not changed.

        Returns:
            The original text of the shell scripts.
        """
        shell_scripts = []
        self._code.append(self.path(container_path))
        for path in self.path(container_path).rglob("*"):
            if path.suffix in SCRIPTS and path.is_file() and not path.is_symlink():
                before = os.fsdecode(path.read_bytes())
                after = self.rewrite(before)
                if after != before:
                    path.write_bytes(os.fsencode(after))
                if path.suffix == ".sh":
                    shell_scripts.append(before)
        return shell_scripts

    def requirements(self) -> Path | None:
        """Return the requirements.txt of the rewritten code, packed or not; None if there is none.

        Raises:
            ClientFault: An archive cannot be unpacked.
        """
        for archive in self._code_archives():
            unpacked = self._prefix / "code"
            unpack(archive, unpacked)
            self._code.append(unpacked)
        return next((path for code in self._code if (path := code / "requirements.txt").is_file()), None)

    def use_python(self, python: Sequence[str]) -> None:
        """Make `python` and `pip` run another interpreter from now on.

        Args:
            python: The interpreter's command, to which arguments are appended.

        Raises:
            ClientFault: It does not start.
        """
        _make_commands(self._prefix / "bin", python)
        if python[0] == sys.executable:
            return
        program = "import sysconfig, sys; print(sysconfig.get_path('purelib', 'posix_prefix', {'base': sys.argv[1]}))"
        try:
            command = [*python, "-c", program, str(self._prefix)]
            self._packages = Path(subprocess.check_output(command, text=True, timeout=INTERPRETER_TIMEOUT).strip())
        except (OSError, subprocess.SubprocessError) as error:
            raise ClientFault(f"cannot start the interpreter {shlex.join(python)}: {error}") from error

    def add_command(self, name: str, script: Path) -> None:
        """Make a Python script of this machine a command on the container's PATH."""
        _write_command(self._prefix / "bin" / name, shlex.join(["python", str(script)]))

    def run(self, commands: list[Command]) -> Exit:
        """Run commands until one fails. Returns how the last one ended."""
        last = Exit(0)
        for command in commands:
            last = self._run(command)
            if last.code != 0:
                break
        return last

    def signal(self, number: int) -> None:
        """Send a signal to the running command and its child processes; no other command is started."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                signal_group(self._process.pid, number)

    def close(self, keep: bool) -> None:
        """Release the container's resources and, unless `keep` is set, delete its folder."""
        self._log.close()
        shutil.rmtree(self._prefix, ignore_errors=True)
        if self._link is not None:
            shutil.rmtree(self._link.parent, ignore_errors=True)
        if not keep:
            with contextlib.suppress(OSError):
                remove_tree(self.folder)

    def _code_archives(self) -> list[Path]:
        return [path for code in self._code if code.is_dir() for path in code.iterdir() if path.name in self._archives]

    def _run(self, command: Command) -> Exit:
        arguments = [self.rewrite(argument) for argument in command.arguments]
        with self._lock:
            if self._stopped:
                return Exit(128 + signal.SIGTERM)
            try:
                process = _start(arguments, self.path(command.folder), self._environment(command))
            except OSError as error:
                # a shell's exit code for a command that it cannot start
                return Exit(127, f"cannot start {shlex.join(command.arguments)}: {error.strerror}: {error.filename}")
            self._process = process
        ended, report_end = os.pipe()
        waiting = threading.Thread(target=self._wait, args=(process, report_end), daemon=True)
        waiting.start()
        message = read_output(process, ended, self._log)
        waiting.join()
        os.close(ended)
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        if process.returncode < 0:
            message = _killed(-process.returncode, message)
        return Exit(code, command.failure.format(code=code, message=message, command=shlex.join(command.arguments)))

    def _wait(self, process: subprocess.Popen[bytes], report_end: int) -> None:
        # bounded: after MaxRuntimeInSeconds the job signals its containers
        process.wait()
        with self._lock:
            self._process = None
        # as in a container, all processes end with the first one
        signal_group(process.pid, signal.SIGKILL)
        os.close(report_end)

    def _environment(self, command: Command) -> dict[str, str]:
        own = {name: self.rewrite(value) for name, value in command.environment.items()}
        path = [str(self._prefix / "bin"), own.get("PATH", os.environ.get("PATH", os.defpath))]
        return {
            **common_environment(),
            "SAGEMAKER_BASE_DIR": str(self.root),
            **own,
            # `pip install` only finds packages that are installed or that the job provides as files, and fails
            # immediately for others. What it installs is visible to this job only.
            "PIP_NO_INDEX": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_PREFIX": str(self._prefix),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.pathsep.join(
                filter(
                    None,
                    [
                        str(IN_CONTAINER),
                        str(XGBOOST),
                        str(LINEAR_LEARNER),
                        own.get("PYTHONPATH"),
                        str(self._packages),
                    ],
                )
            ),
            **self._overrides,
        }


def _start(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # Popen would run the next program of that name on PATH, the machine's own Python, if the first one is busy.
    program = shutil.which(arguments[0], path=environment["PATH"]) or arguments[0]
    arguments = [program, *arguments[1:]]
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            return subprocess.Popen(
                arguments,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            # A script that was written a moment ago is "busy" while a process that another thread was starting then
            # still holds the file open; it closes the file when it executes its own program.
            if error.errno != errno.ETXTBSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _killed(number: int, message: str) -> str:
    """Return why a process that a signal has ended has failed, given what it has printed."""
    cause = ", as when memory runs out" if number == signal.SIGKILL else ""
    return f"killed by {signal.Signals(number).name}{cause}{f'; last output: {message}' if message else ''}"


def signal_group(group: int, number: int) -> None:
    """Send a signal to a group of processes, if there still is one."""
    # the group does not exist any more; macOS raises PermissionError for a group that is about to end
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def wait_or_kill(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for the end of a process that was told to end; after some seconds, kill its group."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        signal_group(process.pid, signal.SIGKILL)
        process.wait()


def inherited_environment(*more: str) -> dict[str, str]:
    """Return those of this process's environment variables that processes of jobs have, too, and some others."""
    return {name: os.environ[name] for name in (*INHERITED_VARIABLES, *more) if name in os.environ}


def common_environment() -> dict[str, str]:
    """Return the environment variables of all jobs' processes, which a job may override."""
    return {
        **inherited_environment(),
        # output reaches the log as soon as it is printed
        "PYTHONUNBUFFERED": "1",
        # Jobs share this machine's processors. By default, OpenMP's threads spin while they wait for each other, which
        # takes ten times as long as yielding the processor if another job is running.
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def remove_stale_links(data_dir: Path) -> None:
    """Remove the links to folders of containers that a killed server has left; none of these may be running."""
    for link in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*/ml"):
        with contextlib.suppress(OSError):
            if link.readlink().is_relative_to(data_dir):
                link.unlink()
                link.parent.rmdir()


def _make_commands(folder: Path, python: Sequence[str]) -> None:
    """Create a folder for the front of PATH in which `python` and `pip` run an interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    interpreter = shlex.join(python)
    for name, target in {"python": "", "python3": "", "pip": " -m pip", "pip3": " -m pip"}.items():
        # a symbolic link would not work: Python would not find the virtual environment that it belongs to
        _write_command(folder / name, f"{interpreter}{target}")


def _write_command(path: Path, command: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
