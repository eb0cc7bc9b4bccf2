"""Nothing that a server has started outlives it, whatever has ended the server."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from local_sagemaker.__main__ import app
from local_sagemaker.containers.strays import end_strays, job_mark
from local_sagemaker.data_dir import DataDir
from local_sagemaker.http.background import RunningServer, ensure_server, is_held, stop_server
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, Machine
from tests.local_sagemaker.models import create_config, create_model
from tests.local_sagemaker.steps import until
from tests.local_sagemaker.test_data_dir import zipped

# a child in the group, one in a session of its own, and one that has neither the mark nor a session of its own
CHILDREN = """
import subprocess, time
subprocess.Popen(["sleep", "600"])
subprocess.Popen(["sleep", "601"], start_new_session=True)
subprocess.Popen(["env", "-i", "sleep", "602"])
"""
PROGRAM = f"{CHILDREN}\ntime.sleep(600)"
FUNCTION = f"{CHILDREN}\ndef handler(event, context):\n    time.sleep(600)"


def marked(mark: dict[str, str]) -> list[psutil.Process]:
    """Find the processes with a mark that are running."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and mark.items() <= process.environ().items():
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def sleeper() -> Iterator[dict[str, str]]:
    """A process with a mark, whose mark is returned."""
    mark = {"LOCAL_SAGEMAKER_TEST": uuid.uuid4().hex}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env={**os.environ, **mark}, start_new_session=True) as made:
        # a child has the name of its program once it runs it
        until(lambda: [child.name() for child in psutil.Process(made.pid).children()] == ["sleep"] * 3)
        yield mark
        made.kill()


def test_all_processes_of_a_mark_and_of_their_sessions_are_ended_and_named(sleeper: dict[str, str]) -> None:
    ended = end_strays(sleeper)
    assert len([name for name in ended if name.startswith("sleep (process ")]) == 3
    assert len(ended) == 4
    assert end_strays(sleeper) == [] == marked(sleeper)


@pytest.mark.parametrize("command", ["stop", "reset"])
def test_strays_of_a_server_that_is_gone_are_ended_and_named(command: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    DataDir(folder).make()
    with subprocess.Popen(["/bin/sleep", "600"], env={**os.environ, **job_mark(DataDir(folder))}) as stray:
        done = CliRunner().invoke(app, [command, "--data-dir", str(folder), *(["--yes"] if command == "reset" else [])])
        assert f"ended 1 process(es) that outlived their server: sleep (process {stray.pid})\n" in done.output
        assert done.exit_code == 0 and stray.wait(30) == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("warm", ["0", "1"])
def test_a_killed_server_takes_its_jobs_endpoints_and_functions_with_it(
    warm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_SAGEMAKER_WARM", warm)
    folder = tmp_path / "data dir"
    machine = Machine(folder)
    create_model(machine)
    create_config(machine, "config")
    machine.close()
    (folder / "aside").unlink()
    server = ensure_server(folder)
    try:
        start_all(server)
        # the model server, the job and the function with two marked children each, and the warm parent
        mark = job_mark(DataDir(folder))
        until(lambda: len(marked(mark)) >= 1 + 3 + 3 + int(warm))
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not marked(mark))
        assert not is_held(folder)
        stopped = CliRunner().invoke(app, ["stop", "--data-dir", str(folder)])
        assert stopped.output == f"no server is running for {folder}\n"
    finally:
        stop_server(folder)


def start_all(server: RunningServer) -> None:
    """Start an endpoint, a processing job and a function."""
    s3, sagemaker, functions = (make_client(server, service) for service in ("s3", "sagemaker", "lambda"))
    sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="config")
    s3.put_object(Bucket="bucket", Key="main.py", Body=PROGRAM.encode())
    source = {"S3Uri": "s3://bucket/main.py", "LocalPath": "/opt/ml/processing/input/code"}
    sagemaker.create_processing_job(
        ProcessingJobName="job",
        RoleArn=ROLE,
        AppSpecification={
            "ImageUri": SCIKIT_LEARN,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/main.py"],
        },
        ProcessingInputs=[
            {"InputName": "code", "S3Input": {**source, "S3DataType": "S3Prefix", "S3InputMode": "File"}}
        ],
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )
    functions.create_function(
        FunctionName="function",
        Runtime="python3.12",
        Role=ROLE,
        Handler="app.handler",
        Timeout=600,
        Code={"ZipFile": zipped({"app.py": FUNCTION})},
    )
    functions.invoke(FunctionName="function", InvocationType="Event")
    until(lambda: sagemaker.describe_endpoint(EndpointName="endpoint")["EndpointStatus"] == "InService")
