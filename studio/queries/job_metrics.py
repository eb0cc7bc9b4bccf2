"""Metrics of a training job over its run, found in the log by the regular expressions of the job, as SageMaker does."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from project.target import Target
from studio.queries.jobs import Job
from studio.queries.logs import list_streams, read_first_events

# a regular expression of a job may take long for long lines
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
    remarks = [] if are_all else [f"The log is long: only the metrics in its first {len(events):,} lines are shown."]
    return Curves(curves_of([event.message for event in events], job.metric_regexes), remarks)


def curves_of(lines: Sequence[str], regexes: Mapping[str, str]) -> dict[str, list[Point]]:
    """Return the values that regular expressions find in lines, by the names of the metrics."""
    compiled = [(name, pattern) for name, regex in regexes.items() if (pattern := _compiled(regex))]
    numbered: dict[str, list[Point]] = defaultdict(list)
    others: dict[str, list[Point]] = defaultdict(list)
    for line in lines:
        text = line[:_LONGEST_LINE]
        step = _STEP.search(text)
        for name, pattern in compiled:
            if (match := pattern.search(text)) and (value := _number(match)) is not None:
                if step:
                    numbered[name].append(Point(int(step[1] or step[2]), value))
                else:
                    others[name].append(Point(len(others[name]) + 1, value))
    # a line without a step often repeats the final value
    curves = {**others, **{name: points for name, points in numbered.items() if len(points) > 1}}
    return {name: points for name, points in curves.items() if len(points) > 1}


def _compiled(regex: str) -> re.Pattern[str] | None:
    try:
        return re.compile(regex)
    except re.error:
        # SageMaker's regular expressions are Java's
        return None


def _number(match: re.Match[str]) -> float | None:
    try:
        value = float(match[1] if match.re.groups else match[0])
    except (TypeError, ValueError):
        return None
    # JSON, which plots are given as, has no other numbers
    return value if math.isfinite(value) else None
