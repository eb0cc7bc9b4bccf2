"""The requests to all serving contenders and their timing; in this folder because each peer has its own environment."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

CALLS, BATCHES, WARM_UP = 5000, 200, 50


def run(load: Callable[[Path], tuple[Callable[[bytes], str], Callable[[bytes], str]]]) -> None:
    """Print the measurements as JSON; with `cold` as second argument answer one record only.

    load: of the folder with model and requests gives two functions from the body of a request to that of its response:
    for a JSON record, and for CSV rows. Both responses say the probability, the second one in the last field.
    """
    folder = Path(sys.argv[1])
    record, rows = load(folder)
    bodies = (folder / "records.jsonl").read_bytes().splitlines()
    if sys.argv[2:] == ["cold"]:
        record(bodies[0])
        return
    body = (folder / "rows.csv").read_bytes()
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    answers = [json.loads(record(one))["predictions"][0]["probability"] for one in bodies[:WARM_UP]]
    batch = [float(line.rpartition(",")[2]) for line in rows(body).splitlines()]
    differences = [abs(a - b) for a, b in zip([*answers, *batch], [*expected[:WARM_UP], *expected], strict=True)]
    measured = {
        "record_microseconds": 1e6 * median_seconds(record, bodies, CALLS),
        "rows_per_second": len(bodies) / median_seconds(rows, [body], BATCHES),
        "largest_difference": max(differences),
    }
    print(json.dumps(measured))


def median_seconds(answer: Callable[[bytes], str], bodies: list[bytes], calls: int) -> float:
    times = []
    for call in range(calls):
        body = bodies[call % len(bodies)]
        start = time.perf_counter()
        answer(body)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
