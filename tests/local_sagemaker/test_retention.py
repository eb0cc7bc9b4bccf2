"""Old files and what killed writes have left are removed, and nothing that somebody needs."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.account import sagemaker_arn
from local_sagemaker.containers.output import LogStream
from local_sagemaker.data_dir import DataDir
from local_sagemaker.retention import DAY, prune, prune_daily, sweep
from tests.local_sagemaker.machine import Machine
from tests.local_sagemaker.steps import until

NOW = time.time()
BEFORE = NOW - 30 * DAY
OLD = NOW - 31 * DAY


def put(path: Path, modified: float = NOW) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("content")
    os.utime(path, (modified, modified))
    return path


def job_folder(machine: Machine, name: str, status: str, modified: float) -> Path:
    folder = machine.data_dir / "jobs" / "processing-job" / name
    put(folder / "algo-1" / "output" / "result.csv", modified)
    os.utime(folder, (modified, modified))
    record = {
        "ProcessingJobName": name,
        "ProcessingJobArn": sagemaker_arn("processing-job", name),
        "ProcessingJobStatus": status,
        "CreationTime": modified,
    }
    machine.store.put("processing-job", name, record)
    return folder


def test_folders_of_failed_jobs_are_removed_after_the_period_unless_a_job_is_running(machine: Machine) -> None:
    old = job_folder(machine, "old", "Failed", OLD)
    kept = [job_folder(machine, "young", "Failed", NOW), job_folder(machine, "running", "InProgress", OLD)]
    orphan = job_folder(machine, "orphan", "Failed", OLD)
    machine.store.delete("processing-job", "orphan")
    (old / "algo-1" / "output").chmod(0)
    prune(DataDir(machine.data_dir), machine.store, BEFORE)
    assert [folder.exists() for folder in (old, orphan, *kept)] == [False, False, True, True]
    assert machine.store.get("processing-job", "old"), "the record of the job stays"
    machine.store.delete("processing-job", "running")


def test_logs_are_removed_after_the_period_unless_something_writes_to_them(machine: Machine) -> None:
    logs = machine.data_dir / "logs"
    old = put(logs / "TrainingJobs" / "job" / "algo-1-1.log", OLD)
    young = put(logs / "TrainingJobs" / "other" / "algo-1-1.log")
    written = logs / "Endpoints" / "endpoint" / "AllTraffic" / "i-1.log"
    stream = LogStream(written, lambda line, now: None)
    os.utime(written, (OLD, OLD))
    prune(DataDir(machine.data_dir), machine.store, BEFORE)
    assert (old.exists(), written.exists(), young.exists()) == (False, True, True)
    stream.close()
    prune(DataDir(machine.data_dir), machine.store, BEFORE)
    assert not written.exists()


def test_empty_folders_of_log_streams_are_removed_a_day_later_and_log_groups_stay(machine: Machine) -> None:
    logs = machine.data_dir / "logs"
    put(logs / "TrainingJobs" / "job" / "algo-1-1.log", OLD)
    put(logs / "lambda" / "function" / "2026" / "[$LATEST]1.log", OLD)
    for is_first in (True, False):
        prune(DataDir(machine.data_dir), machine.store, BEFORE)
        assert (logs / "TrainingJobs" / "job").exists() == is_first == (logs / "lambda" / "function" / "2026").exists()
        for folder in [path for path in logs.rglob("*") if path.is_dir()]:
            os.utime(folder, (OLD, OLD))
    assert (logs / "TrainingJobs").exists() and (logs / "lambda" / "function").exists()


def test_old_monitoring_executions_are_removed_except_the_latest_of_each_schedule(machine: Machine) -> None:
    def execution(name: str, schedule: str, modified: float, status: str = "Completed") -> None:
        record: dict[str, Any] = {
            "MonitoringExecutionName": name,
            "MonitoringScheduleName": schedule,
            "MonitoringExecutionStatus": status,
            "CreationTime": modified,
            "LastModifiedTime": modified,
            "ScheduledTime": modified,
        }
        machine.store.put("monitoring-execution", name, record)

    execution("a/1", "a", OLD)
    execution("a/2", "a", OLD + 1, "InProgress")
    execution("a/3", "a", NOW)
    execution("b/1", "b", OLD)
    execution("b/2", "b", OLD + 1)
    prune(DataDir(machine.data_dir), machine.store, BEFORE)
    left = [record["MonitoringExecutionName"] for record in machine.store.all("monitoring-execution")]
    assert left == ["a/2", "a/3", "b/2"]
    machine.store.delete("monitoring-execution", "a/2")


def test_objects_and_other_records_are_never_removed(machine: Machine) -> None:
    machine.put("s3://bucket/.old.part", "content")
    os.utime(machine.data_dir / "s3" / "bucket" / ".old.part", (OLD, OLD))
    machine.service.call("CreateModelPackageGroup", {"ModelPackageGroupName": "group"})
    sweep(DataDir(machine.data_dir))
    prune(DataDir(machine.data_dir), machine.store, time.time() + DAY)
    assert machine.read("s3://bucket/.old.part") == "content"
    assert machine.store.all("model-package-group")


@pytest.mark.parametrize("days", [0, 30])
def test_zero_days_keep_everything(days: int, machine: Machine) -> None:
    file = put(machine.data_dir / "logs" / "TrainingJobs" / "job" / "algo-1-1.log", OLD)
    prune_daily(DataDir(machine.data_dir), machine.store, days)
    if days:
        until(lambda: not file.exists())
    else:
        time.sleep(0.1)
        assert file.exists()


def test_what_killed_writes_have_left_is_swept(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    left = [
        put(tmp_path / ".7f-1.part"),
        put(data_dir.client / ".7f-1.part"),
        put(data_dir.uploads / ("a" * 32) / ".7f-1.part").parent,
        put(data_dir.uploads / ("b" * 32) / f"00001.{'0' * 32}").parent,
        put(data_dir.functions / "f" / "tmpabc" / "complete" / "task" / "app.py").parents[2],
        put(data_dir.environments / "0123" / "bin" / "python").parents[1],
    ]
    kept = [
        put(data_dir.uploads / ("c" * 32) / "upload.json"),
        put(data_dir.functions / "f" / ("0" * 64) / "code.zip"),
        put(data_dir.environments / "4567" / "complete"),
        put(data_dir.jobs / "training-job" / "failed" / "algo-1" / ".model.part"),
    ]
    temporary = Path(tempfile.mkdtemp(prefix="sagemaker-"))
    (temporary / "ml").symlink_to(data_dir.jobs / "training-job" / "failed" / "algo-1")
    sweep(data_dir)
    assert [path.exists() for path in left] == [False] * len(left)
    assert [path.exists() for path in kept] == [True] * len(kept)
    assert not temporary.exists()
