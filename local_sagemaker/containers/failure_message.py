"""Finds the reason of a failure in what a process has printed: the sentence of its exception.

A process prints more than that when it fails. Destructors, exit handlers and warnings come after the exception, frames
of the stack before or after it, and a parent process reports that its child has failed, which has said why.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

# maximum length of a message in characters, and in lines if there is no exception
LONGEST = 700
LONGEST_LINES = 10

# of Python, or of rich, which draws a box around the frames: in ASCII where the encoding has no better characters
_TRACEBACK = re.compile(r"(?:[╭+][─-]+ )?Traceback \(most recent call last\)(?::| [─-]+[╮+])$")
_FRAME_BEGINNINGS = (" ", "\t", "│", "|", "╰", "+")
_GROUP = re.compile(r"\s*\+ Exception Group Traceback \(most recent call last\):$")
_GROUP_LINE = re.compile(r"(?:\s*[|+](?:-\+)?)+ ?(.*)$")
_CHAINED = re.compile(r"During handling of the above exception|The above exception was the direct cause")
# before the traceback of an exception that does not end the process
_NOT_FATAL = re.compile(r"Exception ignored |Error in atexit\.|Exception in thread |--- Logging error ---")
# an end by something other than an exception of Python
_ABORT = re.compile(r"terminate called after throwing |Fatal Python error: ")
# the exception of a parent process, whose child has said why it has failed
_CHILD_FAILED = re.compile(r"subprocess\.CalledProcessError: ")
_WARNING = re.compile(r"\S+:\d+: \w*Warning: ")
# what C++ says of threads of a process that ends anyway
_NOISE = "terminate called without an active exception"
# printed without a traceback, after the line of code
_SYNTAX_ERROR = re.compile(r"(?:Syntax|Indentation|Tab)Error: ")
# frames of native code, which XGBoost appends to its messages, and faulthandler to its own
_FRAMES = re.compile(r"Stack trace:$|\s*\[bt\] \(\d+\)|(?:Current thread|Thread) 0x|Stack \(most|Extension modules: ")


def failure_message(errors: Iterable[str], output: Iterable[str] = ()) -> str:
    """Return why a process has failed, "" if it has printed nothing about it.

    Args:
        errors: The last lines of its standard error.
        output: The last lines of its standard output, which are searched if the others say nothing.

    Returns:
        The exception or abort that has ended the process, without its frames; else the last lines.
    """
    return _message(errors) or _message(output)


def _message(printed: Iterable[str]) -> str:
    parts = list(_parts(_without_warnings(printed)))
    exceptions = [part for heading, part in parts if heading is not None and part]
    # the exceptions before it are not about the child if there are none
    while len(exceptions) > 1 and _CHILD_FAILED.match(exceptions[-1][0]):
        del exceptions[-1]
    return _shortened(exceptions[-1] if exceptions else [line for _, part in parts for line in part][-LONGEST_LINES:])


def _without_warnings(printed: Iterable[str]) -> Iterator[str]:
    """Yield the lines that are not empty, without warnings, and without the line of code that follows each."""
    follows_warning = False
    for line in printed:
        is_warning = bool(_WARNING.match(line))
        if line.strip() and not is_warning and line != _NOISE and not (follows_warning and line.startswith("  ")):
            yield line.rstrip()
        follows_warning = is_warning


def _parts(lines: Iterable[str]) -> Iterator[tuple[re.Pattern[str] | None, list[str]]]:
    """Yield what was printed of each exception that may have ended the process, and None with what was printed before.

    An exception is yielded with what has begun its part: its traceback, or the message of an abort.
    """
    heading: re.Pattern[str] | None = None
    part: list[str] = []
    is_fatal = True
    for line in lines:
        beginning = next((pattern for pattern in _BEGINNINGS if pattern.match(line)), None)
        if beginning is None:
            part.append(line)
            continue
        if is_fatal:
            yield heading, _without_frames(heading, part)
        # the traceback of an exception that is not fatal follows at once
        is_fatal = beginning is not _NOT_FATAL and (is_fatal or heading is not _NOT_FATAL or bool(part))
        heading, part = beginning, [line] if beginning is _ABORT else []
    if is_fatal:
        yield heading, _without_frames(heading, part)


_BEGINNINGS = (_TRACEBACK, _GROUP, _CHAINED, _NOT_FATAL, _ABORT)


def _without_frames(heading: re.Pattern[str] | None, part: list[str]) -> list[str]:
    """Return the lines of the exception itself; none after words that join two exceptions."""
    if heading is _CHAINED:
        return []
    if heading is _GROUP:
        contents = [match[1] for line in part if (match := _GROUP_LINE.match(line))]
        return [line for line in contents if line and not line.startswith((" ", "-", "Traceback", "Exception Group"))]
    if heading is None and part and _SYNTAX_ERROR.match(part[-1]):
        return part[-1:]
    if heading is _TRACEBACK:
        first = next((index for index, line in enumerate(part) if not line.startswith(_FRAME_BEGINNINGS)), len(part))
        part = part[first:]
    return list(itertools.takewhile(lambda line: not _FRAMES.match(line), part))


def _shortened(lines: list[str]) -> str:
    """Join lines to a message that is not too long; its beginning names the exception."""
    return "\n".join(lines)[:LONGEST].rstrip()
