"""The output of containers' processes: read as it is printed, logged, and searched for an error message."""

from __future__ import annotations

import logging
import os
import re
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, ClassVar

from local_sagemaker.containers.failure_message import failure_message
from local_sagemaker.protocol.times import iso_milliseconds

log = logging.getLogger(__name__)

# CloudWatch's quota for an event
MAX_EVENT_BYTES = 256 * 1024
# the last lines of the output, in which the error message is searched
LAST_LINES = 200

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class LogStream:
    """The file of a log stream, with one event per line, as `local_sagemaker.storage.log_files` describes.

    If the disk refuses a line, it is lost, and the job continues.

    Args:
        path: The file; its folder is created.
        on_line: Called with each line and its time in epoch seconds.

    Attributes:
        open_files: The files of all streams that are not closed, which must not be removed.
    """

    open_files: ClassVar[set[Path]] = set()

    def __init__(self, path: Path, on_line: Callable[[str, float], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.open_files.add(path)
        self._file = path.open("ab", buffering=0)
        self._on_line = on_line
        self._has_lost_lines = False

    def write(self, lines: Iterable[str]) -> None:
        """Append lines, with the current time."""
        now = time.time()
        timestamp = iso_milliseconds(now)
        events = []
        for line in lines:
            events.append(f"{timestamp} {line}\n")
            self._on_line(line, now)
        try:
            self._file.write("".join(events).encode())
        except OSError as error:
            if not self._has_lost_lines:
                log.error("%s: losing log lines: %s", self._file.name, error)
            self._has_lost_lines = True

    def close(self) -> None:
        self._file.close()
        self.open_files.discard(self._path)


def read_output(process: subprocess.Popen[bytes], ended: int, stream: LogStream) -> str:
    """Log a process's output line by line until it ends.

    Args:
        process: The process, with pipes for standard output and standard error.
        ended: A file descriptor that becomes readable once the process and its group have ended. After that, only what
            is already in the pipes is read, because a process that has left the group may keep them open.
        stream: Where the output is logged.

    Returns:
        The error message found in the last lines; see `failure_message`.
    """
    assert process.stdout is not None and process.stderr is not None
    output, errors = _PipeReader(process.stdout), _PipeReader(process.stderr)
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ, None)
        for source in (output, errors):
            selector.register(source.pipe, selectors.EVENT_READ, source)
        timeout = None
        while len(selector.get_map()) > (timeout is None) and (ready := selector.select(timeout)):
            # if both are ready, standard output was most likely printed before the error
            for key, _ in sorted(ready, key=lambda item: item[0].data is errors):
                if key.data is None:
                    selector.unregister(ended)
                    timeout = 0
                elif not key.data.read(stream):
                    selector.unregister(key.fileobj)
    for source in (output, errors):
        source.finish(stream)
    return failure_message(errors.last, output.last)


class _PipeReader:
    """Reads lines from a pipe of a process."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe = pipe
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self._unfinished_line = b""

    def read(self, stream: LogStream) -> bool:
        """Log the lines that are available. Returns False at the end."""
        chunk = os.read(self.pipe.fileno(), 1 << 16)
        *lines, self._unfinished_line = (self._unfinished_line + chunk).split(b"\n")
        if len(self._unfinished_line) >= MAX_EVENT_BYTES:
            lines, self._unfinished_line = [*lines, self._unfinished_line], b""
        self._write(lines, stream)
        return bool(chunk)

    def finish(self, stream: LogStream) -> None:
        """Log the last line if it has no line break, and close the pipe."""
        self._write([self._unfinished_line] if self._unfinished_line else [], stream)
        self.pipe.close()

    def _write(self, lines: list[bytes], stream: LogStream) -> None:
        texts = [line.decode("utf-8", errors="replace").rstrip("\r") for line in lines]
        # as in CloudWatch; the metric definitions of SageMaker's algorithms match a tab that is written as #011
        stream.write(_CONTROL.sub(lambda match: f"#{ord(match[0]):03o}", text) for text in texts)
        self.last.extend(texts)
