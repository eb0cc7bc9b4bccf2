"""What the server has acknowledged is there whenever it was killed, and under load nothing is lost.

LOAD_SECONDS in the environment makes the crowd stay longer than its few seconds.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local_sagemaker.http.background import RunningServer, ensure_server, stop_server
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.machine import ROLE
from tests.local_sagemaker.steps import shell

pytestmark = pytest.mark.slow

BUCKET = "kept"
KILLS = 20
CLIENTS = 64
LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "3"))
ENDED = ("Succeeded", "Failed", "Stopped")
# a request that the killed server had not answered is the client's to send again, and these tests' to leave
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30, max_pool_connections=CLIENTS)


@dataclass
class Acknowledged:
    """What clients were told: bodies by key, approval by package ARN, finished steps with their start by execution.

    deleted: the keys of deleted objects. running: an execution runs since the last kill. interrupted: how many
    executions a kill was found to have hit.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    approvals: dict[str, str] = field(default_factory=dict)
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: threading.Event = field(default_factory=threading.Event)
    interrupted: int = 0


def test_no_acknowledged_write_is_lost_after_twenty_kills(tmp_path: Path) -> None:
    told, chance = Acknowledged(), random.Random(20)  # noqa: S311
    try:
        server = ensure_server(tmp_path)
        prepare(server)
        for number in range(KILLS):
            before = len(told.objects)
            clients = [
                threading.Thread(target=until_refused, args=(work, server, told, number))
                for work in (write_objects, approve_packages, run_pipeline)
            ]
            for client in clients:
                client.start()
            assert told.running.wait(60)
            told.running.clear()
            time.sleep(chance.uniform(0, 0.5))
            os.kill(server.pid, signal.SIGKILL)
            for client in clients:
                client.join(timeout=60)
                assert not client.is_alive(), "a client hangs on a server that is gone"
            server = ensure_server(tmp_path)
            compare(server, told, itertools.islice(told.objects.items(), before, None))
        assert told.objects and told.approvals and told.interrupted > KILLS / 2
        finish(server, told)
    finally:
        stop_server(tmp_path)


def prepare(server: RunningServer) -> None:
    s3, sagemaker = make_client(server, "s3"), make_client(server, "sagemaker")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="code/main.sh", Body=b"echo x > /opt/ml/processing/output/done")
    sagemaker.create_model_package_group(ModelPackageGroupName=BUCKET)
    steps = []
    for number in range(6):
        after = {"DependsOn": [f"Step{number - 1}"]} if number else {}
        name = f"Step{number}"
        steps.append(shell(name, f"s3://{BUCKET}/code/main.sh", f"s3://{BUCKET}/{name}", **after))
    definition = {"Version": "2020-12-01", "Parameters": [], "Steps": steps}
    sagemaker.create_pipeline(PipelineName=BUCKET, PipelineDefinition=json.dumps(definition), RoleArn=ROLE)


def until_refused(work: Any, server: RunningServer, told: Acknowledged, number: int) -> None:
    """Work until the server is gone, which a client sees as a connection that ends or as an answer without members."""
    try:
        work(server, told, number)
    except (BotoCoreError, KeyError):
        return


def write_objects(server: RunningServer, told: Acknowledged, number: int) -> None:
    s3 = make_client(server, "s3", config=ONCE)
    for count in itertools.count():
        key, body = f"{number}/{count}", f"{number} {count} ".encode() * 1000
        s3.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata={"key": key})
        told.objects[key] = body
        if count % 5 == 4:
            gone = f"{number}/{count - 2}"
            del told.objects[gone]  # from here on it may be gone before the client hears of it
            s3.delete_object(Bucket=BUCKET, Key=gone)
            told.deleted.add(gone)


def approve_packages(server: RunningServer, told: Acknowledged, number: int) -> None:
    sagemaker = make_client(server, "sagemaker", config=ONCE)
    while True:
        arn = sagemaker.create_model_package(ModelPackageGroupName=BUCKET)["ModelPackageArn"]
        told.approvals[arn] = "any"  # from here on it may be approved before the client hears of it
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
        told.approvals[arn] = "Approved"


def run_pipeline(server: RunningServer, told: Acknowledged, number: int) -> None:
    """Continue with the newest execution, or start another, and watch it."""
    sagemaker = make_client(server, "sagemaker", config=ONCE)
    for count in itertools.count():
        arn = next((arn for arn in told.executions if status(sagemaker, arn) == "Failed"), None)
        token = f"{number}-{count}".ljust(32, "-")
        if arn is not None:
            sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=token)
        else:
            arn = sagemaker.start_pipeline_execution(PipelineName=BUCKET)["PipelineExecutionArn"]
            told.executions[arn] = {}
        told.running.set()
        while status(sagemaker, arn) not in ENDED:
            told.executions[arn] |= succeeded(sagemaker, arn)
            time.sleep(0.02)


def status(sagemaker: Any, arn: str) -> str:
    return str(sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"])


def succeeded(sagemaker: Any, arn: str) -> dict[str, Any]:
    """Return names and start times of the steps that have succeeded."""
    answer = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
    steps = answer["PipelineExecutionSteps"]
    return {step["StepName"]: step["StartTime"] for step in steps if step["StepStatus"] == "Succeeded"}


def compare(server: RunningServer, told: Acknowledged, read: Iterable[tuple[str, bytes]]) -> None:
    """Find all that was acknowledged. read: the objects, of all those listed, whose bodies are read as well."""
    s3, sagemaker = make_client(server, "s3"), make_client(server, "sagemaker")
    for key, body in read:
        got = s3.get_object(Bucket=BUCKET, Key=key)
        assert (got["Body"].read(), got["Metadata"]) == (body, {"key": key})
    listings = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    sizes = {one["Key"]: one["Size"] for listing in listings for one in listing["Contents"]}
    assert {key: sizes.get(key) for key in told.objects} == {key: len(body) for key, body in told.objects.items()}
    assert told.deleted.isdisjoint(sizes)
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=BUCKET)
    packages = [package for page in pages for package in page["ModelPackageSummaryList"]]
    approvals = {package["ModelPackageArn"]: package["ModelApprovalStatus"] for package in packages}
    for arn, approval in told.approvals.items():
        assert arn in approvals and approval in ("any", approvals[arn])
    for arn, steps in told.executions.items():
        execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        assert execution["PipelineExecutionStatus"] in ("Succeeded", "Failed")
        if execution["PipelineExecutionStatus"] == "Failed":
            assert "the local SageMaker ended while this was running" in execution["FailureReason"]
            told.interrupted += 1
        # with the very start that was shown: a step that had finished has not been run again
        assert steps.items() <= succeeded(sagemaker, arn).items()


def finish(server: RunningServer, told: Acknowledged) -> None:
    """Retry what was interrupted; all of it comes to a good end."""
    sagemaker = make_client(server, "sagemaker")
    for number, arn in enumerate(told.executions):
        if status(sagemaker, arn) == "Failed":
            token = f"end-{number}".ljust(32, "-")
            sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=token)
    end = time.monotonic() + 60
    while any(status(sagemaker, arn) not in ENDED for arn in told.executions):
        assert time.monotonic() < end
        time.sleep(0.05)
    compare(server, told, told.objects.items())
    assert {status(sagemaker, arn) for arn in told.executions} == {"Succeeded"}


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[RunningServer]:
    yield ensure_server(tmp_path)
    stop_server(tmp_path)


def test_many_concurrent_clients_get_no_error_and_lose_no_write(crowded: RunningServer) -> None:
    s3, sagemaker = make_client(crowded, "s3", config=ONCE), make_client(crowded, "sagemaker", config=ONCE)
    s3.create_bucket(Bucket=BUCKET)
    sagemaker.create_model_package_group(ModelPackageGroupName=BUCKET)
    end = time.monotonic() + LOAD_SECONDS

    def client(number: int) -> tuple[dict[str, bytes], list[str]]:
        written: dict[str, bytes] = {}
        arns: list[str] = []
        while time.monotonic() < end:
            count = len(arns)
            key, body = f"{number % 8}/{number}/{count % 50}", f"{number} {count} ".encode() * 1000
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
            written[key] = body
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
            arns.append(sagemaker.create_model_package(ModelPackageGroupName=BUCKET)["ModelPackageArn"])
            sagemaker.update_model_package(ModelPackageArn=arns[-1], ModelApprovalStatus="Approved")
            sagemaker.list_model_packages(ModelPackageGroupName=BUCKET, MaxResults=10)
            with pytest.raises(ClientError, match="ValidationException"):
                sagemaker.describe_training_job(TrainingJobName=f"nobody-{number}")
            s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{number % 8}/", MaxKeys=20)
        return written, arns

    with ThreadPoolExecutor(CLIENTS) as pool:
        results = list(pool.map(client, range(CLIENTS)))
    arns = [arn for _, own in results for arn in own]
    assert len(arns) > CLIENTS and len(set(arns)) == len(arns)
    for arn in arns[:: max(1, len(arns) // 50)]:
        assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Approved"
    for written, _ in results:
        for key, body in written.items():
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
