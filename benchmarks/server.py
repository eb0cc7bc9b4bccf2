"""Measure the local SageMaker's server with much state: start, pages of lists, creation, memory, and many clients.

The data directory is filled through the API: model packages of one group, objects of 1 kB in one bucket, and executions
of one pipeline. The requests are plain HTTP, so that no client library is measured. The load is a mix of reads and
writes of packages, objects and executions by 64 clients in 4 processes. Latencies include the wait for a processor, so
that they mean something on a quiet machine only; the processor time of the server depends little on other load.

Examples:
  python -m benchmarks.server                                   everything; about 8 minutes on 2 quiet cores
  python -m benchmarks.server --only start pages create         without the load
  python -m benchmarks.server --data filled                     keep the filled data directory, or use it again
  python -m benchmarks.server --json > server.json
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import math
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from benchmarks.quality import machine, progress
from local_sagemaker.http.background import find_server, stop_server

GROUP, BUCKET, PIPELINE = "packages", "objects", "executions"
ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=local/20261128/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=x"
DEFINITION = json.dumps({"Version": "2020-12-01", "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {}}]})
FILLING_THREADS = 16
PROCESSES = 4
STARTS = 5
CREATIONS = 200
OBJECT = b"x" * 1000
SECTIONS = ("start", "pages", "create", "load")


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    Attributes:
        what: What was measured.
        value: In the unit.
        unit: Such as s or ms.
        goal: The largest value that meets the goal; None without a goal.
    """

    what: str
    value: float
    unit: str
    goal: float | None = None


class Client:
    """Sends requests to a server, each on a connection of its own, as the server closes them."""

    def __init__(self, port: int) -> None:
        self._port = port

    def sagemaker(self, operation: str, **request: Any) -> dict[str, Any]:
        """Call an operation of SageMaker. Raises RuntimeError for an error response."""
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"SageMaker.{operation}",
            "Authorization": AUTHORIZATION.format("sagemaker"),
        }
        response: dict[str, Any] = json.loads(self._send("POST", "/", json.dumps(request).encode(), headers) or b"{}")
        return response

    def s3(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Send a request to S3. Raises RuntimeError for an error response."""
        return self._send(method, path, body, {"Authorization": AUTHORIZATION.format("s3")})

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {content[:300]!r}")
        return content


# filling


def fill(client: Client, packages: int, objects: int, executions: int) -> None:
    """Make what is missing of the packages, objects and executions."""
    with suppress(RuntimeError):
        client.sagemaker("CreateModelPackageGroup", ModelPackageGroupName=GROUP)
        client.s3("PUT", f"/{BUCKET}")
        client.sagemaker(
            "CreatePipeline",
            PipelineName=PIPELINE,
            PipelineDefinition=DEFINITION,
            RoleArn=ROLE,
            ClientRequestToken="t" * 32,
        )
    with ThreadPoolExecutor(FILLING_THREADS) as pool:
        for what, number, make in (
            ("packages", packages, lambda number: create_package(client, number)),
            ("objects", objects, lambda number: put_object(client, f"{number % 10}/{number:06}")),
            ("executions", executions, lambda number: start_execution(client, number)),
        ):
            started = time.monotonic()
            list(pool.map(make, range(number)))
            progress(f"{number} {what} made in {time.monotonic() - started:.0f} s")
    while any(
        summary["PipelineExecutionStatus"] == "Executing"
        for summary in client.sagemaker("ListPipelineExecutions", PipelineName=PIPELINE, MaxResults=100)[
            "PipelineExecutionSummaries"
        ]
    ):
        time.sleep(0.1)


def create_package(client: Client, number: int) -> str:
    """Create a model package of the size that the training pipeline's have; return its ARN."""
    statistics_file = {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/{number}/statistics.json"}
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{number}/model.tar.gz", "Environment": {"A": "b"}}
    response = client.sagemaker(
        "CreateModelPackage",
        ModelPackageGroupName=GROUP,
        ModelPackageDescription=f"number {number}",
        ClientToken=str(uuid.uuid4()),
        ModelApprovalStatus=("Approved", "Rejected", "PendingManualApproval")[number % 3],
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        CustomerMetadataProperties={f"property-{part}": "x" * 20 for part in range(15)},
        ModelMetrics={"ModelQuality": {"Statistics": statistics_file}},
    )
    return str(response["ModelPackageArn"])


def put_object(client: Client, key: str) -> None:
    client.s3("PUT", f"/{BUCKET}/{key}", OBJECT)


def start_execution(client: Client, number: int) -> str:
    token = f"{number}-{random.getrandbits(64)}".ljust(32, "-")
    response = client.sagemaker("StartPipelineExecution", PipelineName=PIPELINE, ClientRequestToken=token)
    return str(response["PipelineExecutionArn"])


# measuring


@contextmanager
def running(data_dir: Path) -> Iterator[tuple[Client, psutil.Process, float]]:
    """Run a server. Yields a client, the process, and the seconds until it answered."""
    started = time.monotonic()
    command = [sys.executable, "-m", "local_sagemaker.http.server", str(data_dir)]
    with (data_dir.parent / "server.log").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        while (server := find_server(data_dir)) is None:
            if process.poll() is not None:
                raise RuntimeError(f"the server has ended; see {data_dir.parent / 'server.log'}")
            time.sleep(0.005)
        yield Client(server.port), psutil.Process(process.pid), time.monotonic() - started
    finally:
        stop_server(data_dir)
        process.wait()


def measure_start(data_dir: Path) -> list[Figure]:
    seconds, cpu_seconds, memory = [], [], []
    for _ in range(STARTS):
        with running(data_dir) as (_, process, taken):
            seconds.append(taken)
            cpu_seconds.append(cpu_time(process))
            time.sleep(1)
            memory.append(process.memory_info().rss / 1e6)
    return [
        Figure("start, until the first answer", statistics.median(seconds), "s", 1.5),
        Figure("start, processor time", statistics.median(cpu_seconds), "s", 1.5),
        Figure("memory after the start", statistics.median(memory), "MB", 150),
    ]


def cpu_time(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure_pages(client: Client, process: psutil.Process) -> list[Figure]:
    """Measure the first and the middle page of each list, and the server's processor time over all pages."""
    of_group = {"ModelPackageGroupName": GROUP}
    lists: dict[str, tuple[str, dict[str, Any]]] = {
        "ListModelPackages": ("ListModelPackages", of_group),
        "ListModelPackages, newest first": ("ListModelPackages", {**of_group, "SortOrder": "Descending"}),
        "ListModelPackages, approved": ("ListModelPackages", {**of_group, "ModelApprovalStatus": "Approved"}),
        "ListModelPackages, by name": ("ListModelPackages", {**of_group, "SortBy": "Name"}),
        "ListModelPackages, all groups": ("ListModelPackages", {"ModelPackageType": "Both"}),
        "ListModelPackages, without a group": ("ListModelPackages", {}),
        "ListModelPackages, no name matches": ("ListModelPackages", {"ModelPackageType": "Both", "NameContains": "z"}),
        "ListPipelineExecutions": ("ListPipelineExecutions", {"PipelineName": PIPELINE}),
    }
    figures = []
    for title, (operation, request) in lists.items():
        figures += page_figures(
            title, process, lambda token, o=operation, r=request: sagemaker_page(client, o, r, token)
        )
    return figures + page_figures("ListObjectsV2, 1000 keys", process, lambda token: s3_page(client, token))


def sagemaker_page(client: Client, operation: str, request: dict[str, Any], token: str | None) -> str | None:
    page = client.sagemaker(operation, **request, MaxResults=100, **({"NextToken": token} if token else {}))
    following: str | None = page.get("NextToken")
    return following


def s3_page(client: Client, token: str | None) -> str | None:
    more = f"&continuation-token={quote(token, safe='')}" if token else ""
    answer = client.s3("GET", f"/{BUCKET}?list-type=2{more}").decode()
    found = re.search("<NextContinuationToken>(.*)</NextContinuationToken>", answer)
    return found.group(1) if found else None


def page_figures(title: str, process: psutil.Process, page: Callable[[str | None], str | None]) -> list[Figure]:
    times, token = [], None
    cpu_before = cpu_time(process)
    for _ in itertools.count():
        started = time.perf_counter()
        token = page(token)
        times.append((time.perf_counter() - started) * 1000)
        if token is None:
            break
    figures = [Figure(f"{title}, first page", times[0], "ms", 50)]
    if len(times) > 2:
        figures.append(Figure(f"{title}, middle page", times[len(times) // 2], "ms", 50))
        cpu = (cpu_time(process) - cpu_before) / len(times) * 1000
        figures.append(Figure(f"{title}, processor time of each of {len(times)} pages", cpu, "ms", 50))
    return figures


def measure_creation(client: Client, process: psutil.Process) -> list[Figure]:
    figures = []
    operations: dict[str, tuple[Callable[[int], object], float | None]] = {
        "CreateModelPackage": (lambda number: create_package(client, number), 20),
        "PutObject, 1 kB": (lambda number: put_object(client, f"new/{number}"), 20),
        "StartPipelineExecution": (lambda number: start_execution(client, number), None),
    }
    for title, (create, goal) in operations.items():
        times = []
        for number in range(CREATIONS):
            started = time.perf_counter()
            create(number)
            times.append((time.perf_counter() - started) * 1000)
        figures.append(Figure(f"{title}, median", statistics.median(times), "ms", goal))
        figures.append(Figure(f"{title}, 99th percentile", percentile(times, 0.99), "ms"))
    return [*figures, Figure("memory after lists and creations", process.memory_info().rss / 1e6, "MB", 150)]


# load


def measure_load(client: Client, process: psutil.Process, port: int, clients: int, seconds: float) -> list[Figure]:
    end, cpu_before = time.time() + seconds, cpu_time(process)
    with ProcessPoolExecutor(PROCESSES) as pool:
        shares = [clients // PROCESSES + (number < clients % PROCESSES) for number in range(PROCESSES)]
        results = list(pool.map(load, [port] * PROCESSES, range(PROCESSES), shares, [end] * PROCESSES))
    times: dict[str, list[float]] = {}
    for found, _ in results:
        for operation, taken in found.items():
            times.setdefault(operation, []).extend(taken)
    errors = [error for _, found in results for error in found]
    for error in errors[:5]:
        progress(error)
    count = sum(map(len, times.values()))
    figures = [
        Figure(f"{clients} clients, errors", len(errors), "", 0),
        Figure(f"{clients} clients, requests a second", count / seconds, ""),
        Figure(f"{clients} clients, processor time a request", (cpu_time(process) - cpu_before) / count * 1000, "ms"),
    ]
    for operation, taken in sorted(times.items()):
        figures.append(
            Figure(f"{clients} clients, {operation}, median of {len(taken)}", statistics.median(taken), "ms")
        )
        figures.append(Figure(f"{clients} clients, {operation}, 99th percentile", percentile(taken, 0.99), "ms", 1000))
    return [*figures, Figure("memory after the load", process.memory_info().rss / 1e6, "MB", 150)]


def load(port: int, process: int, clients: int, end: float) -> tuple[dict[str, list[float]], list[str]]:
    """Run some clients until a time; return the milliseconds of requests by operation, and the errors."""
    times: dict[str, list[float]] = {}
    errors: list[str] = []
    with ThreadPoolExecutor(clients) as pool:
        for number in range(clients):
            pool.submit(run_client, Client(port), f"{process}-{number}", end, times, errors)
    return times, errors


def run_client(client: Client, name: str, end: float, times: dict[str, list[float]], errors: list[str]) -> None:
    def timed(operation: str, call: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        try:
            return call()
        except (OSError, RuntimeError, http.client.HTTPException, ValueError) as error:
            errors.append(f"{operation}: {error!r}")
            return None
        finally:
            times.setdefault(operation, []).append((time.perf_counter() - started) * 1000)

    # clients do not go in step
    time.sleep(random.random())  # noqa: S311
    for number in itertools.count():
        key = f"{name}/{number % 50}"
        steps: list[tuple[str, Callable[[], Any]]] = [
            ("PutObject", lambda key=key: put_object(client, key)),
            ("GetObject", lambda key=key: client.s3("GET", f"/{BUCKET}/{key}")),
            ("ListModelPackages, 10", lambda: client.sagemaker("ListModelPackages", ModelPackageGroupName=GROUP)),
            ("ListObjectsV2, 500 keys", lambda: client.s3("GET", f"/{BUCKET}?list-type=2&max-keys=500")),
            (
                "ListPipelineExecutions, 10",
                lambda: client.sagemaker("ListPipelineExecutions", PipelineName=PIPELINE),
            ),
        ]
        arn = timed("CreateModelPackage", lambda number=number: create_package(client, number))
        if arn is not None:
            steps += [
                (
                    "UpdateModelPackage",
                    lambda arn=arn: client.sagemaker(
                        "UpdateModelPackage", ModelPackageArn=arn, ModelApprovalStatus="Approved"
                    ),
                ),
                (
                    "DescribeModelPackage",
                    lambda arn=arn: client.sagemaker("DescribeModelPackage", ModelPackageName=arn),
                ),
            ]
        if number % 10 == 0:
            steps.append(("StartPipelineExecution", lambda number=number: start_execution(client, number)))
        for operation, call in steps:
            if time.time() > end:
                return
            timed(operation, call)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


# reporting


def main() -> None:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        data_dir = (arguments.data or Path(folder) / "data").absolute()
        data_dir.mkdir(parents=True, exist_ok=True)
        figures = measure(data_dir, arguments)
    print_figures(figures, arguments.json)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.server", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packages", type=int, default=10_000, help="model packages (10000)")
    parser.add_argument("--objects", type=int, default=10_000, help="S3 objects (10000)")
    parser.add_argument("--executions", type=int, default=2_000, help="pipeline executions (2000)")
    parser.add_argument("--clients", type=int, default=64, help="clients of the load (64)")
    parser.add_argument("--seconds", type=float, default=60, help="length of the load (60)")
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="NAME", help=", ".join(SECTIONS)
    )
    parser.add_argument("--data", type=Path, help="data directory, which is filled if it is empty, and kept")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def measure(data_dir: Path, arguments: argparse.Namespace) -> list[Figure]:
    figures = []
    if not any(data_dir.iterdir()):
        with running(data_dir) as (client, _, _):
            fill(client, arguments.packages, arguments.objects, arguments.executions)
    if "start" in arguments.only:
        figures += measure_start(data_dir)
    with running(data_dir) as (client, process, _):
        if "pages" in arguments.only:
            # loads the service's model, which the first request of a server waits for
            client.sagemaker("ListModels")
            figures += measure_pages(client, process)
        if "create" in arguments.only:
            figures += measure_creation(client, process)
        if "load" in arguments.only:
            server = find_server(data_dir)
            assert server is not None
            figures += measure_load(client, process, server.port, arguments.clients, arguments.seconds)
    return figures


def print_figures(figures: list[Figure], as_json: bool) -> None:
    """Print figures with the date and the machine, as JSON or as a Markdown table."""
    title = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine()}
    if as_json:
        print(json.dumps(title | {"figures": [asdict(figure) for figure in figures]}, indent=2))
    else:
        print(f"{title['date']}, {title['machine']}\n\n{table(figures)}")


def table(figures: list[Figure]) -> str:
    """Format a Markdown table of the figures and their goals."""
    lines = ["| what | measured | goal | |", "|---|---:|---:|---|"]
    for figure in figures:
        digits = 2 if figure.unit == "s" else 1 if figure.value < 100 else 0
        verdict = ["", ""]
        if figure.goal is not None:
            verdict = [
                f"at most {figure.goal:g} {figure.unit}".strip(),
                "met" if figure.value <= figure.goal else "missed",
            ]
        lines.append(f"| {figure.what} | {figure.value:,.{digits}f} {figure.unit} | {' | '.join(verdict)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
