import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.data_dir import DataDir
from local_sagemaker.jobs.manager import INTERRUPTED, JobManager
from local_sagemaker.jobs.processing_job import ProcessingJob
from local_sagemaker.jobs.training_job import TrainingJob
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.objects import ObjectStore
from tests.local_sagemaker.machine import TIMEOUT, Machine, tar_gz

COPY = """
import pathlib, shutil, sys
shutil.copy("/opt/ml/processing/input/data/a.csv", "/opt/ml/processing/output/out/b.csv")
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.jobs.close()


def describe(machine: Machine, noun: str, name: str = "job") -> dict[str, Any]:
    return machine.service.call(f"Describe{noun}", {f"{noun}Name": name})


def until(condition: Any) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# processing


def test_a_processing_job_downloads_inputs_and_uploads_outputs(machine: Machine) -> None:
    data = machine.put("s3://bucket/data/a.csv", "1,2\n")
    record = machine.process(script=COPY, inputs={"data": data})
    assert record["ProcessingJobStatus"] == "Completed", record
    assert machine.read("s3://bucket/job/out/b.csv") == "1,2\n"
    assert record["CreationTime"] <= record["ProcessingStartTime"] <= record["ProcessingEndTime"]
    described = describe(machine, "ProcessingJob")
    assert described["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] == "s3://bucket/job/out"
    until(lambda: not (machine.data_dir / "jobs" / "processing-job" / "job").exists())


def test_opt_ml_is_rewritten_in_arguments_and_environment(machine: Machine) -> None:
    script = """
import json, os, sys
argument, variable = sys.argv[1].removeprefix("--file="), os.environ["FILE"]
assert argument == variable == "/opt/ml/processing/output/out/x.json", sys.argv
open(argument, "w").write("{}")
"""
    path = "/opt/ml/processing/output/out/x.json"
    machine.process(script=script, arguments=(f"--file={path}",), environment={"FILE": path})
    assert machine.read("s3://bucket/job/out/x.json") == "{}"


def test_a_shell_script_entry_point_runs_with_rewritten_paths(machine: Machine) -> None:
    request = machine.processing("job", "print('from python')")
    machine.put("s3://bucket/code/job/run.sh", "set -e\npython3 /opt/ml/processing/input/code/main.py $1\n")
    request["AppSpecification"]["ContainerEntrypoint"] = ["/bin/sh", "/opt/ml/processing/input/code/run.sh", "x"]
    request["ProcessingInputs"][0]["S3Input"]["S3Uri"] = "s3://bucket/code/job"
    machine.jobs.start("processing-job", request)
    assert machine.jobs.wait("processing-job", "job", TIMEOUT)["ProcessingJobStatus"] == "Completed"
    assert machine.log("job") == ["from python"]
    assert "/opt/ml/" in machine.read("s3://bucket/code/job/run.sh")


def test_a_job_cannot_modify_its_input_objects(machine: Machine) -> None:
    data = machine.put("s3://bucket/data/a.csv", "original")
    machine.process(script='open("/opt/ml/processing/input/data/a.csv", "r+").write("changed!")', inputs={"data": data})
    assert machine.read(data) == "original"


def test_the_container_has_the_jobs_configuration_files(machine: Machine) -> None:
    script = """
import json, os
config = json.load(open("/opt/ml/config/processingjobconfig.json"))
resources = json.load(open("/opt/ml/config/resourceconfig.json"))
print(config["ProcessingJobName"], config["AppSpecification"]["ContainerEntrypoint"][0], resources["current_host"])
print(os.environ["PROCESSING_JOB_NAME"], os.environ["PROCESSING_JOB_ARN"], os.environ["AWS_REGION"])
# the paths are those on this machine, wherever they are read
print(os.listdir(config["ProcessingInputs"][0]["S3Input"]["LocalPath"]))
print(config["Environment"]["source"] == os.environ["source"] == config["ProcessingInputs"][0]["S3Input"]["LocalPath"])
"""
    machine.process(script=script, environment={"source": "/opt/ml/processing/input/code"})
    arn = "arn:aws:sagemaker:us-east-1:123456789012:processing-job/job"
    assert machine.log("job") == ["job python3 algo-1", f"job {arn} us-east-1", "['main.py']", "True"]


def test_a_failed_script_fails_the_job_with_reason_message_log_and_outputs(machine: Machine) -> None:
    script = """
import os, pathlib
print("working")
pathlib.Path("/opt/ml/output/message").write_text("two rows have no target")
pathlib.Path("/opt/ml/processing/output/out/report.json").write_text("{}")
raise ValueError("no target")
"""
    record = machine.process(script=script)
    assert record["ProcessingJobStatus"] == "Failed"
    assert record["FailureReason"] == "AlgorithmError: ValueError: no target, exit code: 1"
    assert record["ExitMessage"] == "two rows have no target"
    assert machine.log("job")[0] == "working"
    assert machine.log("job")[-1] == "ValueError: no target"
    assert machine.keys("job/out") == ["job/out/report.json"]


def test_the_files_of_a_failed_job_are_kept(machine: Machine) -> None:
    machine.process(script='open("/opt/ml/left", "w").write("x"); raise SystemExit(2)')
    assert (machine.data_dir / "jobs" / "processing-job" / "job" / "algo-1" / "left").read_text() == "x"


def test_a_failure_reason_is_truncated_to_the_apis_limit(machine: Machine) -> None:
    record = machine.process(script="raise ValueError('long ' * 10_000)")
    assert len(record["FailureReason"]) <= 1024
    assert record["FailureReason"].endswith("exit code: 1")
    describe(machine, "ProcessingJob")


def test_an_input_without_objects_fails_the_job_before_it_runs(machine: Machine) -> None:
    record = machine.process(script="print('no')", inputs={"data": "s3://bucket/nothing/"})
    assert record["ProcessingJobStatus"] == "Failed"
    assert record["FailureReason"].startswith(
        'ClientError: No S3 objects found under S3 URL "s3://bucket/nothing/" given in input data source'
    )
    assert machine.log("job") == []


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ("LocalPath", "/etc/cron.d", "'/etc/cron.d' leads out"),
        ("LocalPath", "/opt/ml/../../etc", "leads out"),
        ("S3InputMode", "Pipe", "Pipe is not supported"),
    ],
)
def test_an_unsupported_input_is_a_client_error(machine: Machine, member: str, value: str, expected: str) -> None:
    data = machine.put("s3://bucket/data/a.csv", "")
    record = machine.process(script="", inputs={"data": {"S3Uri": data, member: value}})
    assert record["FailureReason"].startswith("ClientError: ") and expected in record["FailureReason"]


def test_an_unexpected_error_is_an_internal_server_error(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("local_sagemaker.storage.transfers.copy_file", full)
    record = machine.process(script="")
    assert record["FailureReason"] == "InternalServerError: OSError: [Errno 28] No space left on device"


def test_a_job_that_exceeds_its_max_runtime_is_stopped_with_all_its_processes(machine: Machine) -> None:
    record = machine.process(script="import os; os.system('sleep 60')", seconds=1)
    assert record["ProcessingJobStatus"] == "Stopped"
    assert record["FailureReason"] == "ClientError: The job was stopped: it exceeded MaxRuntimeInSeconds (1)"
    assert 1 <= record["ProcessingEndTime"] - record["CreationTime"] < 10


def test_a_stopped_job_gets_sigterm_first_and_sigkill_later(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProcessingJob, "grace", 0.5)
    script = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("told", flush=True))
print("ready", flush=True)
while True: time.sleep(1)
"""
    machine.jobs.start("processing-job", machine.processing("job", script))
    until(lambda: machine.log("job"))
    machine.service.call("StopProcessingJob", {"ProcessingJobName": "job"})
    assert describe(machine, "ProcessingJob")["ProcessingJobStatus"] == "Stopping"
    machine.jobs.stop("processing-job", "job")  # has no further effect
    record = machine.jobs.wait("processing-job", "job", TIMEOUT)
    assert record["ProcessingJobStatus"] == "Stopped"
    assert machine.log("job") == ["ready", "told"]
    assert "FailureReason" not in record


def test_a_job_stopped_before_its_process_starts_does_not_start_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ProcessingJob.prepare

    def stop_first(self: ProcessingJob, *arguments: Any) -> Any:
        machine.jobs.stop("processing-job", self.name)
        return original(self, *arguments)

    monkeypatch.setattr(ProcessingJob, "prepare", stop_first)
    assert machine.process(script="print('no')")["ProcessingJobStatus"] == "Stopped"
    assert machine.log("job") == []


def test_stopping_an_ended_job_has_no_effect_and_stopping_an_unknown_one_is_an_error(machine: Machine) -> None:
    machine.process()
    machine.jobs.stop("processing-job", "job")
    assert describe(machine, "ProcessingJob")["ProcessingJobStatus"] == "Completed"
    with pytest.raises(KeyError):
        machine.jobs.stop("processing-job", "other")
    with pytest.raises(KeyError):
        machine.jobs.wait("processing-job", "other", 1)


def test_a_job_that_has_ended_can_be_deleted_and_its_name_reused(machine: Machine) -> None:
    name = {"ProcessingJobName": "job"}
    machine.service.call("CreateProcessingJob", machine.processing("job", "import time; time.sleep(60)"))
    with pytest.raises(ServiceError, match=r"ResourceInUse: .* job is in status InProgress; stop it first"):
        machine.service.call("DeleteProcessingJob", name)
    machine.jobs.stop("processing-job", "job")
    machine.jobs.wait("processing-job", "job", TIMEOUT)
    machine.service.call("DeleteProcessingJob", name)
    with pytest.raises(ServiceError, match="Could not find requested job with name: job"):
        machine.service.call("DescribeProcessingJob", name)
    assert machine.process(script="print('again')")["ProcessingJobStatus"] == "Completed"


def test_job_names_are_unique_regardless_of_case(machine: Machine) -> None:
    machine.process()
    jobs_after_a_restart = JobManager(machine.store, machine.objects)
    for jobs in (machine.jobs, jobs_after_a_restart):
        for name in ("job", "Job"):
            with pytest.raises(ServiceError) as error:
                jobs.start("processing-job", machine.processing(name, ""))
            assert error.value.code == "ResourceInUse"
        found = jobs.find("processing-job", "JOB")
        assert found is not None and found["ProcessingJobName"] == "job"
        assert jobs.find("training-job", "job") is None


@pytest.mark.parametrize("name", ["../evil", "", "a/b", "-a", "a" * 64])
def test_a_name_with_path_characters_is_rejected(machine: Machine, name: str) -> None:
    request = {**machine.processing("job", ""), "ProcessingJobName": name}
    with pytest.raises(ServiceError):
        machine.jobs.start("processing-job", request)
    assert machine.store.all("processing-job") == []


def test_an_unsupported_image_is_rejected_when_the_job_is_created(machine: Machine) -> None:
    with pytest.raises(ServiceError, match=r"'me/mine:1' cannot run on this machine.*sagemaker-scikit-learn"):
        machine.jobs.start("processing-job", machine.processing("job", "", image="me/mine:1"))


# several hosts


TALK = """
import json, os, socket, time
config = json.load(open("/opt/ml/config/resourceconfig.json"))
hosts, me = config["hosts"], config["current_host"]
names = sorted(os.listdir("/opt/ml/processing/input/data"))
open(f"/opt/ml/processing/output/out/{me}.json", "w").write(json.dumps(names))
if me == "algo-1":
    with socket.create_server((me, PORT)) as server:
        server.settimeout(20)
        print("heard", server.accept()[0].recv(100).decode())
else:
    for _ in range(200):
        try:
            with socket.create_connection((hosts[0], PORT), timeout=1) as client:
                client.sendall(me.encode())
            break
        except OSError:
            time.sleep(0.1)
"""


def test_hosts_share_the_objects_and_reach_each_other_by_name(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for number in range(5):
        machine.put(f"s3://bucket/data/{number}", "")
    sharded = {"S3Uri": "s3://bucket/data/", "S3DataDistributionType": "ShardedByS3Key"}
    record = machine.process(script=TALK.replace("PORT", str(port)), inputs={"data": sharded}, instances=2)
    assert record["ProcessingJobStatus"] == "Completed", machine.log("job")
    shares = [json.loads(machine.read(f"s3://bucket/job/out/algo-{host}.json")) for host in (1, 2)]
    assert shares == [["0", "2", "4"], ["1", "3"]]
    assert machine.log("job") == ["heard algo-2"]


def test_a_failed_host_fails_the_job(machine: Machine) -> None:
    script = """
import json, time
if json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"] == "algo-2":
    raise ValueError("algo-2 has had enough")
time.sleep(60)
"""
    started = time.monotonic()
    record = machine.process(script=script, instances=3)
    assert record["FailureReason"] == "AlgorithmError: ValueError: algo-2 has had enough, exit code: 1"
    assert time.monotonic() - started < 10


# training


TRAIN = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--num_leaves", type=int)
leaves = parser.parse_args().num_leaves
rows = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "a.csv").read_text()
for auc in (0.5, 0.75):
    print(f"round done train_auc={auc}")
print("train_loss=none train_loss=nan")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(f"{leaves} {rows}")
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "curve.csv").write_text("0.5\\n0.75\\n")
"""


def test_a_training_job_runs_its_script_and_has_model_output_and_metrics(machine: Machine) -> None:
    record = machine.train(
        script=TRAIN,
        channels={"train": machine.put("s3://bucket/data/a.csv", "1,2")},
        hyperparameters={"num_leaves": "31"},
        metrics={"train:auc": "train_auc=([0-9.]+)", "train:loss": "train_loss=(.*)", "none": "nothing=(.*)"},
    )
    assert record["TrainingJobStatus"] == record["SecondaryStatus"] == "Completed", record
    assert record["ModelArtifacts"] == {"S3ModelArtifacts": "s3://bucket/job/job/output/model.tar.gz"}
    assert machine.archive("s3://bucket/job/job/output/model.tar.gz") == {"model.txt": "31 1,2"}
    assert machine.archive("s3://bucket/job/job/output/output.tar.gz") == {"curve.csv": "0.5\n0.75\n"}
    (metric,) = record["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("train:auc", 0.75)
    assert record["BillableTimeInSeconds"] == record["TrainingTimeInSeconds"] >= 1


def test_a_training_job_records_its_status_transitions(machine: Machine) -> None:
    transitions = machine.train(script="")["SecondaryStatusTransitions"]
    assert [transition["Status"] for transition in transitions] == [
        "Starting", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip
    times = [time for transition in transitions for time in (transition["StartTime"], transition["EndTime"])]
    assert times == sorted(times)
    describe(machine, "TrainingJob")


def test_the_containers_configuration_is_in_files_and_variables(machine: Machine) -> None:
    script = """
import json
for name in ("hyperparameters", "resourceconfig", "inputdataconfig"):
    print(json.dumps(json.load(open(f"/opt/ml/input/config/{name}.json")), sort_keys=True))
"""
    data = machine.put("s3://bucket/data/a.csv", "")
    machine.train(script=script, channels={"train": data}, hyperparameters={"x": "1"})
    hyperparameters, resources, channels = map(json.loads, machine.log("job"))
    assert hyperparameters["x"] == "1"
    assert (resources["current_host"], resources["hosts"]) == ("algo-1", ["algo-1"])
    assert channels["train"]["ContentType"] == "text/csv"


def test_a_failed_training_script_is_reported_as_by_the_training_toolkit(machine: Machine) -> None:
    record = machine.train(script="raise ValueError('no rows')", hyperparameters={"num_leaves": "31"})
    assert (record["TrainingJobStatus"], record["SecondaryStatus"]) == ("Failed", "Failed")
    assert record["FailureReason"] == (
        'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "ValueError: no rows"\n'
        'Command "python train.py --num_leaves 31", exit code: 1'
    )
    assert "ModelArtifacts" not in record


def test_a_failed_training_job_uploads_its_output_but_no_model(machine: Machine) -> None:
    script = "for folder in ('model', 'output/data'): open(f'/opt/ml/{folder}/x', 'w')\nraise SystemExit(1)"
    machine.train(script=script)
    assert machine.keys("job/job") == ["job/job/output/output.tar.gz"]


def test_a_job_with_network_isolation_has_its_source_in_a_channel(machine: Machine) -> None:
    request = machine.training("job", "print('ran')", channels={"code": "s3://bucket/code/job/sourcedir.tar.gz"})
    request["HyperParameters"]["sagemaker_submit_directory"] = "/opt/ml/input/data/code/sourcedir.tar.gz"
    machine.jobs.start("training-job", request)
    assert machine.jobs.wait("training-job", "job", TIMEOUT)["TrainingJobStatus"] == "Completed"
    assert machine.log("job") == ["ran"]


def test_the_failure_file_of_a_script_is_the_failure_reason(machine: Machine) -> None:
    script = "open('/opt/ml/output/failure', 'w').write('the validation channel is empty'); raise SystemExit(2)"
    reason = machine.train(script=script)["FailureReason"]
    assert reason == "AlgorithmError: the validation channel is empty, exit code: 2"


def test_requirements_are_installed_before_the_script_runs(machine: Machine) -> None:
    good = machine.train("good", "print('ran')", files={"requirements.txt": "packaging\n"})
    assert good["TrainingJobStatus"] == "Completed"
    assert machine.log("good")[-1] == "ran"
    bad = machine.train("bad", "print('ran')", files={"requirements.txt": "no-such-thing==1\n"})
    assert bad["FailureReason"].startswith("AlgorithmError: InstallRequirementsError:\nExitCode 1")
    assert "no-such-thing==1" in bad["FailureReason"]
    assert "ran" not in machine.log("bad")


@pytest.mark.parametrize(
    ("hyperparameters", "expected"),
    [
        ({"sagemaker_program": "other.py"}, "s3://bucket/code/job/sourcedir.tar.gz does not contain 'other.py'"),
        ({"sagemaker_submit_directory": "s3://bucket/nothing.tar.gz"}, "No S3 objects found"),
        ({"sagemaker_submit_directory": "7"}, "'sagemaker_submit_directory' is missing"),
        ({"sagemaker_submit_directory": "s3://bucket/evil.tar.gz"}, "'../evil' leads out of its folder"),
    ],
)
def test_invalid_source_code_is_a_client_error(
    machine: Machine, hyperparameters: dict[str, str], expected: str
) -> None:
    machine.put("s3://bucket/evil.tar.gz", tar_gz({"../evil": ""}))
    request = machine.training("job", "")
    request["HyperParameters"] |= hyperparameters
    machine.jobs.start("training-job", request)
    reason = machine.jobs.wait("training-job", "job", TIMEOUT)["FailureReason"]
    assert reason.startswith("ClientError: ") and expected in reason


def test_a_script_other_than_python_runs_in_the_shell(machine: Machine) -> None:
    request = machine.training("job", "", files={"run.sh": '#!/bin/sh\necho "$1 $2" > /opt/ml/model/x\n'})
    request["HyperParameters"] |= {"sagemaker_program": "run.sh", "x": "a b"}
    machine.jobs.start("training-job", request)
    machine.jobs.wait("training-job", "job", TIMEOUT)
    assert machine.archive("s3://bucket/job/job/output/model.tar.gz") == {"x": "-x a b\n"}


SAVE_ON_SIGTERM = """
import os, pathlib, signal, sys, time
def save(*_):
    pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text("so far")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True: time.sleep(1)
"""


def test_a_stopped_training_job_has_the_model_saved_on_sigterm(machine: Machine) -> None:
    machine.jobs.start("training-job", machine.training("job", SAVE_ON_SIGTERM))
    until(lambda: machine.log("job"))
    machine.service.call("StopTrainingJob", {"TrainingJobName": "job"})
    record = machine.jobs.wait("training-job", "job", TIMEOUT)
    assert (record["TrainingJobStatus"], record["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert [record["Status"] for record in record["SecondaryStatusTransitions"]][-2:] == ["Stopping", "Stopped"]
    assert machine.archive(record["ModelArtifacts"]["S3ModelArtifacts"]) == {"model.txt": "so far"}


def test_every_stopped_host_has_the_full_grace_period(machine: Machine) -> None:
    script = """
import os, pathlib, signal, sys, time
me = os.environ["SM_CURRENT_HOST"]
if me == "algo-2":
    def save(*_):
        time.sleep(0.5)
        pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(me)
        sys.exit(0)
    signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True: time.sleep(1)
"""
    machine.jobs.start("training-job", machine.training("job", script, instances=2))
    until(lambda: len(machine.log("job")) == 2)
    machine.jobs.stop("training-job", "job")
    record = machine.jobs.wait("training-job", "job", TIMEOUT)
    assert machine.archive(record["ModelArtifacts"]["S3ModelArtifacts"]) == {"model.txt": "algo-2"}


def test_a_training_job_that_exceeds_its_max_runtime_is_stopped_with_the_reason(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingJob, "grace", 0.3)
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    record = machine.train(script=script, seconds=1)
    assert (record["TrainingJobStatus"], record["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    last = record["SecondaryStatusTransitions"][-1]
    assert last["StatusMessage"] == "Training job runtime exceeded MaxRuntimeInSeconds provided"


def test_training_hosts_know_each_other_and_share_the_cpus(machine: Machine) -> None:
    script = """
import os, pathlib
me = os.environ["SM_CURRENT_HOST"]
print(os.environ["SM_HOSTS"], me, os.environ["SM_NUM_CPUS"])
pathlib.Path(os.environ["SM_MODEL_DIR"], me).write_text("")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(me)
"""
    record = machine.train(script=script, instances=2)
    cpus = max(1, (os.cpu_count() or 1) // 2)
    assert machine.log("job") == [f'["algo-1","algo-2"] {me} {cpus}' for me in ("algo-1", "algo-2")]
    model = machine.archive(record["ModelArtifacts"]["S3ModelArtifacts"])
    assert model == {"algo-1": "", "algo-2": "", "model.txt": "algo-1"}


def test_an_uncompressed_model_is_uploaded_as_files(machine: Machine) -> None:
    request = machine.training("job", "open('/opt/ml/model/model.txt', 'w').write('x')")
    request["OutputDataConfig"]["CompressionType"] = "NONE"
    machine.jobs.start("training-job", request)
    record = machine.jobs.wait("training-job", "job", TIMEOUT)
    assert record["ModelArtifacts"]["S3ModelArtifacts"] == "s3://bucket/job/job/output/model/"
    assert machine.keys("job/job") == ["job/job/output/model/model.txt"]


def test_a_container_entry_point_runs_with_its_arguments(machine: Machine) -> None:
    driver = machine.put("s3://bucket/driver/run.sh", "cat /opt/ml/input/data/driver/run.sh | wc -l\n")
    request = machine.training("job", "", channels={"driver": driver})
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/sh", "/opt/ml/input/data/driver/run.sh"]
    machine.jobs.start("training-job", request)
    assert machine.jobs.wait("training-job", "job", TIMEOUT)["TrainingJobStatus"] == "Completed"
    assert [line.strip() for line in machine.log("job")] == ["1"]


def test_an_invalid_metric_regex_is_rejected(machine: Machine) -> None:
    with pytest.raises(ServiceError, match="unterminated"):
        machine.jobs.start("training-job", machine.training("job", "", metrics={"x": "("}))


# recovery after a server's end


def test_jobs_that_a_server_left_running_are_failed_by_the_next(machine: Machine) -> None:
    machine.jobs.start("processing-job", machine.processing("slow", "import time; time.sleep(60)"))
    machine.process("done")
    until(lambda: "ProcessingStartTime" in describe(machine, "ProcessingJob", "slow"))

    data_dir = DataDir(machine.data_dir)
    next_jobs = JobManager(machine.store, ObjectStore(data_dir, Database(data_dir.database)))
    next_jobs.recover()
    records = {name: next_jobs.store.get("processing-job", name) or {} for name in ("slow", "done")}
    assert records["done"]["ProcessingJobStatus"] == "Completed"
    assert records["slow"]["ProcessingJobStatus"] == "Failed"
    assert records["slow"]["FailureReason"] == INTERRUPTED


def test_closing_the_manager_kills_its_jobs(machine: Machine) -> None:
    machine.jobs.start("processing-job", machine.processing("job", "import time; print('x'); time.sleep(60)"))
    until(lambda: machine.log("job"))
    machine.jobs.close()
    record = machine.jobs.wait("processing-job", "job", TIMEOUT)
    assert (record["ProcessingJobStatus"], record["FailureReason"]) == ("Failed", INTERRUPTED)
