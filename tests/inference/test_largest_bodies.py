"""Any body of 6 MB, the most that an endpoint receives, costs at most 1 s of CPU a MB and 400 MB of memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.inference.hostile_bodies import SHAPES

pytestmark = pytest.mark.slow

SIZE = 6_000_000
# Twice what they cost on a quiet machine: other processes slow a processor down.
MAX_SECONDS, MAX_MEGABYTES = 2 * SIZE / 1e6, 400
REPOSITORY = Path(__file__).resolve().parents[2]

# Each body has a process of its own, forked after the imports: its peak is above what the server needs at rest.
PROGRAM = f"""
import json, os, resource, sys, time
sys.path[:0] = {[str(REPOSITORY / name) for name in ("tests/inference", "inference", ".")]!r}
import numpy, pyarrow.csv
import batches, inference
from request_errors import InputError
from hostile_bodies import SHAPES

model = inference.model_fn(sys.argv[1])

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

def respond(body, content_type, accept):
    try:
        return 200, inference.output_fn(inference.predict_fn(inference.input_fn(body, content_type), model), accept)[0]
    except InputError as error:
        return error.status_code, error.message

def measure(name):
    content_type, make = SHAPES[name]
    body = bytearray(make({SIZE}).encode())
    before, seconds = peak(), []
    for accept in ("application/json", "text/csv"):
        start = time.process_time()
        status, _ = respond(body, content_type, accept)
        seconds.append(time.process_time() - start)
        if status == 400:
            break
    print(json.dumps([name, status, max(seconds), peak() - before]), flush=True)

children = 0
for name in SHAPES:
    if children == os.cpu_count():
        os.wait()
        children -= 1
    if not os.fork():
        measure(name)
        os._exit(0)
    children += 1
for _ in range(children):
    os.wait()
"""


@dataclass(frozen=True)
class Cost:
    status: int
    seconds: float
    megabytes: float


@pytest.fixture(scope="module")
def costs(make_project) -> dict[str, Cost]:
    command = [sys.executable, "-c", PROGRAM, str(make_project("mixed").model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(SHAPES), done.stderr
    return {name: Cost(*cost) for name, *cost in lines}


@pytest.mark.parametrize("name", SHAPES)
def test_a_body_of_6_mb_costs_seconds_and_not_all_of_the_memory(costs, name):
    cost = costs[name]
    assert cost.status in (200, 400, 413)
    assert cost.seconds <= MAX_SECONDS
    assert cost.megabytes <= MAX_MEGABYTES
