from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.jobs import checkpoints
from tests.local_sagemaker.machine import TIMEOUT, Machine, Record
from tests.local_sagemaker.steps import until

# logs the number of lines in count.txt and adds one
COUNT = """
import pathlib
file = pathlib.Path("/opt/ml/checkpoints/deep/count.txt")
file.parent.mkdir(exist_ok=True)
lines = file.read_text().splitlines() if file.exists() else []
print(f"found {len(lines)}")
file.write_text("line\\n" * (len(lines) + 1))
"""
WAIT = "import time; time.sleep(60)"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN", 0.02)


def training(machine: Machine, name: str, script: str, uri: str = "s3://bucket/kept", **more: Any) -> Record:
    return {**machine.training(name, script), "CheckpointConfig": {"S3Uri": uri, **more}}


def train(machine: Machine, name: str, script: str, **more: Any) -> Record:
    machine.jobs.start("training-job", training(machine, name, script, **more))
    return machine.jobs.wait("training-job", name, TIMEOUT)


def test_a_job_resumes_from_the_checkpoints_of_an_earlier_one(machine: Machine) -> None:
    machine.put("s3://bucket/kept-elsewhere/count.txt", "not ours")
    for number in range(3):
        job = train(machine, f"job{number}", COUNT)
        assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
        assert f"found {number}" in machine.log(f"job{number}")
    assert machine.read("s3://bucket/kept/deep/count.txt") == "line\n" * 3
    assert machine.keys("kept/") == ["kept/deep/count.txt"]
    assert machine.archive(job["ModelArtifacts"]["S3ModelArtifacts"]) == {}


def test_checkpoints_are_uploaded_while_the_job_runs_and_not_deleted_from_s3(machine: Machine) -> None:
    proceed = machine.data_dir / "proceed"
    script = f"""
import pathlib, time
folder = pathlib.Path("/opt/ml/checkpoints")
(folder / "first").write_text("1")
while not pathlib.Path({str(proceed)!r}).exists(): time.sleep(0.01)
(folder / "first").unlink()
(folder / "last").write_text("2")
"""
    machine.jobs.start("training-job", training(machine, "job", script))
    until(lambda: machine.keys("kept/") == ["kept/first"])
    proceed.touch()
    assert machine.jobs.wait("training-job", "job", TIMEOUT)["TrainingJobStatus"] == "Completed"
    assert machine.keys("kept/") == ["kept/first", "kept/last"]


@pytest.mark.parametrize(("end", "status"), [("raise SystemExit(1)", "Failed"), (WAIT, "Stopped")])
def test_a_failed_or_stopped_job_has_uploaded_its_last_checkpoint(machine: Machine, end: str, status: str) -> None:
    machine.jobs.start("training-job", training(machine, "job", f"{COUNT}\nprint('done', flush=True)\n{end}"))
    if status == "Stopped":
        until(lambda: "done" in machine.log("job"))
        machine.jobs.stop("training-job", "job")
    assert machine.jobs.wait("training-job", "job", TIMEOUT)["TrainingJobStatus"] == status
    assert machine.read("s3://bucket/kept/deep/count.txt") == "line\n"


def test_local_path_sets_the_checkpoint_folder(machine: Machine) -> None:
    script = "open('/opt/ml/mine/a', 'w').write('1')"
    job = train(machine, "job", script, uri="s3://bucket/kept/", LocalPath="/opt/ml/mine/")
    assert job["TrainingJobStatus"] == "Completed"
    assert job["CheckpointConfig"] == {"S3Uri": "s3://bucket/kept/", "LocalPath": "/opt/ml/mine/"}
    assert machine.keys("kept/") == ["kept/a"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"LocalPath": "/tmp/mine"}, "LocalPath must be below /opt/ml on this machine, not '/tmp/mine'"),  # noqa: S108
        ({"uri": "s3://none/kept"}, "Data upload to s3://none/kept/deep/count.txt failed: there is no bucket 'none'"),
    ],
)
def test_checkpoints_that_cannot_be_uploaded_fail_the_job_with_the_reason(
    machine: Machine, config: dict[str, str], expected: str
) -> None:
    job = train(machine, "job", COUNT, **config)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ") and expected in job["FailureReason"]


def test_a_file_is_not_uploaded_while_it_is_being_written(machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    sync = checkpoints._FolderSync(machine.objects, folder, "s3://bucket/kept")
    for content in ("1", "12", "123"):
        (folder / "a").write_text(content)
        sync.upload_complete()
        assert machine.keys("kept/") == []
    sync.upload_complete()
    assert machine.read("s3://bucket/kept/a") == "123"
