import itertools
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.containers.images.images import Images
from local_sagemaker.executions.definition import DefinitionError
from local_sagemaker.executions.step_images import check_images
from local_sagemaker.executions.steps import STEP_TYPES
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.service import OPERATIONS
from local_sagemaker.storage import transfers as job_files
from tests.local_sagemaker.machine import ANALYZER, SCIKIT_LEARN, TIMEOUT, Machine, Record
from tests.local_sagemaker.steps import condition, fail, output_of, parse, processing, run, statuses, until, write

CACHED = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
RETRY = {"IntervalSeconds": 0, "BackoffRate": 1, "MaxAttempts": 3}


def test_the_table_of_step_types_names_each_type_by_its_class() -> None:
    assert {name: type(step_type).__name__ for name, step_type in STEP_TYPES.items()} == {
        name: name for name in STEP_TYPES
    }


# the graph


def test_a_pipeline_runs_from_data_to_a_registered_model(machine: Machine) -> None:
    data = machine.put("s3://bucket/raw/a.csv", "1,2\n")
    copy = "import shutil; shutil.copy('/opt/ml/processing/input/data/a.csv', '/opt/ml/processing/output/out/a.csv')"
    train = """
import argparse, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--factor", type=float)
rows = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "a.csv").read_text().strip()
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(f"{parser.parse_args().factor}*{rows}")
print("train_auc=0.9")
"""
    evaluate = """
import json, tarfile
tarfile.open("/opt/ml/processing/input/model/model.tar.gz").extractall("/opt/ml/model", filter="data")
model = open("/opt/ml/model/model.txt").read()
json.dump({"metrics": {"auc": {"value": 0.9}}, "model": model},
          open("/opt/ml/processing/output/out/evaluation.json", "w"))
"""
    auc = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"}, "Path": "metrics.auc.value"}}
    training = machine.training_arguments(
        "Train", train, channels={"train": output_of("Preprocess")}, metrics={"train:auc": "train_auc=([0-9.]+)"}
    )
    training["HyperParameters"]["factor"] = {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Factor"}]}}
    training["OutputDataConfig"]["S3OutputPath"] = {
        "Std:Join": {"On": "/", "Values": ["s3://bucket/models", {"Get": "Execution.PipelineExecutionId"}]}
    }
    register = {
        "Name": "RegisterModel",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": "models",
            "ModelApprovalStatus": "Approved",
            "InferenceSpecification": {
                "Containers": [
                    {"Image": SCIKIT_LEARN, "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}}
                ],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            "ModelMetrics": {"Bias": {}, "Explainability": {}},
            "CustomerMetadataProperties": {
                "auc": {"Std:Join": {"On": "", "Values": [auc]}},
                "execution": {"Get": "Execution.PipelineExecutionArn"},
            },
        },
    }
    steps = [
        processing(machine, "Preprocess", copy, inputs={"data": {"S3Uri": {"Get": "Parameters.Input"}}}),
        {"Name": "Train", "Type": "Training", "Arguments": training, "Description": "learns"},
        processing(
            machine,
            "Evaluate",
            evaluate,
            inputs={"model": {"S3Uri": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}}},
            PropertyFiles=[{"PropertyFileName": "Report", "OutputName": "out", "FilePath": "evaluation.json"}],
        ),
        condition(
            "Check",
            {"Type": "GreaterThanOrEqualTo", "LeftValue": auc, "RightValue": {"Get": "Parameters.Threshold"}},
            [register],
            [fail("TooLow", "no")],
        ),
    ]
    parameters = [
        {"Name": "Input", "Type": "String", "DefaultValue": "s3://bucket/none"},
        {"Name": "Threshold", "Type": "Float", "DefaultValue": 0.99},
        {"Name": "Factor", "Type": "Float", "DefaultValue": 0.05},
    ]
    execution, shown = run(machine, steps, {"Input": data, "Threshold": "0.9"}, parameters=parameters)

    assert execution["PipelineExecutionStatus"] == "Succeeded", shown
    assert statuses(shown) == dict.fromkeys(["Preprocess", "Train", "Evaluate", "Check", "RegisterModel"], "Succeeded")
    assert shown["Check"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    assert shown["Train"]["StepDescription"] == "learns"
    (summary,) = machine.service.call("ListModelPackages", {"ModelPackageGroupName": "models"})[
        "ModelPackageSummaryList"
    ]
    arn = shown["RegisterModel"]["Metadata"]["RegisterModel"]["Arn"]
    assert summary["ModelPackageArn"] == arn
    package = machine.service.call("DescribeModelPackage", {"ModelPackageName": arn})
    assert package["CustomerMetadataProperties"] == {"auc": "0.9", "execution": execution["PipelineExecutionArn"]}
    model = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    execution_id = execution["PipelineExecutionArn"].rpartition("/")[2]
    assert model.startswith(f"s3://bucket/models/{execution_id}/pipelines-{execution_id}-Train-")
    assert machine.archive(model) == {"model.txt": "0.05*1,2"}


RENDEZVOUS = """
import os, pathlib, sys, time
here, there = map(pathlib.Path, sys.argv[1:])
here.touch()
end = time.monotonic() + 20
while not there.exists():
    assert time.monotonic() < end, "nobody came"
    time.sleep(0.01)
"""


def test_independent_steps_run_concurrently(machine: Machine, tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    execution, _ = run(
        machine,
        [
            processing(machine, "One", RENDEZVOUS, arguments=(one, two)),
            processing(machine, "Two", RENDEZVOUS, arguments=(two, one)),
        ],
    )
    assert execution["PipelineExecutionStatus"] == "Succeeded"


@pytest.mark.parametrize("bound", ["MaxParallelExecutionSteps", "workers"])
def test_concurrent_steps_do_not_exceed_the_limit(tmp_path: Path, bound: str) -> None:
    machine = Machine(tmp_path, workers=1 if bound == "workers" else 4)
    _, shown = run(
        machine,
        [processing(machine, f"Step{number}") for number in range(4)],
        parallel=1 if bound == "MaxParallelExecutionSteps" else None,
    )
    times = sorted((step["StartTime"], step["EndTime"]) for step in shown.values())
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(times))


def test_steps_wait_for_their_dependencies(machine: Machine) -> None:
    _, shown = run(
        machine,
        [
            processing(machine, "Last", DependsOn=["Middle"]),
            processing(machine, "Middle", inputs={"data": {"S3Uri": output_of("First")}}),
            processing(machine, "First", write("a", "1")),
        ],
    )
    assert shown["First"]["EndTime"] <= shown["Middle"]["StartTime"]
    assert shown["Middle"]["EndTime"] <= shown["Last"]["StartTime"]


@pytest.mark.parametrize(("outcome", "reached"), [(True, {"Check", "Yes"}), (False, {"Check", "No", "AfterNo"})])
def test_only_the_taken_branch_runs_and_is_listed(machine: Machine, outcome: bool, reached: set[str]) -> None:
    execution, shown = run(
        machine,
        [
            condition("Check", outcome, [processing(machine, "Yes")], [processing(machine, "No")]),
            processing(machine, "AfterNo", DependsOn=["No"]),
        ],
    )
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert shown.keys() == reached
    assert shown["Check"]["Metadata"]["Condition"]["Outcome"] == str(outcome)


def test_steps_can_refer_to_the_outcome_of_a_condition(machine: Machine) -> None:
    message = {"Std:Join": {"On": ": ", "Values": ["it is", {"Get": "Steps.Check.Outcome"}]}}
    _, shown = run(machine, [condition("Check", False, [], []), fail("End", message)])
    assert shown["End"]["FailureReason"] == "it is: false"


def test_execution_variables_identify_the_execution_and_the_job(machine: Machine) -> None:
    names = ["PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn", "ProcessingJobName"]
    step = processing(machine, "Step", "import json, os; print(json.dumps({k: os.environ[k] for k in os.environ}))")
    step["Arguments"]["Environment"] = {
        name: {"Get": f"Execution.{name}"} for name in [*names, "StartDateTime", "CurrentDateTime"]
    }
    execution, shown = run(machine, [step])
    job = shown["Step"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    (record,) = machine.store.all("processing-job")
    assert job == record["ProcessingJobName"].lower()
    seen = json.loads(machine.log(record["ProcessingJobName"])[0])
    arn = execution["PipelineExecutionArn"]
    expected = ["pipeline", execution["PipelineArn"], arn.rpartition("/")[2], arn, record["ProcessingJobName"]]
    assert [seen[name] for name in names] == expected
    assert seen["StartDateTime"] <= seen["CurrentDateTime"]


@pytest.mark.parametrize("name", ["A" * 64, "with_underscores", "-"])
def test_a_job_gets_a_valid_name_whatever_the_name_of_its_step(machine: Machine, name: str) -> None:
    execution, shown = run(machine, [{**processing(machine, "step"), "Name": name}])
    assert execution["PipelineExecutionStatus"] == "Succeeded", shown


# failures


def test_a_fail_step_fails_the_execution_with_its_message(machine: Machine) -> None:
    message = {"Std:Join": {"On": " ", "Values": ["auc", 0.5, "is below", {"Get": "Parameters.Threshold"}]}}
    parameters = [{"Name": "Threshold", "Type": "Float", "DefaultValue": 0.8}]
    execution, shown = run(machine, [fail("End", message)], parameters=parameters)
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert execution["FailureReason"] == "Step failure: One or multiple steps failed. End: auc 0.5 is below 0.8"
    assert shown["End"]["FailureReason"] == "auc 0.5 is below 0.8"
    assert shown["End"]["Metadata"] == {"Fail": {"ErrorMessage": "auc 0.5 is below 0.8"}}


def test_a_fail_step_without_a_message_has_no_reason(machine: Machine) -> None:
    _, shown = run(machine, [fail("End")])
    assert "FailureReason" not in shown["End"]
    assert shown["End"]["Metadata"] == {"Fail": {"ErrorMessage": ""}}


def test_after_a_failure_running_steps_finish_and_no_step_starts(machine: Machine, tmp_path: Path) -> None:
    started, failed = str(tmp_path / "started"), str(tmp_path / "failed")
    wait = f"import pathlib, time\nwhile not pathlib.Path({started!r}).exists(): time.sleep(0.01)\n"
    fails = f"{wait}open({failed!r}, 'w'); raise SystemExit('broken')"
    slow = f"import os, time\nopen({started!r}, 'w')\nwhile not os.path.exists({failed!r}): time.sleep(0.01)\n"
    execution, shown = run(
        machine,
        [
            processing(machine, "Broken", fails),
            processing(machine, "Slow", slow + "time.sleep(0.3)"),
            processing(machine, "AfterBroken", DependsOn=["Broken"]),
            processing(machine, "AfterSlow", DependsOn=["Slow"]),
        ],
    )
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert statuses(shown) == {"Broken": "Failed", "Slow": "Succeeded"}
    assert shown["Broken"]["FailureReason"] == "AlgorithmError: broken, exit code: 1"


@pytest.mark.parametrize(
    ("content", "path", "expected"),
    [
        ("{}", "auc.value", "no value at 'auc.value': 'auc' not found"),
        ("not json", "auc", "not JSON"),
        (None, "auc", "cannot read s3://bucket/First/out/file.json"),
    ],
)
def test_a_missing_value_fails_the_step_with_its_path(
    machine: Machine, content: str | None, path: str, expected: str
) -> None:
    get = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.First.PropertyFiles.File"}, "Path": path}}
    file = {"PropertyFileName": "File", "OutputName": "out", "FilePath": "file.json"}
    _, shown = run(
        machine,
        [
            processing(machine, "First", write("file.json", content) if content else "", PropertyFiles=[file]),
            condition("Check", {"Type": "GreaterThan", "LeftValue": get, "RightValue": 0}, [], []),
        ],
    )
    assert shown["Check"]["FailureReason"].startswith("ClientError: ")
    assert expected in shown["Check"]["FailureReason"]


def test_a_rejected_request_fails_the_step_with_the_services_message(machine: Machine) -> None:
    step = processing(machine, "Step")
    step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 0
    _, shown = run(machine, [step])
    reason = shown["Step"]["FailureReason"]
    assert reason.startswith("ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: ")
    assert "instanceCount" in reason


def test_a_job_that_exceeds_its_max_runtime_fails_its_step_with_the_reason(machine: Machine) -> None:
    _, shown = run(machine, [processing(machine, "Slow", "import time; time.sleep(60)", seconds=1)])
    assert shown["Slow"]["StepStatus"] == "Failed"
    assert shown["Slow"]["FailureReason"] == "ClientError: The job was stopped: it exceeded MaxRuntimeInSeconds (1)"


def test_an_unsupported_image_fails_the_execution_before_any_step_runs(machine: Machine) -> None:
    steps = [processing(machine, "First"), processing(machine, "Second", image="me/mine:1", DependsOn=["First"])]
    with pytest.raises(DefinitionError, match=r"step 'Second'.*'me/mine:1'.*sagemaker-scikit-learn"):
        check_images(parse(json.dumps({"Version": "2020-12-01", "Steps": steps})), Images())
    steps[1]["Arguments"]["AppSpecification"]["ImageUri"] = {"Get": "Parameters.Image"}
    parameters = [{"Name": "Image", "Type": "String", "DefaultValue": SCIKIT_LEARN}]
    execution, shown = run(machine, steps, {"Image": "me/mine:1"}, parameters=parameters)
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert "step 'Second': image 'me/mine:1' cannot run on this machine" in execution["FailureReason"]
    assert shown == {}


def test_a_rejected_registration_leaves_no_empty_group(machine: Machine) -> None:
    step = {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {"ModelPackageGroupName": "models", "ModelApprovalStatus": "Maybe"},
    }
    execution, shown = run(machine, [step])
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert "sagemaker:CreateModelPackage" in shown["Register"]["FailureReason"]
    assert machine.service.call("ListModelPackageGroups", {})["ModelPackageGroupSummaryList"] == []


# retries


def with_refusals(monkeypatch: pytest.MonkeyPatch, operation: str, code: str, times: int) -> None:
    """Make an operation fail a number of times."""
    left = iter(range(times))
    own = OPERATIONS[operation]

    def refuse(context: Context, request: Record) -> Record:
        if next(left, None) is not None:
            raise ServiceError(code, "not now")
        return own(context, request)

    monkeypatch.setitem(OPERATIONS, operation, refuse)


@pytest.mark.parametrize(
    ("code", "exception_type"),
    [
        ("ThrottlingException", "Step.THROTTLING"),
        ("InternalFailure", "Step.SERVICE_FAULT"),
        ("ResourceLimitExceeded", "SageMaker.RESOURCE_LIMIT"),
    ],
)
def test_a_rejected_request_is_retried_by_the_policy(
    machine: Machine, code: str, exception_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_refusals(monkeypatch, "CreateProcessingJob", code, 2)
    policies = [{"ExceptionType": [exception_type], **RETRY}]
    _, shown = run(machine, [processing(machine, "Step", RetryPolicies=policies)])
    assert (shown["Step"]["StepStatus"], shown["Step"]["AttemptCount"]) == ("Succeeded", 3)
    assert "FailureReason" not in shown["Step"]


def test_exhausted_retries_fail_the_step_with_the_reason(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with_refusals(monkeypatch, "CreateProcessingJob", "ThrottlingException", 10)
    policies = [{"ExceptionType": ["Step.THROTTLING"], **RETRY}]
    _, shown = run(machine, [processing(machine, "Step", RetryPolicies=policies)])
    assert (shown["Step"]["StepStatus"], shown["Step"]["AttemptCount"]) == ("Failed", 4)
    assert shown["Step"]["FailureReason"].endswith("Error Details: not now")


def test_a_resource_limit_is_not_retried_without_a_policy(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with_refusals(monkeypatch, "CreateProcessingJob", "ResourceLimitExceeded", 1)
    _, shown = run(machine, [processing(machine, "Step")])
    assert (shown["Step"]["StepStatus"], shown["Step"]["AttemptCount"]) == ("Failed", 1)


def test_an_internal_error_of_a_job_is_retried_with_a_new_job(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = iter([True, False, False, False])
    original = job_files.copy_file

    def copy(source: Path, target: Path) -> None:
        if next(broken):
            raise OSError(5, "Input/output error")
        original(source, target)

    monkeypatch.setattr(job_files, "copy_file", copy)
    policies = [{"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], **RETRY}]
    _, shown = run(machine, [processing(machine, "Step", RetryPolicies=policies)])
    assert (shown["Step"]["StepStatus"], shown["Step"]["AttemptCount"]) == ("Succeeded", 2)
    assert [job["ProcessingJobStatus"] for job in machine.store.all("processing-job")] == ["Failed", "Completed"]


def test_an_error_of_the_script_is_not_retried(machine: Machine) -> None:
    policies = [{"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"], **RETRY}]
    _, shown = run(machine, [processing(machine, "Step", "raise SystemExit(1)", RetryPolicies=policies)])
    assert (shown["Step"]["StepStatus"], shown["Step"]["AttemptCount"]) == ("Failed", 1)


# step caching


def two_steps(machine: Machine, **more: Any) -> list[Record]:
    first = processing(machine, "First", write("a.csv", "1"), **{**CACHED, **more})
    first["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = {
        "Std:Join": {"On": "/", "Values": ["s3://bucket/first", {"Get": "Execution.PipelineExecutionId"}]}
    }
    return [first, processing(machine, "Second", inputs={"data": {"S3Uri": output_of("First")}}, **CACHED)]


def cached(shown: dict[str, Record]) -> set[str]:
    return {name for name, step in shown.items() if "CacheHitResult" in step}


def test_an_unchanged_step_does_not_run_again_and_names_the_source_execution(machine: Machine) -> None:
    first, earlier = run(machine, two_steps(machine))
    second, shown = run(machine, two_steps(machine))
    third, again = run(machine, two_steps(machine))
    assert cached(earlier) == set()
    assert cached(shown) == cached(again) == {"First", "Second"}
    assert second["PipelineExecutionStatus"] == third["PipelineExecutionStatus"] == "Succeeded"
    for name in ("First", "Second"):
        assert shown[name]["Metadata"] == earlier[name]["Metadata"]
        source = {"SourcePipelineExecutionArn": first["PipelineExecutionArn"]}
        assert shown[name]["CacheHitResult"] == again[name]["CacheHitResult"] == source
    assert len(machine.store.all("processing-job")) == 2


@pytest.mark.parametrize(
    ("change", "rerun"),
    [
        ({"environment": {"A": "1"}}, {"First", "Second"}),
        ({"arguments": ("x",)}, {"First", "Second"}),
        ({"seconds": 20}, set()),
        ({"CacheConfig": {"Enabled": False}}, {"First", "Second"}),
    ],
)
def test_a_change_of_a_documented_cache_key_attribute_runs_the_step_again(
    machine: Machine, change: dict[str, Any], rerun: set[str]
) -> None:
    run(machine, two_steps(machine))
    _, shown = run(machine, two_steps(machine, **change))
    assert shown.keys() - cached(shown) == rerun


def test_a_step_with_unchanged_inputs_is_reused_even_if_an_upstream_step_ran(machine: Machine) -> None:
    steps = [*two_steps(machine), processing(machine, "Other", **CACHED)]
    run(machine, steps)
    steps[2] = processing(machine, "Other", environment={"A": "1"}, **CACHED)
    _, shown = run(machine, steps)
    assert cached(shown) == {"First", "Second"}


def test_an_expired_result_is_not_reused(machine: Machine) -> None:
    brief = {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1S"}}
    run(machine, [processing(machine, "Step", **brief)])
    time.sleep(1.1)
    _, shown = run(machine, [processing(machine, "Step", **brief)])
    assert cached(shown) == set()


def test_a_result_with_deleted_objects_is_not_reused(machine: Machine) -> None:
    run(machine, two_steps(machine))
    (key,) = machine.keys("first/")
    machine.objects.delete("bucket", key)
    execution, shown = run(machine, two_steps(machine))
    assert cached(shown) == set()
    assert execution["PipelineExecutionStatus"] == "Succeeded"


def test_a_failed_step_is_never_reused(machine: Machine) -> None:
    step = processing(machine, "Step", "raise SystemExit(1)", **CACHED)
    run(machine, [step])
    _, shown = run(machine, [step])
    assert cached(shown) == set()


def test_results_of_another_or_a_deleted_pipeline_are_not_reused(machine: Machine) -> None:
    run(machine, two_steps(machine))
    machine.service.call("DeletePipeline", {"PipelineName": "pipeline", "ClientRequestToken": "d" * 32})
    _, shown = run(machine, two_steps(machine))
    assert cached(shown) == set()


# stopping


def test_a_stopped_execution_stops_its_jobs_and_starts_no_more_steps(machine: Machine) -> None:
    steps = [
        processing(machine, "Slow", "import time; print('x', flush=True); time.sleep(60)"),
        processing(machine, "After", DependsOn=["Slow"]),
    ]
    arn = machine.start_pipeline(steps)
    until(lambda: machine.steps(arn).get("Slow", {}).get("StepStatus") == "Executing")
    machine.service.call("StopPipelineExecution", {"PipelineExecutionArn": arn, "ClientRequestToken": "s" * 32})
    execution = machine.service.call("DescribePipelineExecution", {"PipelineExecutionArn": arn})
    assert execution["PipelineExecutionStatus"] in ("Stopping", "Stopped")
    assert machine.executor.wait(arn, TIMEOUT)
    execution = machine.service.call("DescribePipelineExecution", {"PipelineExecutionArn": arn})
    assert execution["PipelineExecutionStatus"] == "Stopped"
    assert statuses(machine.steps(arn)) == {"Slow": "Stopped"}
    assert machine.store.all("processing-job")[0]["ProcessingJobStatus"] == "Stopped"


def test_stopping_does_not_wait_for_a_retry(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with_refusals(monkeypatch, "CreateProcessingJob", "ThrottlingException", 5)
    policies = [{"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": 600}]
    arn = machine.start_pipeline([processing(machine, "Step", RetryPolicies=policies)])
    until(lambda: "Step" in machine.steps(arn))
    time.sleep(0.1)
    machine.executor.stop(arn)
    assert machine.executor.wait(arn, 10)
    assert statuses(machine.steps(arn)) == {"Step": "Stopped"}


def test_an_execution_with_queued_steps_only_stops_at_once_and_lists_no_step(tmp_path: Path) -> None:
    machine = Machine(tmp_path, workers=1)
    slow = processing(machine, "Slow", "import time; time.sleep(60)")
    first, second = machine.start_pipeline([slow]), machine.start_pipeline([slow])
    until(lambda: machine.steps(first).get("Slow", {}).get("StepStatus") == "Executing")
    machine.executor.stop(second)
    assert machine.executor.wait(second, 10)
    assert machine.steps(second) == {}
    machine.executor.stop(first)
    assert machine.executor.wait(first, TIMEOUT)
    assert statuses(machine.steps(first)) == {"Slow": "Stopped"}


# recovery after a server's end


def test_executions_that_a_server_left_running_are_failed_by_the_next_with_the_reason(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    run(machine, [processing(machine, "Step")])
    arn = machine.start_pipeline([processing(machine, "Slow", "import time; time.sleep(60)")])
    until(lambda: machine.steps(arn).get("Slow", {}).get("StepStatus") == "Executing")

    again = Machine(tmp_path)
    again.executor.recover()
    store, service = again.store, again.service
    execution = service.call("DescribePipelineExecution", {"PipelineExecutionArn": arn})
    (step,) = service.call("ListPipelineExecutionSteps", {"PipelineExecutionArn": arn})["PipelineExecutionSteps"]
    assert execution["PipelineExecutionStatus"] == step["StepStatus"] == "Failed"
    assert "the local SageMaker ended" in execution["FailureReason"]
    assert "the local SageMaker ended" in step["FailureReason"]
    earlier = [record for record in store.all("pipeline-execution") if record["PipelineExecutionArn"] != arn]
    assert [record["PipelineExecutionStatus"] for record in earlier] == ["Succeeded"]
    machine.executor.close()


# quality checks

ANALYZE = """
import json, os, pathlib
out = pathlib.Path(os.environ["output_path"])
rows = pathlib.Path(os.environ["dataset_source"], "data.csv").read_text()
(out / "statistics.json").write_text(json.dumps({"rows": rows}))
(out / "constraints.json").write_text(json.dumps({"rows": rows}))
if "baseline_constraints" in os.environ:
    expected = json.loads(pathlib.Path(os.environ["baseline_constraints"]).read_text())
    assert pathlib.Path(os.environ["baseline_statistics"]).exists()
    violations = [] if expected["rows"] == rows else [{"feature_name": "rows"}]
    (out / "constraint_violations.json").write_text(json.dumps({"violations": violations}))
"""


def quality_check(machine: Machine, output: str = "check", **more: Any) -> Record:
    """A QualityCheck step that runs the script above as analyzer on `s3://bucket/quality/data.csv`."""
    arguments = machine.processing_arguments("Check", ANALYZE, image=ANALYZER)
    arguments["ProcessingInputs"].append(
        {
            "InputName": "baseline_dataset_input",
            "S3Input": {
                "S3Uri": "s3://bucket/quality/",
                "LocalPath": "/opt/ml/processing/input/baseline_dataset_input",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
    )
    arguments["Environment"] = {
        "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
        "output_path": "/opt/ml/processing/output",
    }
    target = {"S3Uri": f"s3://bucket/{output}", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    arguments["ProcessingOutputConfig"] = {"Outputs": [{"OutputName": "quality_check_output", "S3Output": target}]}
    return {
        "Name": "Check",
        "Type": "QualityCheck",
        "Arguments": arguments,
        "CheckType": "DATA_QUALITY",
        "ModelPackageGroupName": "models",
        "SkipCheck": False,
        "FailOnViolation": True,
        "RegisterNewBaseline": False,
        "SuppliedBaselineStatistics": None,
        "SuppliedBaselineConstraints": None,
        **more,
    }


def baseline(machine: Machine, rows: str, folder: str = "earlier") -> dict[str, str]:
    return {
        name: machine.put(f"s3://bucket/{folder}/{name.lower()}.json", json.dumps({"rows": rows}))
        for name in ("Statistics", "Constraints")
    }


def register(machine: Machine, files: dict[str, str], status: str) -> str:
    groups = machine.service.call("ListModelPackageGroups", {})["ModelPackageGroupSummaryList"]
    if not groups:
        machine.service.call("CreateModelPackageGroup", {"ModelPackageGroupName": "models"})
    sources = {name: {"ContentType": "application/json", "S3Uri": uri} for name, uri in files.items()}
    request = {
        "ModelPackageGroupName": "models",
        "ModelApprovalStatus": status,
        "DriftCheckBaselines": {"ModelDataQuality": sources},
        "InferenceSpecification": {"Containers": [{"Image": SCIKIT_LEARN}]},
    }
    return machine.service.call("CreateModelPackage", request)["ModelPackageArn"]


def used(step: Record) -> tuple[str, str]:
    metadata = step["Metadata"]["QualityCheck"]
    return metadata["BaselineUsedForDriftCheckStatistics"], metadata["BaselineUsedForDriftCheckConstraints"]


CALCULATED = ("s3://bucket/check/statistics.json", "s3://bucket/check/constraints.json")


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("renew", [False, True])
def test_skip_check_and_register_new_baseline_behave_as_documented(machine: Machine, skip: bool, renew: bool) -> None:
    machine.put("s3://bucket/quality/data.csv", "new")
    previous = baseline(machine, "old")
    register(machine, previous, "Approved")
    _, shown = run(machine, [quality_check(machine, SkipCheck=skip, RegisterNewBaseline=renew, FailOnViolation=False)])
    metadata = shown["Check"]["Metadata"]["QualityCheck"]
    assert shown["Check"]["StepStatus"] == "Succeeded", shown
    assert used(shown["Check"]) == (CALCULATED if renew else tuple(previous.values()))
    calculated = (metadata["CalculatedBaselineStatistics"], metadata["CalculatedBaselineConstraints"])
    assert calculated == CALCULATED
    assert ("ViolationReport" in metadata) is not skip
    assert (metadata["SkipCheck"], metadata["RegisterNewBaseline"]) == (skip, renew)
    assert (metadata["CheckType"], metadata["ModelPackageGroupName"]) == ("DATA_QUALITY", "models")
    (job,) = machine.store.all("processing-job")
    assert metadata["CheckJobArn"] == job["ProcessingJobArn"]


def test_a_violation_fails_the_step_unless_fail_on_violation_is_false(machine: Machine) -> None:
    machine.put("s3://bucket/quality/data.csv", "new")
    register(machine, baseline(machine, "old"), "Approved")
    report = "s3://bucket/check/constraint_violations.json"
    for switch in (True, None):
        _, shown = run(machine, [quality_check(machine, FailOnViolation=switch)])
        assert shown["Check"]["StepStatus"] == "Failed"
        reason = f"ClientError: Quality check failed. See violation report: {report}"
        assert shown["Check"]["FailureReason"] == reason
    _, shown = run(machine, [quality_check(machine, FailOnViolation=False)])
    assert shown["Check"]["StepStatus"] == "Succeeded"
    assert shown["Check"]["Metadata"]["QualityCheck"]["ViolationReport"] == report


def test_unchanged_data_has_no_violations(machine: Machine) -> None:
    machine.put("s3://bucket/quality/data.csv", "same")
    register(machine, baseline(machine, "same"), "Approved")
    _, shown = run(machine, [quality_check(machine)])
    assert shown["Check"]["StepStatus"] == "Succeeded"
    assert "ViolationReport" not in shown["Check"]["Metadata"]["QualityCheck"]


def test_the_baseline_is_that_of_the_latest_approved_package_unless_one_is_supplied(machine: Machine) -> None:
    machine.put("s3://bucket/quality/data.csv", "new")
    register(machine, baseline(machine, "new", "first"), "Approved")
    latest = baseline(machine, "new", "second")
    register(machine, latest, "Approved")
    register(machine, baseline(machine, "new", "third"), "PendingManualApproval")
    register(machine, baseline(machine, "new", "fourth"), "Rejected")
    _, shown = run(machine, [quality_check(machine)])
    assert used(shown["Check"]) == tuple(latest.values())
    supplied = baseline(machine, "new", "supplied")
    given = {f"SuppliedBaseline{name}": uri for name, uri in supplied.items()}
    _, shown = run(machine, [quality_check(machine, **given)])
    assert used(shown["Check"]) == tuple(supplied.values())


@pytest.mark.parametrize(("skip", "renew"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("there", ["no group", "none approved", "another baseline"])
def test_without_a_previous_baseline_only_a_first_run_succeeds(
    machine: Machine, skip: bool, renew: bool, there: str
) -> None:
    machine.put("s3://bucket/quality/data.csv", "new")
    if there != "no group":
        register(machine, baseline(machine, "old"), "Approved" if there == "another baseline" else "Rejected")
    check = quality_check(machine, SkipCheck=skip, RegisterNewBaseline=renew, CheckType="MODEL_QUALITY")
    _, shown = run(machine, [check])
    assert shown["Check"]["StepStatus"] == "Failed"
    assert "No previous baseline of MODEL_QUALITY is available" in shown["Check"]["FailureReason"]
    assert machine.store.all("processing-job") == []


def test_later_steps_can_refer_to_the_baselines_of_a_check(machine: Machine) -> None:
    machine.put("s3://bucket/quality/data.csv", "new")
    check = quality_check(machine, SkipCheck=True, RegisterNewBaseline=True)
    message = {"Get": "Steps.Check.BaselineUsedForDriftCheckConstraints"}
    _, shown = run(machine, [check, fail("End", message)])
    assert shown["End"]["FailureReason"] == CALCULATED[1]


def test_the_cache_key_of_a_quality_check_includes_its_settings(machine: Machine) -> None:
    machine.put("s3://bucket/quality/data.csv", "new")
    register(machine, baseline(machine, "new"), "Approved")
    run(machine, [quality_check(machine, SkipCheck=True, RegisterNewBaseline=True, **CACHED)])
    _, shown = run(machine, [quality_check(machine, SkipCheck=True, RegisterNewBaseline=True, **CACHED)])
    assert cached(shown) == {"Check"}
    assert used(shown["Check"]) == CALCULATED
    _, shown = run(machine, [quality_check(machine, SkipCheck=False, RegisterNewBaseline=True, **CACHED)])
    assert cached(shown) == set()


def test_the_analyzer_computes_baselines_and_finds_violations(machine: Machine) -> None:
    def check(output: str, **more: Any) -> Record:
        step = quality_check(machine, output, **more)
        del step["Arguments"]["AppSpecification"]["ContainerEntrypoint"]
        step["Arguments"]["Environment"]["dataset_format"] = json.dumps({"csv": {"header": True}})
        step["Arguments"]["ProcessingInputs"] = step["Arguments"]["ProcessingInputs"][1:]
        return step

    rows = [f"{number},{number % 7}" for number in range(500)]
    machine.put("s3://bucket/quality/data.csv", "\n".join(["a,b", *rows]))
    _, shown = run(machine, [check("first", SkipCheck=True, RegisterNewBaseline=True)])
    assert shown["Check"]["StepStatus"] == "Succeeded", shown
    statistics, constraints = used(shown["Check"])
    register(machine, {"Statistics": statistics, "Constraints": constraints}, "Approved")

    _, shown = run(machine, [check("same")])
    assert shown["Check"]["StepStatus"] == "Succeeded", shown
    machine.put("s3://bucket/quality/data.csv", "\n".join(["a,b", *(f"{number},text" for number in range(500))]))
    _, shown = run(machine, [check("changed")])
    report = shown["Check"]["Metadata"]["QualityCheck"]["ViolationReport"]
    assert shown["Check"]["FailureReason"] == f"ClientError: Quality check failed. See violation report: {report}"
    violations = json.loads(machine.read(report))["violations"]
    assert {violation["feature_name"] for violation in violations} == {"b"}
    last = machine.store.all("processing-job")[-1]
    assert last["ProcessingJobStatus"] == "Completed"
    assert "violation" in last["ExitMessage"]


# at scale


def test_two_hundred_steps_have_little_overhead(machine: Machine) -> None:
    steps = [
        condition(f"Step{number}", True, [], [], **({"DependsOn": [f"Step{number - 1}"]} if number else {}))
        for number in range(200)
    ]
    started = time.perf_counter()
    execution = machine.run_pipeline(steps)
    seconds = time.perf_counter() - started
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert seconds / 200 < 0.05, f"{1000 * seconds / 200:.1f} ms a step"


def test_an_ended_execution_leaves_no_threads(machine: Machine) -> None:
    run(machine, [processing(machine, "One"), processing(machine, "Two")])
    until(lambda: not any(thread.name.startswith(("job", "step")) for thread in threading.enumerate()))
    assert machine.jobs._running == {} and machine.executor._running == {}
