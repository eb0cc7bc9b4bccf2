"""What a job's processes print: read as it comes, written to the job's log, and their last words kept."""

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
from typing import IO

from local_sagemaker.protocol.times import iso_milliseconds

log = logging.getLogger(__name__)

# CloudWatch's largest event, bytes
LARGEST_EVENT = 256 * 1024
# lines of a process's end among which its last words are looked for, and the most that is made of them
LAST_LINES = 40
MOST_WORDS = 700

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class LogStream:
    """A log stream's file: a line an event, as `local_sagemaker.storage.log_files` describes it.

    on_line: called with each line and its time in epoch seconds. Lines that the disk refuses are lost; the job goes on.
    """

    def __init__(self, path: Path, on_line: Callable[[str, float], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._on_line = on_line
        self._refused = False

    def write(self, lines: Iterable[str]) -> None:
        now = time.time()
        moment = iso_milliseconds(now)
        events = []
        for line in lines:
            events.append(f"{moment} {line}\n")
            self._on_line(line, now)
        try:
            self._file.write("".join(events).encode())
        except OSError as error:
            if not self._refused:
                log.error("%s: lines are lost: %s", self._file.name, error)
            self._refused = True

    def close(self) -> None:
        self._file.close()


def read_output(process: subprocess.Popen[bytes], over: int, stream: LogStream) -> str:
    """Log a process's output line by line until it ends; return its last words.

    over: a file descriptor that becomes readable once the process, and its group, have ended. From then on only what is
    in the pipes already is read: a process that has left the group may hold them open for ever.
    """
    assert process.stdout is not None and process.stderr is not None
    output, errors = _Lines(process.stdout), _Lines(process.stderr)
    with selectors.DefaultSelector() as selector:
        selector.register(over, selectors.EVENT_READ, None)
        for source in (output, errors):
            selector.register(source.pipe, selectors.EVENT_READ, source)
        timeout = None
        while len(selector.get_map()) > (timeout is None) and (ready := selector.select(timeout)):
            # of two that are ready at once, what was printed came before the error that ended it
            for key, _ in sorted(ready, key=lambda item: item[0].data is errors):
                if key.data is None:
                    selector.unregister(over)
                    timeout = 0
                elif not key.data.read(stream):
                    selector.unregister(key.fileobj)
    for source in (output, errors):
        source.finish(stream)
    return last_words(errors.last) or last_words(output.last)


def last_words(lines: Iterable[str]) -> str:
    """What a failed process said last: a Python exception without its traceback, else the last lines."""
    lines = [line.rstrip() for line in lines if line.strip()]
    traceback = [index for index, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if traceback:
        after = lines[traceback[-1] + 1 :]
        lines = [line for line in after if not line.startswith((" ", "\t"))] or after
    while len(lines) > 1 and len("\n".join(lines)) > MOST_WORDS:
        del lines[0]
    return "\n".join(lines[-10:])[:MOST_WORDS]


class _Lines:
    """One of a process's two pipes, taken apart into lines."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe = pipe
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self._rest = b""

    def read(self, stream: LogStream) -> bool:
        """Log the lines that are there; False at the end."""
        chunk = os.read(self.pipe.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) >= LARGEST_EVENT:
            lines, self._rest = [*lines, self._rest], b""
        self._write(lines, stream)
        return bool(chunk)

    def finish(self, stream: LogStream) -> None:
        """Log what is left without an end of line."""
        self._write([self._rest] if self._rest else [], stream)
        self.pipe.close()

    def _write(self, lines: list[bytes], stream: LogStream) -> None:
        texts = [line.decode("utf-8", errors="replace").rstrip("\r") for line in lines]
        # as in CloudWatch; the metrics of SageMaker's own algorithms are found by a tab written #011
        stream.write(_CONTROL.sub(lambda match: f"#{ord(match[0]):03o}", text) for text in texts)
        self.last.extend(texts)
