"""Model Monitor through its interfaces: the SDK, the command run-now, and CloudWatch, with a server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.account import DEFAULT_BUCKET
from local_sagemaker.client_environment import client_environment
from local_sagemaker.http.background import RunningServer, ensure_server, stop_server
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.machine import Machine
from tests.local_sagemaker.model_monitor.monitoring import capture, endpoint, labels

pytestmark = pytest.mark.slow

SECONDS = 90
RECENT = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with an endpoint that has captured two inferences."""
    folder = tmp_path_factory.mktemp("monitored")
    machine = Machine(folder)
    endpoint(machine)
    capture(machine, [("30,a", "1"), ("40,zebra", "0")], RECENT)
    machine.scheduler.close()
    return folder


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Iterator[RunningServer]:
    yield ensure_server(data_dir)
    stop_server(data_dir)


def run(server: RunningServer, data_dir: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **client_environment(data_dir, server.port)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS)


@pytest.fixture(scope="module")
def made(server: RunningServer, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The output of a program that uses the SDK."""
    program = str(Path(__file__).parents[2] / "clients" / "sdk_monitors.py")
    done = run(server, data_dir, program, "Churn", folder=tmp_path_factory.mktemp("program"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_sdk_creates_baselines_and_schedules_and_finds_violations(made: dict[str, Any]) -> None:
    assert made == {
        "status": "CompletedWithViolations",
        "violations": ["plan"],
        "executions": 1,
        "stopped": "Stopped",
        "attached": "quality-hourly",
    }


def test_metrics_are_in_cloudwatch_under_model_monitors_names(made: dict[str, Any], server: RunningServer) -> None:
    dimensions = [{"Name": "Endpoint", "Value": "Churn"}, {"Name": "MonitoringSchedule", "Value": "columns-once"}]
    found = make_client(server, "cloudwatch").get_metric_statistics(
        Namespace="aws/sagemaker/Endpoints/data-metrics",
        MetricName="total_number_of_violations",
        Dimensions=dimensions,
        StartTime=RECENT - timedelta(days=1),
        EndTime=RECENT + timedelta(days=1),
        Period=3600,
        Statistics=["Sum", "SampleCount"],
    )
    [point] = found["Datapoints"]
    assert (point["Sum"], point["SampleCount"]) == (1.0, 1.0)


def test_run_now_runs_a_schedule_and_prints_the_result(
    made: dict[str, Any], server: RunningServer, data_dir: Path
) -> None:
    def run_now(*arguments: str) -> subprocess.CompletedProcess[str]:
        repository = Path(__file__).parents[3]
        command = ["-m", "local_sagemaker", "run-now", *arguments, "--data-dir", str(data_dir)]
        return run(server, data_dir, *command, folder=repository)

    unlabelled = run_now("quality-hourly")
    assert (unlabelled.returncode, unlabelled.stdout) == (1, "quality-hourly: Failed: Job inputs had no data\n")
    labels(Machine(data_dir), ["1", "0"], RECENT, f"s3://{DEFAULT_BUCKET}/labels")
    labelled = run_now("quality-hourly", "--start", f"{RECENT - timedelta(minutes=1):%Y-%m-%dT%H:%M}")
    assert labelled.returncode == 0, labelled
    assert labelled.stdout.startswith("quality-hourly: Completed\nresults: s3://")
    missing = run_now("quality-daily")
    assert missing.returncode == 1
    assert missing.stderr == (
        "Monitoring schedule 'quality-daily' does not exist; existing schedules: quality-hourly\n"
    )
