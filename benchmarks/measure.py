"""Measurement of whole processes: wall-clock time, processor time and peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ERROR_LINES = 15


@dataclass(frozen=True)
class Command:
    """A process to run: its arguments, and environment variables to add."""

    arguments: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One run of one contender: wall-clock seconds, processor seconds of all its threads, peak resident bytes."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Measurement:
    """All runs of one contender, compared by their medians."""

    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        """The median wall-clock time."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """The median processor time, which depends little on other load."""
        return statistics.median(run.cpu_seconds for run in self.runs)

    @property
    def peak_megabytes(self) -> float:
        """The median peak memory, in 10**6 bytes."""
        return statistics.median(run.peak_bytes for run in self.runs) / 1e6


def run_once(commands: Sequence[Command], folder: Path) -> Run:
    """Run processes sequentially, and measure them including interpreter start and imports.

    Args:
        commands: The processes.
        folder: Working directory; the output goes to ``output.log`` in it.

    Returns:
        The sum of the times and the highest of the peaks.

    Raises:
        RuntimeError: A process failed; the message has the end of its output.
    """
    runs = [_run(command, folder) for command in commands]
    return Run(
        seconds=sum(run.seconds for run in runs),
        cpu_seconds=sum(run.cpu_seconds for run in runs),
        peak_bytes=max(run.peak_bytes for run in runs),
    )


def _run(command: Command, folder: Path) -> Run:
    log = folder / "output.log"
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command.arguments, cwd=folder, env={**os.environ, **command.variables}, stdout=output, stderr=output
        )
        # wait4, because getrusage(RUSAGE_CHILDREN) returns the peak of all child processes so far.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-ERROR_LINES:]
        failure = f"{' '.join(command.arguments)} failed with exit status {process.returncode}"
        raise RuntimeError("\n".join([f"{failure}:", *lines]))
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
