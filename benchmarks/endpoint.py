"""Measure an endpoint of the local SageMaker under concurrent clients, against a bare server with the same handler.

The model is that of benchmarks/inference.py. The endpoint has one container and captures all requests, as deployed
endpoints do; the bare server (benchmarks/peers/serve_http.py) has neither routing, nor capture, nor metrics, nor a
process for the model. Each client sends one JSON record after the other on a connection of its own, without pauses. All
clients are one thread of this process, which waits for whichever response comes first: threads would delay each other.
Client, server and model share the machine, so that latencies mean something on a quiet machine only; the processor time
and the ratio of the percentiles depend less on other load.

Contenders take turns; the results are medians over the turns.

Examples:
  python -m benchmarks.endpoint                            1, 8 and 32 clients; about 2 minutes
  python -m benchmarks.endpoint --clients 32 --repeats 5 --seconds 10
  python -m benchmarks.endpoint --json > endpoint.json
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import psutil

from benchmarks.inference_data import write
from benchmarks.quality import machine, progress
from benchmarks.server import AUTHORIZATION, BUCKET, IMAGE, ROLE, percentile, running

ROOT = Path(__file__).parents[1]
CLIENTS = (1, 8, 32)
NAME = "endpoint"
# until the endpoint is in service, or a response arrives
TIMEOUT_SECONDS = 60
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Target:
    """A server to send requests to, and its processes."""

    port: int
    path: str
    processes: Sequence[psutil.Process]

    def cpu_seconds(self) -> float:
        times = [process.cpu_times() for process in self.processes]
        return sum(time.user + time.system for time in times)


@dataclass(frozen=True)
class Result:
    """The load of one server by a number of clients; latencies in milliseconds."""

    requests_per_second: float
    p50: float
    p99: float
    p99_to_p50: float
    cpu_milliseconds: float


@dataclass(eq=False)
class Client:
    """A connection on which one request at a time is in progress."""

    sock: socket.socket
    number: int
    sent: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def send(self, request: bytes) -> None:
        self.received.clear()
        self.sent = time.perf_counter()
        self.sock.sendall(request)

    def receive(self) -> bool:
        """Receive what has arrived; return whether the response is complete. Raises RuntimeError if it is an error."""
        piece = self.sock.recv(64 << 10)
        self.received += piece
        head, end, body = bytes(self.received).partition(b"\r\n\r\n")
        if not piece or (end and b" 200 " not in head.partition(b"\r\n")[0]):
            raise RuntimeError(f"the server responded {bytes(self.received[:500])!r}")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return bool(end) and len(body) >= int(lengths[0].partition(b":")[2])


def run_load(target: Target, records: Sequence[bytes], clients: int, seconds: float) -> Result:
    """Send requests for some seconds."""
    requests = [request(target, record) for record in records]
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        for number in range(clients):
            sock = socket.create_connection(("127.0.0.1", target.port), TIMEOUT_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(sock, selectors.EVENT_READ, Client(sock, number))
        everybody = [key.data for key in selector.get_map().values()]
        try:
            for client in everybody:
                client.send(requests[client.number % len(requests)])
            started, cpu_before = time.perf_counter(), target.cpu_seconds()
            while time.perf_counter() < started + seconds:
                ready = selector.select(TIMEOUT_SECONDS)
                if not ready:
                    raise RuntimeError(f"no response within {TIMEOUT_SECONDS} s")
                for client in [key.data for key, _ in ready]:
                    if client.receive():
                        latencies.append((time.perf_counter() - client.sent) * 1000)
                        client.number += clients
                        client.send(requests[client.number % len(requests)])
            taken, cpu = time.perf_counter() - started, target.cpu_seconds() - cpu_before
        finally:
            for client in everybody:
                client.sock.close()
    p50, p99 = statistics.median(latencies), percentile(latencies, 0.99)
    return Result(len(latencies) / taken, p50, p99, p99 / p50, cpu * 1000 / len(latencies))


def request(target: Target, record: bytes) -> bytes:
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json"
        f"\r\nAuthorization: {AUTHORIZATION.format('sagemaker')}\r\nContent-Length: {len(record)}\r\n\r\n"
    )
    return head.encode() + record


@contextmanager
def endpoint(folder: Path) -> Iterator[Target]:
    """Run a local SageMaker with an endpoint of the model."""
    data_dir = Path(tempfile.mkdtemp(dir=folder)) / "data"
    data_dir.mkdir()
    with running(data_dir) as (client, process, _):
        client.s3("PUT", f"/{BUCKET}")
        client.s3("PUT", f"/{BUCKET}/model.tar.gz", model_archive(folder / "model"))
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}
        client.sagemaker("CreateModel", ModelName=NAME, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        variant = {"VariantName": "AllTraffic", "ModelName": NAME, "InitialInstanceCount": 1}
        client.sagemaker(
            "CreateEndpointConfig",
            EndpointConfigName=NAME,
            ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}],
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{BUCKET}/captured",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
            },
        )
        client.sagemaker("CreateEndpoint", EndpointName=NAME, EndpointConfigName=NAME)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (status := client.sagemaker("DescribeEndpoint", EndpointName=NAME))["EndpointStatus"] != "InService":
            if status["EndpointStatus"] == "Failed" or time.monotonic() > deadline:
                raise RuntimeError(f"the endpoint is {status['EndpointStatus']}: {status.get('FailureReason', '')}")
            time.sleep(0.05)
        yield Target(process_port(process), f"/endpoints/{NAME}/invocations", [process, *process.children(True)])


def process_port(process: psutil.Process) -> int:
    return next(item.laddr.port for item in process.net_connections("tcp") if item.status == psutil.CONN_LISTEN)


def model_archive(model: Path) -> bytes:
    """Return model.tar.gz as training writes it, but without requirements."""
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path in model.iterdir():
            tar.add(path, path.name)
        for path in (ROOT / "inference").glob("*.py"):
            tar.add(path, f"code/{path.name}")
        for name in ("__init__.py", "values.py"):
            tar.add(ROOT / "analyzer" / name, f"code/analyzer/{name}")
    return archive.getvalue()


@contextmanager
def bare(folder: Path) -> Iterator[Target]:
    """Run the bare server."""
    command = [sys.executable, str(ROOT / "benchmarks" / "peers" / "serve_http.py"), str(folder / "model")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Target(int(process.stdout.readline()), "/", [psutil.Process(process.pid)])
        finally:
            process.terminate()


CONTENDERS: Mapping[str, Callable[[Path], AbstractContextManager[Target]]] = {
    "bare server": bare,
    "endpoint of the local SageMaker": endpoint,
}


def main() -> None:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        progress("training the model")
        write(folder)
        results = measure(folder, arguments.clients, arguments.seconds, arguments.repeats)
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "repeats": arguments.repeats}
    if arguments.json:
        rows = [
            {"contender": contender, "clients": clients, **asdict(result)}
            for (contender, clients), result in results.items()
        ]
        print(json.dumps(about | {"results": rows}, indent=2))
    else:
        print(f"{about['date']}, {about['machine']}, medians of {arguments.repeats}\n")
        print(table(results))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.endpoint", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="numbers of clients (1 8 32)")
    parser.add_argument("--seconds", type=float, default=5, help="length of each load (5)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each contender (3)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def measure(folder: Path, clients: Sequence[int], seconds: float, repeats: int) -> dict[tuple[str, int], Result]:
    records = (folder / "records.jsonl").read_bytes().splitlines()
    turns: dict[tuple[str, int], list[Result]] = {}
    for turn in range(repeats):
        for contender, run in CONTENDERS.items():
            with run(folder) as target:
                run_load(target, records, max(clients), WARM_UP_SECONDS)
                for number in clients:
                    result = run_load(target, records, number, seconds)
                    turns.setdefault((contender, number), []).append(result)
                    latencies = f"p50 {result.p50:.1f} ms, p99 {result.p99:.1f} ms"
                    progress(f"{turn + 1}/{repeats} {contender}, {number} clients: {latencies}")
    return {key: median(results) for key, results in turns.items()}


def median(results: Sequence[Result]) -> Result:
    names = [quantity.name for quantity in fields(Result)]
    return Result(**{name: statistics.median(getattr(result, name) for result in results) for name in names})


def table(results: Mapping[tuple[str, int], Result]) -> str:
    """Format a Markdown table; ratios in parentheses are to the bare server with as many clients."""
    titles = ["clients", "contender (ratio)", "requests per second", "p50", "p99", "p99 / p50", "processor time"]
    lines = [f"| {' | '.join(titles)} |", "|---:|---|---:|---:|---:|---:|---:|"]
    for number in sorted({number for _, number in results}):
        floor = results[next(iter(CONTENDERS)), number]
        for contender in CONTENDERS:
            result = results[contender, number]

            def cell(quantity: str, form: str, result: Result = result, floor: Result = floor) -> str:
                value = getattr(result, quantity)
                return f"{form.format(value)} ({value / getattr(floor, quantity):.2f})"

            cells = [
                cell("requests_per_second", "{:,.0f}"),
                cell("p50", "{:.1f} ms"),
                cell("p99", "{:.1f} ms"),
                f"{result.p99_to_p50:.1f}",
                cell("cpu_milliseconds", "{:.2f} ms"),
            ]
            lines.append(f"| {number} | {contender} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
