"""A server on a data directory with problems: a full disk, missing permissions, damaged or missing files."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from local_sagemaker.http.background import RunningServer, find_server
from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, Machine
from tests.local_sagemaker.steps import shell, until

pytestmark = pytest.mark.slow

BUCKET = "bucket"
MIB = 1 << 20
# of memory, so that it is full for real
MOUNT = 'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"'
# to root, who may read everything, files are as to everybody else
AS_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


class Place:
    """A server in the foreground on its own data directory; subclasses fill its disk in different ways."""

    prefix: tuple[str, ...] = tuple(AS_ANYBODY) if os.geteuid() == 0 else ()

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        data_dir.mkdir(exist_ok=True)
        self.start()

    def start(self) -> None:
        with (self.data_dir.parent / "output").open("ab") as output:
            command = [*self.prefix, sys.executable, "-m", "local_sagemaker.http.server", str(self.data_dir)]
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        until(lambda: self.process.poll() is not None or find_server(self.files))
        server = find_server(self.files)
        assert server is not None, (self.data_dir.parent / "output").read_text()
        self.server: RunningServer = server

    @property
    def files(self) -> Path:
        """The data directory as the test sees it."""
        return self.data_dir

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def fill(self) -> None:
        """No file may grow, beyond what the note of where the server listens takes."""
        psutil.Process(self.server.pid).rlimit(psutil.RLIMIT_FSIZE, (64, psutil.RLIM_INFINITY))

    def make_room(self) -> None:
        psutil.Process(self.server.pid).rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))

    def content(self) -> dict[str, bytes]:
        """All records, objects and what comes with them."""
        names = ("s3", "s3-metadata", "s3-incoming", "s3-uploads", "moto.jsonl")
        files = [file for name in names for file in (self.files / name, *(self.files / name).rglob("*"))]
        return {str(file): file.read_bytes() for file in files if file.is_file()}


class SmallDisk(Place):
    """On its own file system of 4 MiB, in a private mount namespace."""

    unshare = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))

    def __init__(self, data_dir: Path) -> None:
        self.prefix = (*self.unshare, "sh", "-c", MOUNT, str(data_dir))
        try:
            subprocess.run([*self.unshare, "sh", "-c", MOUNT, str(data_dir.parent), "true"], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no file system can be mounted here: {error}")
        super().__init__(data_dir)

    @property
    def files(self) -> Path:
        return Path(f"/proc/{self.process.pid}/root{self.data_dir}")

    def fill(self) -> None:
        with (self.files / "filling").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while file.write(b"x" * 1000):
                pass

    def make_room(self) -> None:
        (self.files / "filling").unlink()


@pytest.fixture(params=[Place, SmallDisk], ids=["file size limit", "small disk"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = request.param(tmp_path / "data")
    yield made
    made.stop()


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, int, int]:
    """Return code and status of an error, and the number of retries."""
    with pytest.raises(ClientError, match=r"the disk is full .* free some space and try again") as raised:
        call(**request)
    answer = raised.value.response
    return (
        answer["Error"]["Code"],
        answer["ResponseMetadata"]["HTTPStatusCode"],
        answer["ResponseMetadata"]["RetryAttempts"],
    )


def test_a_full_disk_refuses_writes_and_serves_reads_until_there_is_space(place: Place) -> None:
    s3, sagemaker, ssm = (make_client(place.server, service) for service in ("s3", "sagemaker", "ssm"))
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="old", Body=b"old" * 100)
    upload = {"Bucket": BUCKET, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    sagemaker.create_model_package_group(ModelPackageGroupName="old")
    package = sagemaker.create_model_package(ModelPackageGroupName="old")["ModelPackageArn"]
    definition = json.dumps({"Version": "2020-12-01", "Steps": [{"Name": "F", "Type": "Fail", "Arguments": {}}]})
    sagemaker.create_pipeline(PipelineName="old", PipelineDefinition=definition, RoleArn=ROLE)
    ssm.put_parameter(Name="old", Value="x" * 4000, Type="String")

    place.fill()
    before = place.content()
    refused = ("InsufficientStorage", 507, 0)
    for key in ("old", "new"):
        assert refusal(s3.put_object, Bucket=BUCKET, Key=key, Body=b"x" * 5 * MIB) == refused
        assert refusal(s3.put_object, Bucket=BUCKET, Key=key, Body=b"x" * 5000) == refused
    copied = {"Bucket": BUCKET, "Key": "old"}
    assert refusal(s3.copy_object, Bucket=BUCKET, Key="copy", CopySource=copied) == refused
    assert refusal(s3.upload_part, **upload, PartNumber=1, Body=b"x" * 5000) == refused
    assert refusal(sagemaker.create_model_package_group, ModelPackageGroupName="new") == refused
    approval = {"ModelPackageArn": package, "ModelApprovalStatus": "Approved"}
    assert refusal(sagemaker.update_model_package, **approval) == refused
    assert refusal(sagemaker.start_pipeline_execution, PipelineName="old") == refused
    assert refusal(ssm.put_parameter, Name="new", Value="x" * 4000, Type="String") == refused
    assert place.content() == before

    assert s3.get_object(Bucket=BUCKET, Key="old")["Body"].read() == b"old" * 100
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["old"]
    groups = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [one["ModelPackageGroupName"] for one in groups] == ["old"]
    assert sagemaker.describe_model_package(ModelPackageName=package)["ModelApprovalStatus"] == "PendingManualApproval"
    assert sagemaker.list_pipeline_executions(PipelineName="old")["PipelineExecutionSummaries"] == []
    s3.delete_object(Bucket=BUCKET, Key="old")

    place.make_room()
    s3.put_object(Bucket=BUCKET, Key="new", Body=b"x" * 5000)
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    sagemaker.start_pipeline_execution(PipelineName="old")
    ssm.put_parameter(Name="newer", Value="x" * 4000, Type="String")
    kept = [json.loads(text) for text in written(place, "SELECT entry FROM moto_journal ORDER BY sequence")]
    assert [json.loads(base64.b64decode(entry["body"]))["Name"] for entry in kept] == ["old", "newer"]


def test_an_execution_that_fails_on_a_full_disk_says_so_and_can_be_retried(place: Place) -> None:
    s3, sagemaker = make_client(place.server, "s3"), make_client(place.server, "sagemaker")
    s3.create_bucket(Bucket=BUCKET)
    script = (
        "sleep 0.5; for i in 1 2 3; do echo many words, all of them lost $i; done; cp /bin/sh /opt/ml/processing/output"
    )
    s3.put_object(Bucket=BUCKET, Key="code/main.sh", Body=script)
    definition = {
        "Version": "2020-12-01",
        "Steps": [shell("Write", f"s3://{BUCKET}/code/main.sh", f"s3://{BUCKET}/out")],
    }
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=json.dumps(definition), RoleArn=ROLE)
    arn = sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]

    def status() -> str:
        return str(sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"])

    def job() -> Any:
        jobs = sagemaker.list_processing_jobs(MaxResults=1, SortBy="CreationTime")["ProcessingJobSummaries"]
        return sagemaker.describe_processing_job(ProcessingJobName=jobs[0]["ProcessingJobName"]) if jobs else {}

    until(lambda: job().get("ProcessingStartTime"))
    place.fill()
    until(lambda: status() == "Failed")
    (step,) = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert step["StepStatus"] == "Failed"
    assert job()["ProcessingJobStatus"] == "Failed"
    # in the words of the system or of SQLite, whoever needs space first
    assert any(words in step["FailureReason"] for words in ("No space left", "File too large", "disk is full"))

    place.make_room()
    # what the disk had refused
    until(lambda: written(place, "SELECT status FROM records WHERE title = ?", arn) == ["Failed"])
    sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="t" * 32)
    until(lambda: status() != "Executing")
    assert status() == "Succeeded"
    assert s3.head_object(Bucket=BUCKET, Key="out/sh")["ContentLength"] > 64


def written(place: Place, query: str, *parameters: str) -> list[str]:
    """Return the column that a query finds in the database on disk."""
    copy = place.data_dir.parent / "copy.sqlite"
    # SQLite would look for the file outside the mount namespace
    for suffix in ("", "-wal"):
        shutil.copy(f"{place.files}/state.sqlite{suffix}", f"{copy}{suffix}")
    with closing(sqlite3.connect(copy)) as connection:
        return [value for (value,) in connection.execute(query, parameters)]


# files that cannot be read


@pytest.fixture
def own_place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "data")
    yield made
    for path in (tmp_path / "data").rglob("*"):
        path.chmod(0o700)
    made.stop()


def test_an_unreadable_file_is_named_and_the_others_are_served(own_place: Place) -> None:
    s3 = make_client(own_place.server, "s3")
    s3.create_bucket(Bucket=BUCKET)
    for key in ("closed/a", "file", "gone", "other"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    folder = own_place.files / "s3" / BUCKET
    for path in (folder / "file", folder / "closed"):
        path.chmod(0)
    (folder / "gone").unlink()

    for key, path in (("file", folder / "file"), ("closed/a", folder / "closed")):
        with pytest.raises(ClientError, match=rf"AccessDenied.*Permission denied: '{path}.*change the file's perm"):
            s3.get_object(Bucket=BUCKET, Key=key)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=BUCKET, Key="gone")
    assert s3.get_object(Bucket=BUCKET, Key="other")["Body"].read() == b"other"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["file", "other"]


def one_of_each(machine: Machine) -> None:
    """Make records of all kinds, of resources that were running when their server ended."""
    call, arn = machine.service.call, "arn:aws:sagemaker:us-east-1:123456789012"
    machine.process("job")
    call("CreateModel", {"ModelName": "m", "PrimaryContainer": {"Image": SCIKIT_LEARN}, "ExecutionRoleArn": ROLE})
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    call("CreateEndpointConfig", {"EndpointConfigName": "c", "ProductionVariants": [variant]})
    call("CreateModelPackageGroup", {"ModelPackageGroupName": "g"})
    call("CreateModelPackage", {"ModelPackageGroupName": "g"})
    call("AddTags", {"ResourceArn": f"{arn}:model-package-group/g", "Tags": [{"Key": "a", "Value": "b"}]})
    step = {"Name": "S", "Type": "Processing", "Arguments": machine.processing_arguments("s", "")}
    machine.run_pipeline([{**step, "CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}])
    (execution,) = machine.store.all("pipeline-execution")
    machine.store.update(
        "pipeline-execution", execution["PipelineExecutionArn"][-12:], PipelineExecutionStatus="Executing"
    )
    machine.store.update("processing-job", "job", ProcessingJobStatus="InProgress")


LISTINGS: dict[str, dict[str, Any]] = {
    "ListPipelines": {},
    "ListPipelineExecutions": {"PipelineName": "pipeline"},
    "ListProcessingJobs": {},
    "ListModels": {},
    "ListEndpointConfigs": {},
    "ListModelPackageGroups": {},
    "ListModelPackages": {"ModelPackageGroupName": "g"},
}


@pytest.mark.parametrize("damage", ["", '{"ModelPackageName": "x', "[]", "{}"])
def test_any_damaged_record_is_named_and_all_others_are_served(damage: str, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    one_of_each(machine)
    database = machine.app.database
    rows = database.read("SELECT kind, name, record FROM records")
    assert len({kind for kind, _, _ in rows}) >= 11
    write = "UPDATE records SET record = ? WHERE kind = ? AND name = ?"
    for kind, name, whole in rows:
        with database.transaction() as connection:
            connection.execute(write, [damage, kind, name])
        machine.executor.recover()
        for operation, request in LISTINGS.items():
            try:
                machine.service.call(operation, request)
            except ServiceError as error:
                # of what belongs to something damaged
                assert error.code == "ValidationException" and f"the {kind} record '{name}'" in error.message
        with database.transaction() as connection:
            connection.execute(write, [whole, kind, name])


def test_an_endpoint_with_an_inconsistent_record_is_failed_with_the_reason(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    record = {"EndpointName": "odd", "EndpointArn": "arn", "EndpointStatus": "InService", "CreationTime": 0.0}
    machine.store.put("endpoint", "odd", record)
    machine.endpoint_manager.recover()
    record = machine.store.get("endpoint", "odd") or {}
    assert (record["EndpointStatus"], record["FailureReason"]) == (
        "Failed",
        "InternalServerError: KeyError: 'Deployed'",
    )
    machine.endpoint_manager.close()
