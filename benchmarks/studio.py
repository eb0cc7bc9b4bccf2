"""Measure the pages of Studio on a local SageMaker with much state: 1,000 executions, 10,000 versions, 10,000 objects.

The data directory is filled as by `benchmarks.server`. Each page, and each part that a page reads later, is requested
over HTTP as by a browser; static files, streams and downloads are not. The parts of a page are found in the page, one
of each kind.

Examples:
  python -m benchmarks.studio                                 about a minute on 2 quiet cores
  python -m benchmarks.studio --data filled                   keep the filled data directory, or use it again
  python -m benchmarks.studio --json > studio.json
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import psutil

from benchmarks.server import BUCKET, GROUP, PIPELINE, Figure, fill, print_figures, running

PAGES = {
    "pipelines": "/pipelines",
    "one pipeline": f"/pipelines/{PIPELINE}",
    "executions": f"/pipelines/{PIPELINE}/executions",
    "executions, 100 rows": f"/pipelines/{PIPELINE}/executions?size=100",
    "executions, failed": f"/pipelines/{PIPELINE}/executions?status=Failed",
    "start form": f"/pipelines/{PIPELINE}/start",
    "versions of a pipeline": f"/pipelines/{PIPELINE}/versions",
    "model package groups": "/models",
    "model versions": f"/models/{GROUP}",
    "model versions, 100 rows": f"/models/{GROUP}?size=100",
    "one model version": f"/models/{GROUP}/1",
    "endpoints": "/endpoints",
    "monitoring": "/monitoring",
    "jobs": "/jobs",
    "logs": "/logs",
    "buckets": "/s3",
    "objects": f"/s3/{BUCKET}?key=0%2F",
    "objects, 100 rows": f"/s3/{BUCKET}?key=0%2F&size=100",
}
GOAL_MS = 150
REPEATS = 9


@contextmanager
def studio(data_dir: Path) -> Iterator[tuple[int, psutil.Process, float]]:
    """Run Studio. Yields its port, its process, and the seconds until it printed its address."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "studio", "--local", "--port", "0"],
        env={**os.environ, "LOCAL_SAGEMAKER_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline()
        yield int(address.rstrip("/\n").rpartition(":")[2]), psutil.Process(process.pid), time.monotonic() - started
    finally:
        process.terminate()
        process.wait()


def measure(data_dir: Path, port: int) -> list[Figure]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    execution = re.search(
        rf'href="(/executions/{PIPELINE}/\w+)"', get(connection, f"/pipelines/{PIPELINE}/executions")[0]
    )
    assert execution is not None, data_dir
    figures: list[Figure] = []
    for title, address in {**PAGES, "one execution": execution[1]}.items():
        text, milliseconds = measured(connection, address)
        figures.append(Figure(title, milliseconds, "ms", GOAL_MS))
        kinds: set[str] = set()
        for found in re.findall(r'hx-get="([^"]+)"', text):
            part = unescape(found)
            kind = re.sub(r"\d+", "", part.partition("?")[0].rpartition("/")[2])
            if kind not in kinds:
                kinds.add(kind)
                figures.append(Figure(f"{title}: {kind}", measured(connection, part)[1], "ms", GOAL_MS))
    return figures


def measured(connection: http.client.HTTPConnection, address: str) -> tuple[str, float]:
    """Return the text of a page, and the median of the milliseconds that it takes."""
    results = [get(connection, address) for _ in range(REPEATS)]
    return results[0][0], statistics.median(milliseconds for _, milliseconds in results)


def get(connection: http.client.HTTPConnection, address: str) -> tuple[str, float]:
    started = time.perf_counter()
    connection.request("GET", address)
    response = connection.getresponse()
    text = response.read().decode()
    if response.status >= 400:
        raise RuntimeError(f"{address}: {response.status} {text[-600:]}")
    return text, (time.perf_counter() - started) * 1000


def main() -> None:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        data_dir = (arguments.data or Path(folder) / "data").absolute()
        is_new = not data_dir.exists()
        data_dir.mkdir(parents=True, exist_ok=True)
        with running(data_dir) as (client, _, _):
            if is_new:
                fill(client, arguments.packages, arguments.objects, arguments.executions)
            with studio(data_dir) as (port, process, start_seconds):
                figures = [Figure("start, until the address is printed", start_seconds, "s")]
                figures += measure(data_dir, port)
                figures.append(Figure("memory at the end", process.memory_info().rss / 1e6, "MB"))
    print_figures(figures, arguments.json)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studio", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packages", type=int, default=10_000, help="model packages (10000)")
    parser.add_argument("--objects", type=int, default=10_000, help="S3 objects (10000)")
    parser.add_argument("--executions", type=int, default=1_000, help="pipeline executions (1000)")
    parser.add_argument("--data", type=Path, help="data directory, which is filled if it is new, and kept")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
