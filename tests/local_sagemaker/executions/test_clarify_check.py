"""ClarifyCheck steps: what differs from QualityCheck steps, whose tests are in test_executor.py."""

import json
from typing import Any

import pytest

from local_sagemaker.storage.records import Record
from tests.local_sagemaker.machine import CLARIFY, SCIKIT_LEARN, Machine
from tests.local_sagemaker.steps import fail

ANALYSIS = "s3://bucket/check/analysis.json"
REPORT = "s3://bucket/check/constraint_violations.json"
EARLIER = "s3://bucket/earlier/{}.json"

# stands in for Clarify: a violation if the earlier analysis is of other rows
ANALYZE = """
import json, os, pathlib
out = pathlib.Path("/opt/ml/processing/output")
rows = pathlib.Path("/opt/ml/processing/input/data/data.csv").read_text()
(out / "analysis.json").write_text(json.dumps({"rows": rows, "model": os.environ.get("model_name")}))
if "baseline_constraints" in os.environ:
    expected = json.loads(pathlib.Path(os.environ["baseline_constraints"]).read_text())
    violations = [] if expected["rows"] == rows else [{"facet": "sex"}]
    (out / "constraint_violations.json").write_text(json.dumps({"version": "1.0", "violations": violations}))
"""


def clarify_check(machine: Machine, **more: Any) -> Record:
    """A ClarifyCheck step of the data bias of `s3://bucket/data/data.csv`."""
    arguments = machine.processing_arguments("Check", ANALYZE, image=CLARIFY, inputs={"data": "s3://bucket/data/"})
    target = {"S3Uri": "s3://bucket/check", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    arguments["ProcessingOutputConfig"] = {"Outputs": [{"OutputName": "analysis_result", "S3Output": target}]}
    return {
        "Name": "Check",
        "Type": "ClarifyCheck",
        "Arguments": arguments,
        "CheckType": "DATA_BIAS",
        "ModelPackageGroupName": "models",
        "SkipCheck": False,
        "FailOnViolation": True,
        "RegisterNewBaseline": False,
        "SuppliedBaselineConstraints": None,
        **more,
    }


def run(machine: Machine, step: Record) -> Record:
    """Run a pipeline of the step; its description."""
    execution = machine.run_pipeline([step])
    query = {"PipelineExecutionArn": execution["PipelineExecutionArn"]}
    steps = machine.service.call("ListPipelineExecutionSteps", query)["PipelineExecutionSteps"]
    return next(shown for shown in steps if shown["StepName"] == "Check")


@pytest.fixture(autouse=True)
def registered(machine: Machine) -> None:
    """The data, and an approved package with a baseline for each type of check, of which only one is of this data."""
    machine.put("s3://bucket/data/data.csv", "same")
    names = {"pre": "same", "post": "other", "shap": "other"}
    sources = {
        name: {
            "ContentType": "application/json",
            "S3Uri": machine.put(EARLIER.format(name), json.dumps({"rows": rows})),
        }
        for name, rows in names.items()
    }
    machine.service.call("CreateModelPackageGroup", {"ModelPackageGroupName": "models"})
    request = {
        "ModelPackageGroupName": "models",
        "ModelApprovalStatus": "Approved",
        "DriftCheckBaselines": {
            "Bias": {"PreTrainingConstraints": sources["pre"], "PostTrainingConstraints": sources["post"]},
            "Explainability": {"Constraints": sources["shap"]},
        },
        "InferenceSpecification": {"Containers": [{"Image": SCIKIT_LEARN}]},
    }
    machine.service.call("CreateModelPackage", request)


def test_each_type_of_check_has_its_own_baseline_in_the_latest_approved_package(machine: Machine) -> None:
    for check_type, name in (("DATA_BIAS", "pre"), ("MODEL_BIAS", "post"), ("MODEL_EXPLAINABILITY", "shap")):
        shown = run(machine, clarify_check(machine, CheckType=check_type))
        metadata = shown["Metadata"]["ClarifyCheck"]
        assert metadata["BaselineUsedForDriftCheckConstraints"] == EARLIER.format(name)
        assert metadata["CalculatedBaselineConstraints"] == ANALYSIS
        assert (metadata["CheckType"], metadata["ModelPackageGroupName"]) == (check_type, "models")
        if name == "pre":
            assert (shown["StepStatus"], "ViolationReport" in metadata) == ("Succeeded", False)
        else:
            reason = f"ClientError: Clarify check failed. See violation report: {REPORT}"
            assert (shown["FailureReason"], metadata["ViolationReport"]) == (reason, REPORT)


def test_a_new_baseline_is_used_if_it_is_registered(machine: Machine) -> None:
    shown = run(machine, clarify_check(machine, CheckType="MODEL_BIAS", RegisterNewBaseline=True, SkipCheck=True))
    metadata = shown["Metadata"]["ClarifyCheck"]
    assert metadata["BaselineUsedForDriftCheckConstraints"] == ANALYSIS
    assert "BaselineUsedForDriftCheckStatistics" not in metadata
    assert REPORT not in {f"s3://bucket/{key}" for key in machine.keys("check/")}


def test_a_supplied_baseline_takes_precedence(machine: Machine) -> None:
    step = clarify_check(machine, CheckType="MODEL_BIAS", SuppliedBaselineConstraints=EARLIER.format("pre"))
    shown = run(machine, step)
    assert shown["StepStatus"] == "Succeeded", shown
    assert shown["Metadata"]["ClarifyCheck"]["BaselineUsedForDriftCheckConstraints"] == EARLIER.format("pre")


def test_the_job_gets_the_name_of_the_model(machine: Machine) -> None:
    name = {"Std:Join": {"On": "-", "Values": ["churn", 7]}}
    step = clarify_check(machine, CheckType="MODEL_BIAS", ModelName=name, FailOnViolation=False)
    assert run(machine, step)["StepStatus"] == "Succeeded"
    assert json.loads(machine.read(ANALYSIS))["model"] == "churn-7"


def test_a_step_may_be_reused_unless_its_model_changes(machine: Machine) -> None:
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    for model, reused in (("a", False), ("a", True), ("b", False)):
        shown = run(machine, clarify_check(machine, ModelName=model, **cached))
        assert ("CacheHitResult" in shown) is reused, model


def test_later_steps_can_refer_to_the_baseline_of_a_check(machine: Machine) -> None:
    message = {"Get": "Steps.Check.CalculatedBaselineConstraints"}
    execution = machine.run_pipeline([clarify_check(machine), fail("End", message)])
    query = {"PipelineExecutionArn": execution["PipelineExecutionArn"]}
    steps = machine.service.call("ListPipelineExecutionSteps", query)["PipelineExecutionSteps"]
    [end] = [step for step in steps if step["StepName"] == "End"]
    assert end["FailureReason"] == ANALYSIS


def test_without_a_previous_baseline_the_step_says_how_to_make_one(machine: Machine) -> None:
    shown = run(machine, clarify_check(machine, ModelPackageGroupName="none"))
    assert shown["StepStatus"] == "Failed"
    assert shown["FailureReason"].startswith("ClientError: No previous baseline of DATA_BIAS is available")
