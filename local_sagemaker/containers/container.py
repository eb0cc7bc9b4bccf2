"""One host of a job: processes in a folder of their own that stands for the container's /opt/ml."""

from __future__ import annotations

import contextlib
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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_sagemaker.containers.output import LogStream, read_output
from local_sagemaker.storage.transfers import SCRIPTS, ClientFault, inside, rewrite_archive, unpack

CONTAINER_ROOT = "/opt/ml"
# for an interpreter to say where its packages are
START_SECONDS = 30
IN_CONTAINER = Path(__file__).parent / "in_container"
XGBOOST = Path(__file__).parents[1] / "algorithms" / "xgboost"

# what a job's processes have of the server's own environment, beside PATH
INHERITED = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")

_ROOT_IN_TEXT = re.compile(rf"(?<![\w.-]){re.escape(CONTAINER_ROOT)}(?![\w.-])")
# what a shell script unpacks
_ARCHIVE = re.compile(r"\btar\s+-?x\w*\s+(?:[\w./-]*/)?([\w.-]+)")
_PLAIN_PATH = re.compile(r"[\w@%+=:,./-]+")


@dataclass(frozen=True)
class Command:
    """A process of a container.

    arguments, environment and folder (where it starts) name paths as the container does.
    failure: how the image words the command's failure, with {code}, {words} and {command} to fill in.
    """

    arguments: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = CONTAINER_ROOT
    failure: str = "{words}"


@dataclass(frozen=True)
class Exit:
    """How a container ended. code: as a shell has it, 0 for success. reason: what the image says of a failure."""

    code: int
    reason: str = ""


class Container:
    """A folder that looks like /opt/ml to the processes run in it, one after the other.

    folder: is made. environment: wins over all that a job sets.
    """

    def __init__(self, folder: Path, host: str, log: LogStream, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.host = host
        self._log = log
        self._imposed = environment
        self._link: Path | None = None
        if not _PLAIN_PATH.fullmatch(str(folder)):
            # a shell script that says /opt/ml/x without quotes would fall apart at a space
            self._link = Path(tempfile.mkdtemp(prefix="sagemaker-")) / "ml"
            self._link.symlink_to(folder, target_is_directory=True)
        self.root = self._link or folder
        self._prefix = folder.with_name(f"{folder.name}.python")
        self._packages = Path(sysconfig.get_path("purelib", "posix_prefix", {"base": str(self._prefix)}))
        _make_commands(self._prefix / "bin", [sys.executable])
        self._code: list[Path] = []
        self._archives: set[str] = set()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def path(self, container_path: str) -> Path:
        """Where a path of the container, or one relative to its /opt/ml, lies. Raises ClientFault if it leads out."""
        if container_path == CONTAINER_ROOT or container_path.startswith(f"{CONTAINER_ROOT}/"):
            container_path = container_path.removeprefix(CONTAINER_ROOT).lstrip("/")
        return inside(self.root, container_path)

    def write_json(self, container_path: str, content: Any) -> None:
        path = self.path(container_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")

    def read_text(self, container_path: str, largest: int = 1024) -> str:
        """The beginning of a text file that the job may have left, "" where it has not."""
        try:
            with self.path(container_path).open(encoding="utf-8", errors="replace") as file:
                return file.read(largest).strip()
        except OSError:
            return ""

    def rewrite(self, text: str) -> str:
        """The text with the container's /opt/ml replaced by the folder that stands for it."""
        return _ROOT_IN_TEXT.sub(lambda match: str(self.root), text)

    def rewrite_code(self, command: Sequence[str], folders: Iterable[str]) -> None:
        """Rewrite the scripts in those of the folders that hold code: which the command, or a shell script in one of
        them, leads into. An archive that a shell script unpacks is rewritten too.
        """
        rest, texts = list(folders), [" ".join(command)]
        while texts:
            text = texts.pop()
            self._archives |= set(_ARCHIVE.findall(text))
            found = [folder for folder in rest if re.search(rf"{re.escape(folder)}(?![\w.-])", text)]
            rest = [folder for folder in rest if folder not in found]
            for folder in found:
                texts += self.rewrite_scripts(folder)
        for archive in self._code_archives():
            rewrite_archive(archive, self.rewrite)

    def rewrite_scripts(self, container_path: str) -> list[str]:
        """Rewrite the scripts below a folder, for those that spell out /opt/ml; the objects in S3 stay as they are.

        Returns the shell scripts among them as they were.
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
        """The requirements.txt of the code that has been rewritten, in an archive or not; None where there is none.

        Raises ClientFault for an archive that cannot be unpacked.
        """
        for archive in self._code_archives():
            unpacked = self._prefix / "code"
            unpack(archive, unpacked)
            self._code.append(unpacked)
        return next((path for code in self._code if (path := code / "requirements.txt").is_file()), None)

    def use_python(self, python: Sequence[str]) -> None:
        """Have `python` and `pip` mean another Python from here on; python: its command, up to its first argument.

        Raises ClientFault where it does not start.
        """
        _make_commands(self._prefix / "bin", python)
        if python[0] == sys.executable:
            return
        where = "import sysconfig, sys; print(sysconfig.get_path('purelib', 'posix_prefix', {'base': sys.argv[1]}))"
        try:
            asked = [*python, "-c", where, str(self._prefix)]
            self._packages = Path(subprocess.check_output(asked, text=True, timeout=START_SECONDS).strip())
        except (OSError, subprocess.SubprocessError) as error:
            raise ClientFault(f"the interpreter {shlex.join(python)} cannot be started: {error}") from error

    def run(self, commands: list[Command]) -> Exit:
        """Run commands until one fails; say how the last one ended."""
        last = Exit(0)
        for command in commands:
            last = self._run(command)
            if last.code != 0:
                break
        return last

    def signal(self, number: int) -> None:
        """Send a signal to the running command and all it has started; no other command is started."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                _signal_group(self._process.pid, number)

    def close(self, keep: bool) -> None:
        """Give back what the container holds; its folder too, unless `keep`."""
        self._log.close()
        shutil.rmtree(self._prefix, ignore_errors=True)
        if self._link is not None:
            shutil.rmtree(self._link.parent, ignore_errors=True)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _code_archives(self) -> list[Path]:
        return [path for code in self._code if code.is_dir() for path in code.iterdir() if path.name in self._archives]

    def _run(self, command: Command) -> Exit:
        arguments = [self.rewrite(argument) for argument in command.arguments]
        with self._lock:
            if self._ended:
                return Exit(128 + signal.SIGTERM)
            try:
                process = subprocess.Popen(
                    arguments,
                    cwd=self.path(command.folder),
                    env=self._environment(command),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                # 127 is what a shell says of a command that it cannot start
                return Exit(
                    127, f"{shlex.join(command.arguments)} cannot be started: {error.strerror}: {error.filename}"
                )
            self._process = process
        over, report_over = os.pipe()
        waiting = threading.Thread(target=self._wait, args=(process, report_over), daemon=True)
        waiting.start()
        words = read_output(process, over, self._log)
        waiting.join()
        os.close(over)
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        if process.returncode < 0 and not words:
            words = f"killed by {signal.Signals(-process.returncode).name}"
        return Exit(code, command.failure.format(code=code, words=words, command=shlex.join(command.arguments)))

    def _wait(self, process: subprocess.Popen[bytes], report_over: int) -> None:
        process.wait()  # no longer than the job's MaxRuntimeInSeconds: then the job signals its containers
        with self._lock:
            self._process = None
        # as in a container, everything ends with its first process
        _signal_group(process.pid, signal.SIGKILL)
        os.close(report_over)

    def _environment(self, command: Command) -> dict[str, str]:
        own = {name: self.rewrite(value) for name, value in command.environment.items()}
        path = [str(self._prefix / "bin"), own.get("PATH", os.environ.get("PATH", os.defpath))]
        return {
            **common_environment(),
            "SAGEMAKER_BASE_DIR": str(self.root),
            **own,
            # What is installed and what a job brings with it is all there is: `pip install` of anything else fails at
            # once. What the job brings is installed for this job alone.
            "PIP_NO_INDEX": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_PREFIX": str(self._prefix),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(IN_CONTAINER), str(XGBOOST), own.get("PYTHONPATH"), str(self._packages)])
            ),
            **self._imposed,
        }


def _signal_group(group: int, number: int) -> None:
    # gone already; macOS says PermissionError of a group that is about to go
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def common_environment() -> dict[str, str]:
    """What the processes of all jobs have, unless a job says otherwise."""
    return {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        # lines reach the log when they are printed
        "PYTHONUNBUFFERED": "1",
        # Jobs share this machine's processors. OpenMP's threads would wait for each other at full speed, which with
        # another job beside takes ten times as long as giving the processor away.
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def _make_commands(folder: Path, python: Sequence[str]) -> None:
    """Make a folder for the front of PATH, in which `python` and `pip` mean this Python."""
    folder.mkdir(parents=True, exist_ok=True)
    interpreter = shlex.join(python)
    for name, target in {"python": "", "python3": "", "pip": " -m pip", "pip3": " -m pip"}.items():
        script = folder / name
        # not a link: through one, Python would not find the virtual environment that it belongs to
        script.write_text(f'#!/bin/sh\nexec {interpreter}{target} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
