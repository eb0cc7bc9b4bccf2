import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

import local_sagemaker
from local_sagemaker.client_environment import client_environment
from local_sagemaker.containers.strays import job_mark
from local_sagemaker.data_dir import DataDir
from local_sagemaker.http import background
from local_sagemaker.http.background import RunningServer, ensure_server, find_server, is_held, stop_server
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN

SECONDS = 30
REPOSITORY = Path(local_sagemaker.__file__).parent.parent


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)


def python(*arguments: str, folder: Path = REPOSITORY, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an interpreter in a folder and capture its output."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
    )


def command(*arguments: str, folder: Path = REPOSITORY, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m local_sagemaker ...`."""
    return python("-m", "local_sagemaker", *arguments, folder=folder, **environment)


def call(server: RunningServer, target: str, body: bytes, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    connection.request(
        "POST", "/", body, {"X-Amz-Target": target, **{k.replace("_", "-"): v for k, v in headers.items()}}
    )
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, json.loads(content)


@pytest.fixture
def own_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory whose server, if any, ends with the test."""
    folder = tmp_path / "data dir"
    yield folder
    if folder.exists():
        stop_server(folder)


# requests


def test_times_are_epoch_seconds_and_errors_have_a_code(server: RunningServer) -> None:
    status, body = call(server, "SageMaker.CreateModelPackageGroup", b'{"ModelPackageGroupName": "wire"}')
    assert (status, body["ModelPackageGroupArn"].rpartition("/")[2]) == (200, "wire")
    status, body = call(server, "SageMaker.DescribeModelPackageGroup", b'{"ModelPackageGroupName": "wire"}')
    assert isinstance(body["CreationTime"], float) and time.time() - body["CreationTime"] < SECONDS
    status, body = call(server, "SageMaker.CreateModelPackageGroup", b'{"ModelPackageGroupName": "wire"}')
    assert (status, body["__type"]) == (400, "ValidationException")
    assert body["message"].startswith("Model Package Group already exists")


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("SageMaker.ListPipelines", b"{", "SerializationException"),
        ("SageMaker.ListPipelines", b"[]", "SerializationException"),
        ("SageMaker.ListPipelines", b"\xff\xfe", "SerializationException"),
        ("SageMaker.ListPipelines", b'{"a":' * 100_000, "SerializationException"),
        ("SageMaker.ListPipelines", b"[" * 17_000_000, "ValidationException"),
        ("SageMaker.CreateHub", b"{}", "UnknownOperationException"),
        ("SageMaker.", b"{}", "UnknownOperationException"),
        ("Logs_20140328.GetLogEvents", b'{"logGroupName": "/aws/sagemaker/TrainingJobs"}', "ValidationException"),
    ],
)
def test_a_malformed_request_is_refused(target: str, body: bytes, code: str, server: RunningServer) -> None:
    status, answer = call(server, target, body)
    assert (status, answer["__type"]) == (400, code), answer


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "LOCALHOST:1"}, 200),
        ({"Host": "bucket.localhost"}, 200),
        ({"Host": "rebound.example.com"}, 403),
        ({"Host": "localhost.example.com"}, 403),
        ({"Host": "s3.amazonaws.com"}, 403),
        ({"Host": "my.bucket.localhost:80"}, 200),
        ({"Host": ""}, 403),
        ({"Host": "[::1]"}, 403),
        ({"Host": "127.0.0.1@example.com"}, 403),
        ({"Host": "example.com:127.0.0.1"}, 403),
        ({"Host": "169.254.169.254"}, 403),
        ({"Host": "127.0.0.1", "Origin": "http://127.0.0.1"}, 200),
        ({"Host": "127.0.0.1", "Origin": "http://localhost:8080"}, 403),
        ({"Host": "127.0.0.1", "Origin": "https://example.com"}, 403),
        ({"Host": "127.0.0.1", "Origin": "null"}, 403),
        ({"Host": "127.0.0.1", "Origin": "http://[1"}, 403),
        ({"Host": "127.0.0.1", "Sec-Fetch-Site": "none"}, 200),
        ({"Host": "127.0.0.1", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Host": "127.0.0.1", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "127.0.0.1", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_other_host_names_and_pages_of_other_sites_are_refused(
    headers: dict[str, str], status: int, server: RunningServer
) -> None:
    assert call(server, "SageMaker.ListPipelines", b"{}", **headers)[0] == status


def test_it_listens_on_loopback_only(server: RunningServer) -> None:
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(server.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


# the services beside SageMaker


def test_the_caller_is_a_session_of_the_role(client: Callable[..., Any]) -> None:
    identity = client("sts").get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert identity["Arn"] == "arn:aws:sts::123456789012:assumed-role/SageMakerExecutionRole/local"
    iam = client("iam")
    role = iam.get_role(RoleName="SageMakerExecutionRole")["Role"]
    assert role["Arn"] == ROLE
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    actions = ["s3:GetObject", "sagemaker:CreateTrainingJob"]
    results = iam.simulate_principal_policy(PolicySourceArn=ROLE, ActionNames=actions)["EvaluationResults"]
    assert {one["EvalActionName"]: one["EvalDecision"] for one in results} == dict.fromkeys(actions, "allowed")


@pytest.mark.parametrize(
    ("service", "operation", "options"),
    [
        ("sts", "get_caller_identity", {}),
        ("sts", "get_federation_token", {"Name": "someone"}),
        ("iam", "list_roles", {}),
        ("sagemaker", "list_models", {}),
        ("sagemaker", "describe_model", {"ModelName": "none"}),
        ("lambda", "get_function", {"FunctionName": "none"}),
        ("logs", "describe_log_groups", {}),
        ("ssm", "get_parameter", {"Name": "none"}),
        ("s3", "list_buckets", {}),
    ],
)
def test_every_response_has_a_request_id(
    service: str, operation: str, options: dict[str, str], client: Callable[..., Any]
) -> None:
    try:
        metadata = getattr(client(service), operation)(**options)["ResponseMetadata"]
    except ClientError as error:
        metadata = error.response["ResponseMetadata"]
    header = "x-amz-request-id" if service == "s3" else "x-amzn-requestid"
    assert metadata["RequestId"] == metadata["HTTPHeaders"][header]


def test_moto_answers_for_other_services(client: Callable[..., Any]) -> None:
    topic = client("sns").create_topic(Name="alarms")["TopicArn"]
    client("cloudwatch").put_metric_alarm(
        AlarmName="drift",
        AlarmActions=[topic],
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="violations",
        Namespace="x",
        Period=60,
        Statistic="Sum",
        Threshold=0,
    )
    (alarm,) = client("cloudwatch").describe_alarms(AlarmNames=["drift"])["MetricAlarms"]
    assert alarm["AlarmActions"] == [topic]
    assert client("kms").list_keys()["Keys"] == []
    assert client("events").list_rules(NamePrefix="drift")["Rules"] == []


EXPLICIT_ADDRESSES = """
import boto3
for region in ("us-east-1", "eu-central-1", "cn-north-1"):
    suffix = "amazonaws.com.cn" if region.startswith("cn") else "amazonaws.com"
    sts = boto3.client("sts", region_name=region, endpoint_url=f"https://sts.{region}.{suffix}")
    print(sts.get_caller_identity()["Account"])
virtual = boto3.session.Config(s3={"addressing_style": "virtual"})
s3 = boto3.client("s3", endpoint_url="https://s3.eu-west-1.amazonaws.com", config=virtual)
print(s3.list_objects_v2(Bucket="sagemaker-us-east-1-123456789012", MaxKeys=1)["Name"])
"""


def test_https_to_aws_is_answered_by_the_server_and_other_https_passes_through(
    server: RunningServer, data_dir: Path
) -> None:
    environment = client_environment(data_dir, server.port, {})
    done = python("-c", EXPLICIT_ADDRESSES, **environment)
    assert done.stdout.split() == ["123456789012"] * 3 + ["sagemaker-us-east-1-123456789012"], done.stderr

    with socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor(1) as pool:

        def echo() -> None:
            with other.accept()[0] as accepted:
                accepted.sendall(accepted.recv(100)[::-1])

        pool.submit(echo)
        with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
            connection.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: x\r\n\r\n" % other.getsockname()[1])
            stream = connection.makefile("rb")
            assert b" 200 " in stream.readline() and stream.readline() == b"\r\n"
            connection.sendall(b"hello")
            assert stream.read() == b"olleh"


# life and death


def test_two_processes_that_connect_at_once_get_the_same_server(own_dir: Path) -> None:
    script = "import local_sagemaker; print(local_sagemaker.connect()['AWS_ENDPOINT_URL'])"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "LOCAL_SAGEMAKER_DIR": str(own_dir)},
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    urls = {process.communicate(timeout=SECONDS)[0].strip() for process in processes}
    server = find_server(own_dir)
    assert server is not None and urls == {server.url}
    assert client_environment(own_dir, server.port).items() <= local_sagemaker.connect(own_dir).items()


def test_connecting_imports_nothing_heavy() -> None:
    modules = "{'moto', 'flask', 'botocore', 'typer'} & {*sys.modules}"
    script = f"import local_sagemaker.http.background as _, sys; print({modules})"
    assert python("-c", script).stdout == "set()\n"


@dataclass(frozen=True)
class Start:
    """What `python -m local_sagemaker start` has printed, how long it took, and the server's processor seconds."""

    data_dir: Path
    done: subprocess.CompletedProcess[str]
    seconds: float
    processor_seconds: float


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """A server that the command has started and that no test sends requests to."""
    folder = tmp_path_factory.mktemp("started") / "data dir"
    begun = time.monotonic()
    done = command("start", LOCAL_SAGEMAKER_DIR=str(folder))
    seconds = time.monotonic() - begun
    times = psutil.Process(find_server(folder).pid).cpu_times()  # type: ignore[union-attr]
    yield Start(folder, done, seconds, times.user + times.system)
    stop_server(folder)


def test_it_starts_within_a_second_and_a_half(start: Start) -> None:
    # of its processor: the machine has other things to do as well
    assert start.processor_seconds < 1.5


@pytest.mark.parametrize("value", ["soon", "-1"])
def test_a_setting_that_is_no_number_is_named(value: str, own_dir: Path) -> None:
    done = command("start", LOCAL_SAGEMAKER_DIR=str(own_dir), LOCAL_SAGEMAKER_RETENTION_DAYS=value)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"LOCAL_SAGEMAKER_RETENTION_DAYS is {value!r}, which is not a number of at least 0" in done.stderr


def test_starting_holds_no_pipe_open(start: Start) -> None:
    # a CI job that waits for the end of its output would otherwise wait for the server
    done = start.done
    assert done.returncode == 0 and f"serving {start.data_dir} at http://127.0.0.1:" in done.stdout, done.stderr
    assert start.seconds < SECONDS / 2
    server = find_server(start.data_dir)
    assert server is not None
    assert os.getsid(server.pid) == server.pid != os.getsid(0)


def test_a_second_server_names_the_holder_of_the_data_directory(start: Start) -> None:
    server = find_server(start.data_dir)
    assert server is not None
    done = command("start", "--foreground", "--data-dir", str(start.data_dir))
    assert done.returncode == 1
    assert f"{start.data_dir} is held by process {server.pid}, on port {server.port};" in done.stderr
    assert "Traceback" not in done.stderr
    assert find_server(start.data_dir) == server


def test_a_taken_port_is_named(own_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = command("start", "--port", str(port), "--data-dir", str(own_dir))
    assert done.returncode == 1
    assert f"port {port} is not available: Address already in use; choose another" in done.stderr
    assert not is_held(own_dir)


def test_it_restarts_on_the_same_port(own_dir: Path) -> None:
    server = ensure_server(own_dir)
    port = server.port
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not is_held(own_dir))
    assert ensure_server(own_dir).port == port
    stop_server(own_dir)
    with socket.create_server(("127.0.0.1", port)):
        assert ensure_server(own_dir).port != port


def test_a_stale_lock_file_is_ignored(own_dir: Path) -> None:
    own_dir.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as other:
        lock = DataDir(own_dir).server_lock
        for stale in (f"{os.getpid()} {other.getsockname()[1]}", "1 99999999", "nonsense"):
            lock.write_text(stale)
            assert find_server(own_dir) is None
            assert not stop_server(own_dir)
            assert not is_held(own_dir)
        lock.write_text(f"{os.getpid()} {other.getsockname()[1]}")
        assert ensure_server(own_dir).port != other.getsockname()[1]


LONG_JOB = """
import os, subprocess, sys, time
# one child in the job's own group, one that hides in a session of its own
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("started", flush=True)
time.sleep(600)
"""


def start_job(server: RunningServer) -> None:
    s3, sagemaker = make_client(server, "s3"), make_client(server, "sagemaker")
    bucket = "sagemaker-us-east-1-123456789012"
    s3.put_object(Bucket=bucket, Key="code/main.py", Body=LONG_JOB.encode())
    sagemaker.create_processing_job(
        ProcessingJobName="long",
        RoleArn=ROLE,
        AppSpecification={
            "ImageUri": SCIKIT_LEARN,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/main.py"],
        },
        ProcessingInputs=[
            {
                "InputName": "code",
                "S3Input": {
                    "S3Uri": f"s3://{bucket}/code/main.py",
                    "LocalPath": "/opt/ml/processing/input/code",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )


def sleepers(data_dir: Path) -> list[psutil.Process]:
    """Find processes of the data directory's jobs, without the server's own one that they are forked from."""
    mark, (server, _) = job_mark(DataDir(data_dir)), background.holder(data_dir)
    found = []
    for process in psutil.process_iter():
        try:
            is_helper = (
                process.ppid() == server and "local_sagemaker.containers.warm_python.parent" in process.cmdline()
            )
            is_of_job = mark.items() <= process.environ().items() and process.status() != psutil.STATUS_ZOMBIE
            if is_of_job and not is_helper:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_no_process_of_a_job_outlives_the_server(
    end: signal.Signals, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_SAGEMAKER_WARM", "1")  # such processes are the harder ones to end
    server = ensure_server(own_dir)
    start_job(server)
    until(lambda: len(sleepers(own_dir)) >= 3)
    found = find_server(own_dir)
    assert found is not None and found.busy == 1
    if end == signal.SIGTERM:
        assert stop_server(own_dir)
        assert sleepers(own_dir) == []
    else:
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not is_held(own_dir))
    monkeypatch.setenv("LOCAL_SAGEMAKER_WARM", "0")
    server = ensure_server(own_dir)
    assert sleepers(own_dir) == []
    job = make_client(server, "sagemaker").describe_processing_job(ProcessingJobName="long")
    assert job["ProcessingJobStatus"] in ("Failed", "Stopped") and server.busy == 0


def test_a_server_of_another_version_is_replaced_once_it_is_idle(own_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(REPOSITORY / "local_sagemaker", other / "local_sagemaker")
    (other / "local_sagemaker" / "account.py").open("a").write("# changed\n")
    server = ensure_server(own_dir)
    start_job(server)
    busy = command("start", "--data-dir", str(own_dir), folder=other)
    assert busy.returncode == 1
    assert (
        f"process {server.pid}, of another version of this package, is running 1 execution(s) or job(s)" in busy.stderr
    )
    assert find_server(own_dir) is not None
    make_client(server, "sagemaker").stop_processing_job(ProcessingJobName="long")
    until(lambda: find_server(own_dir).busy == 0)  # type: ignore[union-attr]
    assert command("start", "--data-dir", str(own_dir), folder=other).returncode == 0
    replaced = find_server(own_dir)
    assert replaced is not None and replaced.version != server.version and replaced.port == server.port


# the command


def test_the_command_starts_shows_and_stops(own_dir: Path) -> None:
    where = {"LOCAL_SAGEMAKER_DIR": str(own_dir)}
    missing = command("status", **where)
    assert (missing.returncode, f"no server is running for {own_dir}" in missing.stdout) == (1, True)
    lines = command("env", **where).stdout.splitlines()
    server = find_server(own_dir)
    assert server is not None and f"export AWS_ENDPOINT_URL={server.url}" in lines
    assert any(line.startswith("export AWS_CONFIG_FILE='") for line in lines), "a space needs quotes"
    shown = command("status", **where)
    assert shown.returncode == 0 and f"{server.url} (process {server.pid}); 0 " in shown.stdout
    assert command("stop", **where).stdout == f"stopped the server of {own_dir}\n"
    assert command("stop", **where).stdout == f"no server is running for {own_dir}\n"


def test_reset_removes_all_state_and_nothing_else(own_dir: Path, tmp_path: Path) -> None:
    server = ensure_server(own_dir)
    assert own_dir.stat().st_mode & 0o077 == 0, "what is kept may be secret"
    asked = command("reset", "--data-dir", str(own_dir))
    assert asked.returncode == 1 and find_server(own_dir) == server
    done = command("reset", "--yes", "--data-dir", str(own_dir))
    assert (done.returncode, done.stdout) == (0, f"deleted {own_dir}\n"), done.stderr
    assert not own_dir.exists()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("dear")
    refused = command("reset", "--yes", "--data-dir", str(tmp_path / "home"))
    assert refused.returncode == 1 and "contains 'thesis.tex'" in refused.stderr
    assert (tmp_path / "home" / "thesis.tex").exists()


def test_help_lists_the_commands_with_an_example() -> None:
    shown = command("--help").stdout
    for word in ("start", "stop", "status", "reset", "env", 'eval "$(python -m local_sagemaker env)"'):
        assert word in shown


def test_an_unsupported_operation_is_named_in_the_boto3_error(client: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match=r"UnknownOperationException.*CreateHub is not supported"):
        client("sagemaker").create_hub(HubName="models", HubDescription="none")
