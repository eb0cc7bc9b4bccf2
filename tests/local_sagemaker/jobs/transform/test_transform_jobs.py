"""Batch transform jobs: requests to the model, outputs and results."""

from __future__ import annotations

import gzip
import json
import re
import time
import tracemalloc
from typing import Any

import pytest

from local_sagemaker.jobs.manager import JobManager
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.logs.service import LogsService
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, TIMEOUT, Machine, Record, tar_gz
from tests.local_sagemaker.steps import run, statuses, until

# responds with the sum of each record's columns; other text is a client error, and some expected have special effects
SUM = """
import json, os, time

class Mistake(Exception):
    status_code = 400

def model_fn(model_dir):
    return float(os.environ.get("FACTOR", "1"))

def input_fn(body, content_type):
    body = body if isinstance(body, str) else body.decode()
    if "json" in content_type:
        return [json.loads(line)["features"] for line in body.split("\\n") if line]
    return [line.split(",") for line in body.rstrip("\\n").split("\\n")]

def predict_fn(rows, factor):
    print(f"received {len(rows)}\\n", end="")
    if rows == [["slow"]]:
        time.sleep(60)
    if rows == [["die"]]:
        os._exit(7)
    if rows == [["environment"]]:
        return [{name: value for name, value in os.environ.items() if name.startswith("SAGEMAKER_")}]
    if rows == [["once"]] and not os.path.exists("seen"):
        open("seen", "w").close()
        raise RuntimeError("not yet")
    try:
        return [factor * sum(map(float, row)) if row != ["once"] else 1 for row in rows]
    except ValueError as error:
        raise Mistake(str(error))

def output_fn(sums, accept):
    if "json" in accept:
        return "\\n".join(json.dumps(item if isinstance(item, dict) else {"sum": item}) for item in sums), accept
    return "\\n".join(f"{item:g}" for item in sums), accept
"""


@pytest.fixture
def sums(machine: Machine) -> Machine:
    """A machine with the model `sums`."""
    archive = machine.put("s3://bucket/model.tar.gz", tar_gz({"code/inference.py": SUM}))
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": archive, "Environment": {"FACTOR": "1"}}
    machine.service.call("CreateModel", {"ModelName": "sums", "ExecutionRoleArn": ROLE, "PrimaryContainer": container})
    return machine


def arguments(
    *, kind: str | None = "text/csv", source: Record | None = None, output: Record | None = None, **more: Any
) -> Record:
    """A CreateTransformJob request without a name, which transforms the lines of s3://bucket/in to s3://bucket/out.

    Args:
        kind: The ContentType.
        source: Further members of TransformInput and its S3DataSource.
        output: Further members of TransformOutput.
        more: Further members of the request.
    """
    s3 = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}
    given = source or {}
    return {
        "ModelName": "sums",
        "TransformInput": {
            "DataSource": {"S3DataSource": {name: given.get(name, value) for name, value in s3.items()}},
            "SplitType": "Line",
            **({"ContentType": kind} if kind else {}),
            **{name: value for name, value in given.items() if name not in s3},
        },
        "TransformOutput": {
            "S3OutputPath": "s3://bucket/out",
            "AssembleWith": "Line",
            **({"Accept": kind} if kind else {}),
            **(output or {}),
        },
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    }


def start(machine: Machine, name: str = "job", **more: Any) -> str:
    return machine.service.call("CreateTransformJob", {"TransformJobName": name, **arguments(**more)})[
        "TransformJobArn"
    ]


def described(machine: Machine, name: str = "job") -> Record:
    return machine.service.call("DescribeTransformJob", {"TransformJobName": name})


def transform(machine: Machine, name: str = "job", **more: Any) -> Record:
    start(machine, name, **more)
    machine.jobs.wait("transform-job", name, TIMEOUT)
    return described(machine, name)


def completed(machine: Machine, **more: Any) -> Record:
    job = transform(machine, **more)
    assert job["TransformJobStatus"] == "Completed", job
    return job


# inputs and outputs


def test_outputs_have_the_folder_structure_of_the_inputs(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "1,2\n3,4\n")
    sums.put("s3://bucket/in/more/b.csv", "5,6")
    sums.put("s3://bucket/in/empty.csv", "")
    job = completed(sums)
    assert sums.keys("out/") == ["out/a.csv.out", "out/empty.csv.out", "out/more/b.csv.out"]
    assert [sums.read(f"s3://bucket/{key}") for key in sums.keys("out/")] == ["3\n7\n", "", "11\n"]
    assert job["CreationTime"] <= job["TransformStartTime"] <= job["TransformEndTime"]
    assert "Container" not in job and "FailureReason" not in job
    assert not (sums.data_dir / "jobs" / "transform-job" / "job").exists()


def test_a_single_object_keeps_its_name_and_a_gzip_object_is_decompressed(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv.gz", gzip.compress(b"1,2\n"))
    completed(sums, source={"S3Uri": "s3://bucket/in/a.csv.gz", "CompressionType": "Gzip"})
    assert sums.read("s3://bucket/out/a.csv.gz.out") == "3\n"


def test_a_manifest_lists_the_input_objects(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "1\n")
    sums.put("s3://bucket/in/deep/b.csv", "2\n")
    manifest = sums.put("s3://bucket/list.json", json.dumps([{"prefix": "s3://bucket/in/"}, "deep/b.csv"]))
    completed(sums, source={"S3DataType": "ManifestFile", "S3Uri": manifest})
    assert sums.keys("out/") == ["out/deep/b.csv.out"]


def test_mini_batches_have_as_many_records_as_fit_into_a_payload(sums: Machine) -> None:
    line = "1," * 1999 + "1"
    sums.put("s3://bucket/in/a.csv", f"{line}\n" * 400)  # 1.6 MB
    completed(sums, MaxPayloadInMB=1, MaxConcurrentTransforms=4)
    assert sums.read("s3://bucket/out/a.csv.out") == "2000\n" * 400
    assert len([message for message in sums.log("job") if message.startswith("received")]) == 2


def test_single_records_are_separate_requests_with_outputs_in_order(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "".join(f"{number}\n" for number in range(50)))
    completed(sums, BatchStrategy="SingleRecord", MaxConcurrentTransforms=4)
    assert sums.read("s3://bucket/out/a.csv.out") == "".join(f"{number}\n" for number in range(50))
    assert sums.log("job").count("received 1") == 50


def test_without_split_and_assembly_the_output_is_the_unchanged_response(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "1,2\n3,4\n")
    completed(sums, source={"SplitType": "None"}, output={"AssembleWith": "None"})
    assert sums.read("s3://bucket/out/a.csv.out") == "3\n7"


def test_the_container_has_batch_variables_and_the_jobs_environment_takes_precedence(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "environment\n")
    options = {"BatchStrategy": "SingleRecord", "MaxPayloadInMB": 2, "MaxConcurrentTransforms": 3}
    completed(sums, output={"Accept": "application/json"}, **options)
    variables = json.loads(sums.read("s3://bucket/out/a.csv.out"))
    batch = {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "2",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
    }
    assert variables.items() >= batch.items()
    sums.put("s3://bucket/in/a.csv", "1,2\n")
    completed(sums, name="factor", Environment={"FACTOR": "10"})
    assert sums.read("s3://bucket/out/a.csv.out") == "30\n"


def test_an_id_column_is_not_sent_to_the_model_and_is_joined_to_the_output(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "".join(f"id-{number},{number},1\n" for number in range(1000)))
    completed(sums, DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"})
    assert sums.read("s3://bucket/out/a.csv.out") == "".join(f"id-{number},{number + 1}\n" for number in range(1000))


def test_json_lines_are_joined_with_the_output(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.jsonl", '{"id": 1, "features": [1, 2]}\n{"id": 2, "features": [3]}\n')
    options = {"JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"}
    completed(sums, kind="application/jsonlines", DataProcessing=options)
    assert sums.read("s3://bucket/out/a.jsonl.out").split() == [
        '{"id":1,"SageMakerOutput":{"sum":3.0}}',
        '{"id":2,"SageMakerOutput":{"sum":3.0}}',
    ]


def test_data_capture_writes_manifests_of_inputs_and_outputs(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "1,2\n3,4\n")
    sums.put("s3://bucket/in/more/b.csv", "5\n")
    capture = {"DestinationS3Uri": "s3://bucket/captured", "GenerateInferenceId": True}
    job = completed(sums, DataCaptureConfig=capture)
    hour = time.strftime("%Y/%m/%d/%H", time.gmtime(job["CreationTime"]))
    [input_key, output_key] = sums.keys("captured/")
    assert re.fullmatch(rf"captured/input/{hour}/[0-9a-f-]{{36}}\.json", input_key)
    assert re.fullmatch(rf"captured/output/{hour}/[0-9a-f-]{{36}}\.json", output_key)
    read = [json.loads(sums.read(f"s3://bucket/{key}")) for key in (input_key, output_key)]
    assert read == [
        [{"prefix": "s3://bucket/in/"}, "a.csv", "more/b.csv"],
        [{"prefix": "s3://bucket/out/"}, "a.csv.out", "more/b.csv.out"],
    ]
    rows = [line.split(",") for line in sums.read("s3://bucket/out/a.csv.out").splitlines()]
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(job["CreationTime"]))
    assert [(row[0], row[2]) for row in rows] == [("3", begun), ("7", begun)]
    assert len({row[1] for row in rows}) == 2


def test_a_captured_input_that_is_one_object_is_a_prefix_without_a_name_as_on_aws(sums: Machine) -> None:
    uri = sums.put("s3://bucket/in/a.csv", "1,2\n")
    source = {"S3DataType": "S3Prefix", "S3Uri": uri}
    completed(sums, source=source, DataCaptureConfig={"DestinationS3Uri": "s3://bucket/captured"})
    [manifest] = sums.keys("captured/input/")
    assert json.loads(sums.read(f"s3://bucket/{manifest}")) == [{"prefix": uri}, ""]
    # such a manifest is an input, too
    source = {"S3DataType": "ManifestFile", "S3Uri": f"s3://bucket/{manifest}"}
    completed(sums, name="again", source=source)
    assert sums.read("s3://bucket/out/a.csv.out") == "3\n"


def test_memory_is_bounded_by_the_concurrent_payloads(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", ("1".zfill(1000) + "\n") * 16_000)  # 16 MB
    tracemalloc.start()
    try:
        completed(sums, MaxPayloadInMB=1, DataProcessing={"JoinSource": "Input"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(sums.read("s3://bucket/out/a.csv.out")) == 1003 * 16_000
    assert peak < 10 << 20


# results


def test_a_client_error_is_logged_with_status_and_message_and_keeps_other_outputs(sums: Machine) -> None:
    sums.put("s3://bucket/in/bad.csv", "1,2\n3,four\n")
    sums.put("s3://bucket/in/good.csv", "1,2\n")
    job = transform(sums)
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"] == (
        "ClientError: See job logs for more information: bucket/in/bad.csv: 400: "
        "could not convert string to float: 'four'"
    )
    assert sums.keys("out/") == ["out/good.csv.out"]


def test_the_data_log_has_a_log_stream_of_its_own(sums: Machine) -> None:
    sums.put("s3://bucket/in/bad.csv", "x\n")
    transform(sums)
    logs, group = LogsService(sums.store), {"logGroupName": "/aws/sagemaker/TransformJobs"}
    streams = logs.call("DescribeLogStreams", {**group, "logStreamNamePrefix": "job/"})["logStreams"]
    container, data_log = [stream["logStreamName"] for stream in streams]
    assert re.fullmatch(r"job/i-[0-9a-f]{17}-\d+", container)
    assert data_log == f"{container}/data-log"
    events = logs.call("GetLogEvents", {**group, "logStreamName": data_log, "startFromHead": True})["events"]
    assert [event["message"] for event in events][:5] == [
        "[sagemaker logs]: MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD",
        "[sagemaker logs]: bucket/in/bad.csv: ClientError: 400",
        "[sagemaker logs]: bucket/in/bad.csv: ",
        "[sagemaker logs]: bucket/in/bad.csv: Message:",
        "[sagemaker logs]: bucket/in/bad.csv: could not convert string to float: 'x'",
    ]


@pytest.mark.parametrize(
    ("content", "more", "reason"),
    [
        ("die\n", {}, "AlgorithmError: .* container has exited: received 1"),
        ("slow\n", {"ModelClientConfig": {"InvocationsTimeoutInSeconds": 1}}, "AlgorithmError: .* within 1 s"),
        ("once\n", {"ModelClientConfig": {"InvocationsMaxRetries": 0}}, "AlgorithmError: .*: 500: not yet"),
        ("1\n" + "2" * (1 << 20) + "3\n", {"MaxPayloadInMB": 1}, r"ClientError: .*record 2 is larger .*\(1 MB\)"),
        ("1,2\n", {"DataProcessing": {"InputFilter": "$[2]"}}, r"ClientError: .*the path \$\[2\] matches nothing"),
        ("1,2\n", {"source": {"CompressionType": "Gzip"}}, "ClientError: .*is not valid gzip data"),
        ("1,2\n", {"source": {"S3Uri": "s3://bucket/none"}}, 'ClientError: No S3 objects found under S3 URL "s3://b'),
        ("1,2\n", {"Environment": {"FACTOR": "many"}}, "AlgorithmError: .*could not convert string to float: 'many'"),
        ("1,2\n", {"output": {"S3OutputPath": "s3://none/out"}}, "ClientError: Data upload .* failed"),
    ],
)
def test_a_failure_reason_distinguishes_client_and_algorithm_errors(
    sums: Machine, content: str, more: Record, reason: str
) -> None:
    sums.put("s3://bucket/in/a.csv", content)
    job = transform(sums, **more)
    assert job["TransformJobStatus"] == "Failed"
    assert re.match(reason, job["FailureReason"]), job["FailureReason"]
    assert sums.keys("out/") == []


def test_a_server_error_of_the_model_is_retried(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "once\n")
    completed(sums)
    assert sums.read("s3://bucket/out/a.csv.out") == "1\n"


def test_a_stopped_job_is_stopping_then_stopped_and_has_no_output(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "1\n")
    sums.put("s3://bucket/in/b.csv", "slow\n")
    start(sums)
    until(lambda: sums.log("job").count("received 1") == 2)
    sums.service.call("StopTransformJob", {"TransformJobName": "job"})
    assert described(sums)["TransformJobStatus"] in ("Stopping", "Stopped")
    sums.jobs.wait("transform-job", "job", TIMEOUT)
    job = described(sums)
    assert (job["TransformJobStatus"], sums.keys("out/")) == ("Stopped", [])
    with pytest.raises(ServiceError, match="is in status Stopped"):
        sums.service.call("StopTransformJob", {"TransformJobName": "job"})


def test_transform_jobs_that_a_server_left_running_are_failed_by_the_next(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "slow\n")
    start(sums)
    until(lambda: "received 1" in sums.log("job"))
    JobManager(sums.store, sums.objects).recover()
    job = described(sums)
    assert (job["TransformJobStatus"], "ended while this was running" in job["FailureReason"]) == ("Failed", True)
    sums.jobs.close()


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"ModelName": "none"}, 'Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/none"'),
        ({"source": {"SplitType": "RecordIO"}}, "TransformInput.SplitType 'RecordIO'; use None or Line"),
        ({"source": {"SplitType": "TFRecord"}}, "TransformInput.SplitType 'TFRecord'; use None or Line"),
        (
            {"source": {"S3DataType": "AugmentedManifestFile"}},
            "S3DataType 'AugmentedManifestFile'; use S3Prefix or ManifestFile",
        ),
        ({"source": {"S3Uri": "https://in"}}, "not an S3 URI"),
        ({"MaxPayloadInMB": 0}, "MaxPayloadInMB 0"),
        ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "must not exceed 100 MB"),
        ({"DataProcessing": {"InputFilter": "$.id"}}, "text/csv has no names"),
    ],
)
def test_an_unsupported_request_is_rejected_and_leaves_no_record(sums: Machine, more: Record, fault: str) -> None:
    with pytest.raises(ServiceError, match=re.escape(fault)):
        start(sums, **more)
    assert sums.service.call("ListTransformJobs", {})["TransformJobSummaries"] == []


def test_a_job_keeps_its_tags(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "1\n")
    tags = [{"Key": "team", "Value": "a"}]
    arn = start(sums, Tags=tags)
    assert sums.service.call("ListTags", {"ResourceArn": arn})["Tags"] == tags
    sums.jobs.wait("transform-job", "job", TIMEOUT)


def test_jobs_are_listed_by_status_and_names_are_unique(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "1\n")
    arn = start(sums, "first")
    with pytest.raises(ServiceError, match=f"there is {arn} already"):
        start(sums, "first")
    sums.jobs.wait("transform-job", "first", TIMEOUT)
    found = sums.service.call("ListTransformJobs", {"StatusEquals": "Completed"})["TransformJobSummaries"]
    assert [(job["TransformJobName"], job["TransformJobArn"]) for job in found] == [("first", arn)]
    assert sums.service.call("ListTransformJobs", {"StatusEquals": "Failed"})["TransformJobSummaries"] == []


# steps


def step(name: str = "Score", **more: Any) -> Record:
    own = {key: more.pop(key) for key in ("CacheConfig", "DependsOn") if key in more}
    return {"Name": name, "Type": "Transform", "Arguments": arguments(**more), **own}


def test_a_later_step_can_use_the_output_of_a_transform_step(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "1,2\n")
    again = step("Again", source={"S3Uri": {"Get": "Steps.Score.TransformOutput.S3OutputPath"}})
    again["Arguments"]["TransformOutput"]["S3OutputPath"] = "s3://bucket/again"
    execution, steps = run(sums, [step(), again])
    assert execution["PipelineExecutionStatus"] == "Succeeded", steps
    assert sums.read("s3://bucket/again/a.csv.out.out") == "3\n"
    arn = steps["Score"]["Metadata"]["TransformJob"]["Arn"]
    job = described(sums, arn.rpartition("/")[2])
    assert (job["TransformJobArn"], job["TransformJobStatus"]) == (arn, "Completed")


def test_the_cache_key_of_a_step_has_model_input_processing_and_environment(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "1,2\n")
    cache = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}

    def cached(**more: Any) -> bool:
        execution, steps = run(sums, [step(**cache, **more)])
        assert execution["PipelineExecutionStatus"] == "Succeeded", steps
        return "CacheHitResult" in steps["Score"]

    assert not cached()
    assert cached(MaxPayloadInMB=1, TransformResources={"InstanceType": "ml.m5.xlarge", "InstanceCount": 2})
    assert not cached(Environment={"FACTOR": "2"})
    assert not cached(DataProcessing={"JoinSource": "Input"})


def test_a_failed_job_fails_its_step_with_the_jobs_reason(sums: Machine) -> None:
    sums.put("s3://bucket/in/a.csv", "x\n")
    execution, steps = run(sums, [step()])
    assert (execution["PipelineExecutionStatus"], statuses(steps)) == ("Failed", {"Score": "Failed"})
    assert "400: could not convert string to float" in steps["Score"]["FailureReason"]
