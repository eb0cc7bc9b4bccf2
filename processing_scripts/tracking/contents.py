"""What is logged of an execution, read from the files of its steps. Nothing here needs MLflow."""

from __future__ import annotations

import csv
import io
import json
import math
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

# MLflow's limit of a tag and of a parameter that all versions of the server accept
LONGEST_TEXT = 5_000
STATUSES = {"Completed": "FINISHED", "Stopped": "KILLED"}


class Point(NamedTuple):
    """A metric at a boosting iteration; final metrics are at 0."""

    name: str
    value: float
    iteration: int = 0


@dataclass(frozen=True)
class RunContents:
    """The contents of a run."""

    parameters: Mapping[str, str]
    metrics: list[Point]
    status: str = "FINISHED"
    tags: Mapping[str, str] = field(default_factory=dict)


def execution_contents(summary: Mapping[str, Any], training: Mapping[str, Any], curve: str) -> RunContents:
    """Return the contents of the run of an execution.

    Args:
        summary: Evaluate's summary.json.
        training: Train's metrics.json.
        curve: Train's training_curve.csv.
    """
    verdict = summary["verdict"]
    chosen = {
        "problem_type": summary["problem_type"],
        "target": summary["target"],
        "calibration": summary["calibration"]["method"],
    }
    if summary["decision_threshold"]:
        chosen["decision_threshold"] = summary["decision_threshold"]["value"]
    chosen |= {
        f"{gate['metric']}_required": f"{'at most' if gate['direction'] == 'max' else 'at least'} {gate['threshold']:g}"
        for gate in summary["gates"]
    }
    return RunContents(
        parameters=texts(summary["parameters"] | chosen),
        metrics=[*final_metrics(summary, training), *curve_points(curve)],
        # an execution whose model is not good enough fails
        status="FINISHED" if verdict["passed"] else "FAILED",
        tags={"mlflow.note.content": "\n\n".join([f"{verdict['sentence']}.", *summary["remarks"]])[:LONGEST_TEXT]},
    )


def trial_contents(trial: Mapping[str, Any], objective: str, curve: str) -> RunContents:
    """Return the contents of the run of a trial, as summary.json has it."""
    final = [] if trial["value"] is None else [Point(metric_name(objective), trial["value"])]
    if trial["seconds"] is not None:
        final.append(Point("training_seconds", trial["seconds"]))
    return RunContents(
        parameters=texts(trial["hyperparameters"]),
        metrics=[*final, *curve_points(curve)],
        status=STATUSES.get(trial["status"], "FAILED"),
        tags={"mlflow.note.content": trial["failure"][:LONGEST_TEXT]} if trial["failure"] else {},
    )


def final_metrics(summary: Mapping[str, Any], training: Mapping[str, Any]) -> Iterator[Point]:
    """Yield the metrics of each split, those of the test split with the ends of their 95 % intervals."""
    for name, interval in summary["metrics"]["test"].items():
        for suffix, part in (("", "value"), ("_lower", "lower"), ("_upper", "upper")):
            yield from point(f"test_{name}{suffix}", interval[part])
    for split in ("train", "validation"):
        for name, value in summary["metrics"][split].items():
            yield from point(f"{split}_{name}", value)
    for name, fold in ((summary["folds"] or {}).get("metrics") or {}).items():
        yield from point(f"folds_{metric_name(name)}_mean", fold["mean"])
        yield from point(f"folds_{metric_name(name)}_standard_deviation", fold["standard_deviation"])
    for name in ("best_iteration", "training_seconds"):
        yield from point(name, training.get(name))
    for split, rows in summary["rows"].items():
        yield from point(f"{split}_rows", rows)


def curve_points(curve: str) -> Iterator[Point]:
    """Yield the metrics of training_curve.csv by boosting iteration, apart from the final ones of the same names."""
    for row in csv.DictReader(io.StringIO(curve)):
        iteration = int(row.pop("iteration"))
        for name, value in row.items():
            if value:
                yield from point(f"boosting/{metric_name(name)}", float(value), iteration)


def point(name: str, value: float | None, iteration: int = 0) -> Iterator[Point]:
    if value is not None and math.isfinite(value):
        yield Point(name, float(value), iteration)


def metric_name(name: str) -> str:
    """Return a name that MLflow accepts, such as of validation:ndcg@5."""
    return name.replace("@", "_at_").replace(":", "_")


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as texts, without those that have no value."""
    return {
        name: (value if isinstance(value, str) else json.dumps(value))[:LONGEST_TEXT]
        for name, value in values.items()
        if value not in (None, "")
    }


def read_member(archive: Path, name: str) -> str:
    """Read a text file of a tar.gz archive; empty if it is not there."""
    with tarfile.open(archive, "r:gz") as members:
        for member in members:
            file = members.extractfile(member) if member.name.removeprefix("./") == name else None
            if file is not None:
                return file.read().decode("utf-8")
    return ""
