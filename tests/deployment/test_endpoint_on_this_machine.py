"""An endpoint of a trained model on the local SageMaker, by the commands alone, from deployment to deletion."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from deployment.invocations import InvocationResult, as_json, invoke, runtime_client
from deployment.load_test import run_load_test
from local_sagemaker.account import sagemaker_arn
from pipelines.bundles import REPOSITORY
from project.target import Target, local_target
from tests.local_sagemaker.machine import ANALYZER, SCIKIT_LEARN
from tests.stories.conftest import open_workplace
from tests.stories.workplace import BREAST_CANCER, Ended, Workplace

pytestmark = pytest.mark.slow

NAME = "breast-cancer"
DATA = REPOSITORY / "examples" / NAME / "data.csv"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A data directory with an approved model."""
    for place in open_workplace(REPOSITORY, tmp_path_factory.mktemp("deployment")):
        with place.here():
            register(local_target(), train(tmp_path_factory.mktemp("model")))
        yield place


def train(folder: Path) -> bytes:
    """The archive of a small model that the container scripts have trained on the example's data."""
    (folder / "input").mkdir()
    shutil.copy(DATA, folder / "input")
    run_script(
        "processing_scripts/preprocess.py",
        *("--problem-type", "BinaryClassification", "--target-column", "diagnosis", "--positive-class", "malignant"),
        *("--input-dir", str(folder / "input"), "--output-dir", str(folder)),
    )
    channels = [item for name in ("train", "validation", "schema") for item in (f"--{name}", str(folder / name))]
    run_script(
        "training_scripts/train.py",
        *channels,
        *("--model_dir", str(folder / "model"), "--output_data_dir", str(folder / "data")),
        *("--inference_code", str(REPOSITORY / "inference"), "--num_boost_round", "10"),
    )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path in (folder / "model").iterdir():
            tar.add(path, arcname=path.name)
    return archive.getvalue()


def run_script(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, script, *arguments], cwd=REPOSITORY, check=True, capture_output=True, timeout=120)


def register(target: Target, archive: bytes) -> None:
    """Register the model as approved version 1."""
    with suppress(target.s3.exceptions.BucketAlreadyOwnedByYou):
        target.s3.create_bucket(Bucket=target.bucket)
    target.s3.put_object(Bucket=target.bucket, Key="model/model.tar.gz", Body=archive)
    target.sagemaker.create_model_package_group(ModelPackageGroupName=NAME)
    container = {
        "Image": SCIKIT_LEARN,
        "ModelDataUrl": f"s3://{target.bucket}/model/model.tar.gz",
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
    }
    content_types = ["application/json", "application/jsonlines", "text/csv"]
    target.sagemaker.create_model_package(
        ModelPackageGroupName=NAME,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": content_types,
            "SupportedResponseMIMETypes": content_types,
        },
    )


def settings_with(workplace: Workplace, deployment: dict[str, Any]) -> str:
    """A settings file of the example with a section `deployment`."""
    example = REPOSITORY / "examples" / NAME
    text = (example / "settings.yaml").read_text().replace("data.csv", str(example / "data.csv"))
    path = workplace.data_dir.parent / "settings.yaml"
    path.write_text(f"{text}deployment: {json.dumps(deployment)}\n")
    return str(path)


def command(workplace: Workplace, name: str, *arguments: str, code: int = 0) -> Ended:
    # the last of two is the one that counts
    ended = workplace.deployment(name, "--local", "--settings", BREAST_CANCER, *arguments)
    assert ended.code == code, ended.stderr + ended.stdout
    return ended


def checked(workplace: Workplace, *arguments: str) -> dict[str, Any]:
    """The results of a test that passes."""
    path = workplace.data_dir.parent / "test.json"
    command(workplace, "test", "--input", str(DATA), "--output", str(path), *arguments)
    results: dict[str, Any] = json.loads(path.read_text())
    assert results["passed"]
    return results


@pytest.fixture(scope="module")
def deployed(workplace: Workplace) -> Workplace:
    assert f"{NAME} is deployed." in command(workplace, "deploy").stderr
    return workplace


def test_deploying_again_changes_nothing(deployed: Workplace) -> None:
    before = json.loads(command(deployed, "status", "--json").stdout)
    assert f"{NAME} is already deployed; nothing has changed." in command(deployed, "deploy").stderr
    assert json.loads(command(deployed, "status", "--json").stdout) == before


def test_five_hundred_requests_of_sixteen_clients_are_answered_and_captured(deployed: Workplace) -> None:
    results = checked(deployed, "--requests", "500", "--concurrency", "16")
    assert results["load"]["failed"] == 0
    assert 0 < results["load"]["p50"] <= results["load"]["p95"] <= results["load"]["p99"]
    details = {check["name"]: check["detail"] for check in results["checks"]}
    assert details["captures"] == "502 of 502 requests captured at 100 %"
    assert details["broken JSON is refused"].startswith("HTTP 400: the body is not JSON")
    assert details["an unknown content type is refused"].startswith("HTTP 415")


def test_a_killed_model_fails_its_requests_cleanly_and_is_restarted(deployed: Workplace) -> None:
    with deployed.here():
        client = runtime_client(local_target(), 16)
        body = as_json([{"mean_radius": 12.0}])
        before = model_processes(deployed)
        threading.Timer(0.3, kill, (before,)).start()
        result, answers = run_load_test(lambda _: invoke(client, NAME, body), requests=600, concurrency=16)
        # requests in the queue are answered by the restarted model; those being processed have failed
        assert result.failed < 100
        assert all(500 <= answer.status < 600 for answer in answers if not answer.ok)
        assert max(answer.seconds for answer in answers) < 30
        assert recovered(client, body).ok
        assert model_processes(deployed).isdisjoint(before)


def kill(processes: set[int]) -> None:
    for process in processes:
        os.kill(process, signal.SIGKILL)


def model_processes(workplace: Workplace) -> set[int]:
    """The processes that serve models; each has a working directory of its own."""
    folder = str(workplace.data_dir.resolve() / "endpoints")
    processes = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd().startswith(folder):
                processes.add(process.pid)
    return processes


def recovered(client: Any, body: bytes) -> InvocationResult:
    """The first response of the restarted model."""
    deadline = time.monotonic() + 30
    while not (answer := invoke(client, NAME, body)).ok and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def test_labels_have_the_ids_of_captured_requests_of_drifted_traffic(deployed: Workplace) -> None:
    labels = deployed.data_dir.parent / "labels.csv"
    drift = ("--drift", "mean_radius=+2sd", "--requests", "40", "--rate", "1000")
    command(deployed, "traffic", "--input", str(DATA), "--labels", str(labels), *drift)
    with labels.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 40
    assert {row["label"] for row in rows} == {"benign", "malignant"}
    captured = captures(deployed, {row["id"] for row in rows})
    with DATA.open(newline="") as lines:
        highest = max(float(row["mean_radius"]) for row in csv.DictReader(lines))
    assert max(record["mean_radius"] for record in captured) > highest - 5
    assert min(record["mean_radius"] for record in captured) > 12


def captures(workplace: Workplace, ids: set[str]) -> list[dict[str, Any]]:
    """The captured inputs of these inference ids, which have to appear."""
    root = workplace.object(f"s3://{bucket(workplace)}/{NAME}/captures/{NAME}/champion")
    deadline = time.monotonic() + 20
    while True:
        lines = [json.loads(line) for file in root.rglob("*.jsonl") for line in file.read_text().splitlines()]
        own = [line for line in lines if line["eventMetadata"].get("inferenceId") in ids]
        if len(own) == len(ids):
            return [json.loads(line["captureData"]["endpointInput"]["data"]) for line in own]
        assert time.monotonic() < deadline, f"{len(own)} of {len(ids)} captured"
        time.sleep(0.2)


def bucket(workplace: Workplace) -> str:
    (found,) = (path.name for path in (workplace.data_dir / "s3").iterdir() if path.name.startswith("sagemaker-"))
    return found


@pytest.fixture(scope="module")
def serverless(deployed: Workplace) -> Iterator[Future[Ended]]:
    """The test of a serverless endpoint, which waits ten seconds for its captures while other tests run."""
    on_small = ("--local", "--endpoint", "small")
    results = str(deployed.data_dir.parent / "serverless.json")

    def deploy_and_test() -> Ended:
        ended = deployed.python("deployment", "deploy", "--mode", "serverless", *on_small)
        if ended.code:
            return ended
        return deployed.python(
            "deployment", "test", *on_small, "--input", str(DATA), "--requests", "50", "--output", results
        )

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(deploy_and_test)


@pytest.mark.usefixtures("serverless")
def test_an_update_loses_no_request_and_leaves_no_old_resources(deployed: Workplace) -> None:
    settings = settings_with(deployed, {"instance_type": "ml.c5.large", "update": {"wait_seconds": 1}})
    before = json.loads(command(deployed, "status", "--json").stdout)
    ended: list[Ended] = []
    with deployed.here():
        client = runtime_client(local_target(), 4)
    arguments = ("deployment", "deploy", "--local", "--settings", settings)
    update = threading.Thread(target=lambda: ended.append(deployed.python(*arguments)))
    update.start()
    answers = []
    while update.is_alive():
        answers.append(invoke(client, NAME, as_json([{"mean_radius": 12.0}])))
        time.sleep(0.01)
    update.join()
    assert ended[0].code == 0, ended[0].stderr
    assert answers
    assert all(answer.ok for answer in answers), {answer.message for answer in answers if not answer.ok}
    after = json.loads(command(deployed, "status", "--json").stdout)
    assert after["variants"][0]["instance_type"] == "ml.c5.large"
    assert before["config"] not in {item["EndpointConfigName"] for item in left(deployed)["EndpointConfigs"]}


def test_a_batch_job_predicts_every_row_and_leaves_no_model(deployed: Workplace) -> None:
    result = deployed.result(command(deployed, "deploy", "--mode", "batch", "--input", str(DATA), "--json"))
    (output,) = result["outputs"]
    predictions = [json.loads(line) for line in deployed.object(output).read_text().splitlines()]
    assert len(predictions) == 569
    assert {prediction["SageMakerOutput"]["label"] for prediction in predictions} == {"benign", "malignant"}
    assert {tuple(prediction)[:2] for prediction in predictions} == {("diagnosis", "SageMakerOutput")}
    assert not [model for model in left(deployed)["Models"] if "-batch-" in model["ModelName"]]


def test_a_serverless_endpoint_captures_by_itself(deployed: Workplace, serverless: Future[Ended]) -> None:
    ended = serverless.result()
    assert ended.code == 0, ended.stderr + ended.stdout
    assert "52 of 52 requests captured at 100 %" in ended.stderr
    listed = command(deployed, "list", "--json").stdout
    assert {endpoint["name"] for endpoint in json.loads(listed)} == {NAME, "small"}


def test_deleting_leaves_no_resources_not_even_of_its_monitoring(deployed: Workplace) -> None:
    monitor(deployed)
    for name in (NAME, "small"):
        said = command(deployed, "delete", "--endpoint", name, "--yes").stdout
        assert f"Deleted endpoint {name}" in said
    assert json.loads(command(deployed, "list", "--json").stdout) == []
    assert not any(left(deployed).values()), left(deployed)
    assert model_processes(deployed) == set()


def monitor(workplace: Workplace) -> None:
    """Create a Model Monitor schedule, a schedule of a pipeline, and an alarm on their results."""
    with workplace.here():
        target = local_target()
        target.sagemaker.create_data_quality_job_definition(
            JobDefinitionName="hourly",
            DataQualityAppSpecification={"ImageUri": ANALYZER},
            DataQualityJobInput={"EndpointInput": {"EndpointName": NAME, "LocalPath": "/opt/ml/processing/input"}},
            DataQualityJobOutputConfig={
                "MonitoringOutputs": [
                    {"S3Output": {"S3Uri": f"s3://{target.bucket}/hourly", "LocalPath": "/opt/ml/processing/output"}}
                ]
            },
            JobResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}},
            RoleArn=target.role_arn,
        )
        target.sagemaker.create_monitoring_schedule(
            MonitoringScheduleName="hourly",
            MonitoringScheduleConfig={
                "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
                "MonitoringJobDefinitionName": "hourly",
                "MonitoringType": "DataQuality",
            },
        )
        parameters = [{"Name": "EndpointName", "Value": NAME}]
        target.scheduler.create_schedule(
            Name=f"{NAME}-monitoring",
            ScheduleExpression="rate(12 hours)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": sagemaker_arn("pipeline", NAME),
                "RoleArn": target.role_arn,
                "SageMakerPipelineParameters": {"PipelineParameterList": parameters},
            },
        )
        target.cloudwatch.put_metric_alarm(
            AlarmName=f"{NAME}-violations",
            Namespace="aws/sagemaker/Endpoints/data-metrics",
            MetricName="total_number_of_violations",
            Dimensions=[{"Name": "Endpoint", "Value": NAME}],
            Statistic="Maximum",
            Period=3600,
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=0,
        )


def left(workplace: Workplace) -> dict[str, Any]:
    """All resources of endpoints in the local SageMaker."""
    with workplace.here():
        target = local_target()
        answers = (
            target.sagemaker.list_endpoints(),
            target.sagemaker.list_endpoint_configs(),
            target.sagemaker.list_models(),
            target.sagemaker.list_monitoring_schedules(),
            target.sagemaker.list_data_quality_job_definitions(),
            target.autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker"),
            target.cloudwatch.describe_alarms(),
            target.scheduler.list_schedules(),
        )
    return {
        member: items
        for answer in answers
        for member, items in answer.items()
        if isinstance(items, list) and member != "CompositeAlarms"
    }
