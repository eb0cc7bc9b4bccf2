"""Progress of many requests: a bar on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from deployment.invocations import RequestReport
from project.display import console

_SECONDS_BETWEEN_LINES = 3.0


@contextmanager
def request_progress(total: int, title: str) -> Iterator[RequestReport]:
    """Show the progress of requests while they are sent, and yield the function that receives it.

    Args:
        total: Number of requests to send.
        title: What is shown before the first request has been answered.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)
        began = line_time = 0.0

        def report(completed: int, failed: int) -> None:
            nonlocal began, line_time
            now = time.monotonic()
            # the first answer starts the clock: checks that come before are no part of the rate
            began, line_time = began or now, line_time or now
            rate = f", {completed / (now - began):.0f}/s" if now > began else ""
            text = f"{completed} of {total} requests{rate}, {failed} failed"
            if console.is_terminal:
                progress.update(task, completed=completed, description=text)
            elif now - line_time >= _SECONDS_BETWEEN_LINES:
                line_time = now
                console.print(text)

        yield report
