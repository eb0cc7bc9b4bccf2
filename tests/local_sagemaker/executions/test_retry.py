import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.http.background import ensure_server, stop_server
from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.machine import ROLE, TIMEOUT, Machine, Record
from tests.local_sagemaker.steps import condition, fail, output_of, processing, run, statuses, until, write

# fails until the file in its first argument exists
FRAGILE = "import pathlib, sys; sys.exit(not pathlib.Path(sys.argv[1]).exists())"


def retry(machine: Machine, arn: str, token: str = "r" * 32, wait: bool = True, **more: Any) -> Record:
    request = {"PipelineExecutionArn": arn, "ClientRequestToken": token, **more}
    assert machine.service.call("RetryPipelineExecution", request) == {"PipelineExecutionArn": arn}
    if wait:
        assert machine.executor.wait(arn, TIMEOUT)
    return machine.service.call("DescribePipelineExecution", {"PipelineExecutionArn": arn})


def jobs(machine: Machine) -> list[str]:
    return [job["ProcessingJobName"].split("-")[2] for job in machine.store.all("processing-job")]


def test_a_retry_runs_the_failed_step_and_its_dependents_on_earlier_results(machine: Machine, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    read = "import pathlib; assert pathlib.Path('/opt/ml/processing/input/data/a').read_text() == '1'"
    steps = [
        processing(machine, "First", write("a", "1")),
        processing(machine, "Second", FRAGILE, arguments=(str(mended),), DependsOn=["First"]),
        processing(machine, "Third", read, inputs={"data": {"S3Uri": output_of("First")}}, DependsOn=["Second"]),
    ]
    failed, before = run(machine, steps)
    arn = failed["PipelineExecutionArn"]
    assert statuses(before) == {"First": "Succeeded", "Second": "Failed"}
    mended.touch()
    retried, after = retry(machine, arn), machine.steps(arn)
    assert statuses(after) == {"First": "Succeeded", "Second": "Succeeded", "Third": "Succeeded"}
    assert after["First"] == before["First"]
    assert "FailureReason" not in after["Second"]
    assert jobs(machine) == ["First", "Second", "Second", "Third"]
    assert retried["PipelineExecutionStatus"] == "Succeeded" and "FailureReason" not in retried
    assert retried["CreationTime"] == failed["CreationTime"]
    (summary,) = machine.service.call("ListPipelineExecutions", {"PipelineName": "pipeline"})[
        "PipelineExecutionSummaries"
    ]
    assert summary["PipelineExecutionStatus"] == "Succeeded" and "PipelineExecutionFailureReason" not in summary


def test_a_retry_that_fails_again_can_be_retried_again(machine: Machine, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    execution, _ = run(machine, [processing(machine, "Step", FRAGILE, arguments=(str(mended),))])
    arn = execution["PipelineExecutionArn"]
    assert retry(machine, arn, "1" * 32)["PipelineExecutionStatus"] == "Failed"
    mended.touch()
    assert retry(machine, arn, "2" * 32)["PipelineExecutionStatus"] == "Succeeded"


def test_a_retry_keeps_the_taken_branch_and_the_original_definition(machine: Machine) -> None:
    name = [{"Name": "Word", "Type": "String", "DefaultValue": "old"}]
    steps = [condition("Check", False, [processing(machine, "Yes")], [fail("No", {"Get": "Parameters.Word"})])]
    execution, _ = run(machine, steps, {"Word": "given"}, parameters=name)
    run(machine, [processing(machine, "Other")])
    retried = retry(machine, execution["PipelineExecutionArn"])
    shown = machine.steps(execution["PipelineExecutionArn"])
    assert retried["PipelineExecutionStatus"] == "Failed"
    assert statuses(shown) == {"Check": "Succeeded", "No": "Failed"}
    assert shown["No"]["FailureReason"] == "given"


def test_a_retry_resumes_a_stopped_execution(machine: Machine, tmp_path: Path) -> None:
    proceed = tmp_path / "proceed"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(proceed)!r}).exists(): time.sleep(0.01)"
    steps = [processing(machine, "First"), processing(machine, "Second", wait, DependsOn=["First"])]
    arn = machine.start_pipeline(steps)
    until(lambda: machine.steps(arn).get("Second", {}).get("StepStatus") == "Executing")
    stop = {"PipelineExecutionArn": arn, "ClientRequestToken": "s" * 32}
    machine.service.call("StopPipelineExecution", stop)
    assert machine.executor.wait(arn, TIMEOUT)
    retry(machine, arn, wait=False)
    until(lambda: machine.steps(arn).get("Second", {}).get("StepStatus") == "Executing")
    machine.service.call("StopPipelineExecution", stop)
    assert machine.executor.wait(arn, TIMEOUT)
    assert statuses(machine.steps(arn)) == {"First": "Succeeded", "Second": "Stopped"}
    proceed.touch()
    assert retry(machine, arn, "2" * 32)["PipelineExecutionStatus"] == "Succeeded"
    assert jobs(machine) == ["First", "Second", "Second", "Second"]


@pytest.mark.parametrize("status", ["Succeeded", "Executing"])
def test_only_failed_and_stopped_executions_can_be_retried(machine: Machine, status: str) -> None:
    arn = machine.start_pipeline([processing(machine, "Step", "import time; time.sleep(60)" * (status == "Executing"))])
    if status == "Succeeded":
        assert machine.executor.wait(arn, TIMEOUT)
    with pytest.raises(ServiceError, match=f"ConflictException: .* is {status}; only a failed or stopped one"):
        retry(machine, arn)


def test_a_request_sent_twice_retries_once(machine: Machine) -> None:
    execution, _ = run(machine, [processing(machine, "Step", "raise SystemExit(1)")])
    for _ in range(2):
        retry(machine, execution["PipelineExecutionArn"])
    assert jobs(machine) == ["Step", "Step"]


def test_a_retry_can_limit_concurrent_steps(machine: Machine) -> None:
    steps = [processing(machine, f"Step{number}", "raise SystemExit(1)") for number in range(3)]
    execution, _ = run(machine, steps)
    limit = {"MaxParallelExecutionSteps": 1}
    retried = retry(machine, execution["PipelineExecutionArn"], ParallelismConfiguration=limit)
    assert retried["ParallelismConfiguration"] == limit
    assert len(machine.steps(execution["PipelineExecutionArn"])) == 1


def test_a_step_with_an_unreadable_result_runs_again(machine: Machine, tmp_path: Path) -> None:
    steps = [processing(machine, "First"), fail("End", DependsOn=["First"])]
    execution, _ = run(machine, steps)
    with machine.app.database.transaction() as connection:
        connection.execute("UPDATE records SET record = '{' WHERE kind = 'step-result'")
    again = Machine(tmp_path)
    retry(again, execution["PipelineExecutionArn"])
    assert jobs(again) == ["First", "First"]
    assert statuses(again.steps(execution["PipelineExecutionArn"])) == {"First": "Succeeded", "End": "Failed"}


def test_deleting_a_pipeline_deletes_its_results(machine: Machine) -> None:
    run(machine, [processing(machine, "Step")])
    assert machine.store.all("step-result")
    machine.service.call("DeletePipeline", {"PipelineName": "pipeline", "ClientRequestToken": "d" * 32})
    assert machine.store.all("step-result") == []


def test_an_execution_is_retried_by_the_next_server_after_a_kill(data_dir: Path, tmp_path: Path) -> None:
    began, proceed = tmp_path / "began", tmp_path / "proceed"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(proceed)!r}).exists(): time.sleep(0.01)"
    read = "import pathlib; assert pathlib.Path('/opt/ml/processing/input/data/a').read_text() == '1'"
    machine = Machine(data_dir)  # for the steps' scripts
    steps = [
        processing(machine, "First", write("a", "1")),
        processing(machine, "Slow", f"open({str(began)!r}, 'w')\n{wait}", DependsOn=["First"]),
        processing(machine, "Last", read, inputs={"data": {"S3Uri": output_of("First")}}, DependsOn=["Slow"]),
    ]
    server = ensure_server(data_dir)
    client = make_client(server, "sagemaker")
    text = json.dumps({"Version": "2020-12-01", "Steps": steps})
    client.create_pipeline(PipelineName="pipeline", PipelineDefinition=text, RoleArn=ROLE)
    arn = client.start_pipeline_execution(PipelineName="pipeline")["PipelineExecutionArn"]
    until(began.exists)
    os.kill(server.pid, signal.SIGKILL)
    proceed.touch()

    client = make_client(ensure_server(data_dir), "sagemaker")
    assert described(client, arn) == ("Failed", {"First": "Succeeded", "Slow": "Failed"})
    client.retry_pipeline_execution(PipelineExecutionArn=arn)
    until(lambda: described(client, arn)[0] != "Executing")
    assert described(client, arn) == ("Succeeded", dict.fromkeys(["First", "Slow", "Last"], "Succeeded"))
    names = [job["ProcessingJobName"] for job in client.list_processing_jobs()["ProcessingJobSummaries"]]
    assert sorted(name.split("-")[2] for name in names) == ["First", "Last", "Slow", "Slow"]


def described(client: Any, arn: str) -> tuple[str, dict[str, str]]:
    status = client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
    steps = client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return status, statuses({step["StepName"]: step for step in steps})


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    folder.mkdir()
    yield folder
    stop_server(folder)
