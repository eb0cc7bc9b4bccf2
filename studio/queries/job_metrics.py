"""Metrics of a training job over its run, found in the log by the regular expressions of the job, as SageMaker does."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from project.target import Target
from studio.queries.jobs import Job
from studio.queries.logs import list_streams, read_first_events

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# for all metrics of a job; the search may take twice as long
SEARCH_SECONDS = 5.0
_LONGEST_LINE = 2_000
# how scripts usually name the step that a line is about, such as "iteration=40 of 500", "Epoch 3" or XGBoost's "[12]"
_STEP = re.compile(r"^\[(\d+)\]|\b(?:iteration|epoch|step|round)\b\W{0,3}(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Point:
    """A value of a metric.

    Attributes:
        step: The iteration or epoch that the line names; without one, the number of the value.
    """

    step: int
    value: float


@dataclass(frozen=True)
class Curves:
    """The metrics of a training job over its run.

    Attributes:
        points: The values of each metric in order; metrics with one value are left out.
        remarks: What is not shown, and why.
    """

    points: Mapping[str, Sequence[Point]]
    remarks: Sequence[str] = ()


def read_curves(target: Target, job: Job) -> Curves:
    """Return the values that the log of a training job has of its metrics."""
    if not job.metric_regexes:
        return Curves({})
    streams = list_streams(target, job.log_group, f"{job.name}/", 1).items
    if not streams:
        return Curves({})
    events, are_all = read_first_events(target, job.log_group, streams[0].name)
    curves = curves_of([event.message for event in events], job.metric_regexes)
    if are_all:
        return curves
    remark = f"The log is long: only the metrics in its first {len(events):,} lines are shown."
    return Curves(curves.points, [remark, *curves.remarks])


def curves_of(lines: Sequence[str], regexes: Mapping[str, str]) -> Curves:
    """Return the values that regular expressions find in lines, by the names of the metrics.

    Whoever creates a job may write an expression that takes Python's `re` hours for one line, during which it does not
    release the global interpreter lock. DuckDB's engine, RE2, takes a time that is linear in the length of a line, and
    DuckDB releases the lock.
    """
    # DuckDB takes a moment
    import duckdb

    # JSON can escape unpaired surrogates, which UTF-8 cannot encode
    texts = [line[:_LONGEST_LINE].encode(errors="replace").decode() for line in lines]
    steps = [int(step[1] or step[2]) if (step := _STEP.search(text)) else None for text in texts]
    curves: dict[str, list[Point]] = {}
    remarks = []
    deadline = time.monotonic() + SEARCH_SECONDS
    with duckdb.connect(config={"threads": 1, "enable_external_access": False}) as connection:
        for name, regex in regexes.items():
            try:
                found = _search(connection, regex, texts, deadline)
            except duckdb.Error as error:
                reason = str(error).partition(": ")[2]
                remarks.append(f"{name} is not shown: its regular expression {regex} is not supported ({reason}).")
            except TimeoutError:
                remarks.append(f"{name} is not shown: the search for its regular expression {regex} takes too long.")
            else:
                curves[name] = _points(found, steps)
    # other metrics are values of the whole job, which are shown elsewhere
    return Curves({name: points for name, points in curves.items() if len(points) > 1}, remarks)


def _search(connection: DuckDBPyConnection, regex: str, lines: Sequence[str], deadline: float) -> list[str]:
    """Return what a regular expression finds in each line: its first group, without groups all of it, or nothing.

    Raises:
        duckdb.Error: The engine does not support the expression, such as one that looks ahead.
        TimeoutError: The search takes longer than until the deadline.
    """
    import duckdb

    connection.execute("SELECT regexp_extract('', $1)", [regex])
    try:
        connection.execute("SELECT regexp_extract('', $1, ['value'])", [regex])
    except duckdb.BinderException:
        group = 0
    else:
        group = 1
    query = "SELECT regexp_extract(line, $1, $2) FROM (SELECT unnest($3::VARCHAR[]) AS line)"
    found: list[str] = []
    # a call cannot be interrupted: by growing batches, the last one takes about as long as all before
    size = 1
    while len(found) < len(lines):
        if time.monotonic() > deadline:
            raise TimeoutError
        batch = lines[len(found) : len(found) + size]
        found += [text for (text,) in connection.execute(query, [regex, group, batch]).fetchall()]
        size *= 2
    return found


def _points(found: Sequence[str], steps: Sequence[int | None]) -> list[Point]:
    values = [(step, value) for text, step in zip(found, steps, strict=True) if (value := _number(text)) is not None]
    numbered = [Point(step, value) for step, value in values if step is not None]
    # a line without a step often repeats the final value
    if len(numbered) > 1:
        return numbered
    return [Point(number, value) for number, (_, value) in enumerate((item for item in values if item[0] is None), 1)]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    # JSON, which plots are given as, has no other numbers
    return value if math.isfinite(value) else None
