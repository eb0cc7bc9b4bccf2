"""Sends requests to a serving contender and times them; in this folder because each peer has its own environment."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

CALLS, BATCHES, WARM_UP = 5000, 200, 50


def run(load: Callable[[Path], tuple[Callable[[bytes], str], Callable[[bytes], str]]]) -> None:
    """Measure a contender and print the results as JSON; with `cold` as the second argument, predict one record only.

    Args:
        load: Loads the model from the folder of model and requests, and returns two functions that convert a request
            body to a response body: one for a JSON record, one for CSV rows. Both responses contain the probability,
            for CSV in the last field.
    """
    folder = Path(sys.argv[1])
    record, rows = load(folder)
    bodies = (folder / "records.jsonl").read_bytes().splitlines()
    if sys.argv[2:] == ["cold"]:
        record(bodies[0])
        return
    body = (folder / "rows.csv").read_bytes()
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    answers = [json.loads(record(line))["predictions"][0]["probability"] for line in bodies[:WARM_UP]]
    batch = [float(line.rpartition(",")[2]) for line in rows(body).splitlines()]
    differences = [abs(a - b) for a, b in zip([*answers, *batch], [*expected[:WARM_UP], *expected], strict=True)]
    measured = {
        "record_microseconds": 1e6 * median_seconds(record, bodies, CALLS),
        "rows_per_second": len(bodies) / median_seconds(rows, [body], BATCHES),
        "largest_difference": max(differences),
    }
    print(json.dumps(measured))


def median_seconds(predict: Callable[[bytes], str], bodies: list[bytes], calls: int) -> float:
    times = []
    for call in range(calls):
        body = bodies[call % len(bodies)]
        start = time.perf_counter()
        predict(body)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
