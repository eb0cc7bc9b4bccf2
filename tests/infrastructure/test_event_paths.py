"""The templates, deployed into a local SageMaker that runs their rules, alarms and functions."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from infrastructure.functions.environment import DEPLOYING_TAG
from project.paths import REPOSITORY
from tests.infrastructure.local_stage import ENDPOINT, LocalStage, until
from tests.stories.conftest import open_workplace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStage]:
    folder = tmp_path_factory.mktemp("event-paths")
    for workplace in open_workplace(REPOSITORY, folder):
        yield LocalStage(workplace, folder)


@pytest.fixture(scope="module")
def deployed(stage: LocalStage) -> LocalStage:
    """With version 1 approved, deployed and tested."""
    stage.decide(stage.register(), "Approved")
    stage.wait_for_notification("Version 1 of demo was approved", f"{ENDPOINT} is being created")
    stage.wait_for_notification("Version 1 of demo passed its test")
    return stage


def predicted(stage: LocalStage) -> int:
    return int(json.loads(stage.predict().body)["predictions"][0]["prediction"])


def test_an_approved_version_is_deployed_to_an_endpoint(deployed: LocalStage) -> None:
    assert predicted(deployed) == 1
    endpoint = deployed["sagemaker"].describe_endpoint(EndpointName=ENDPOINT)
    tags = deployed["sagemaker"].list_tags(ResourceArn=endpoint["EndpointArn"])["Tags"]
    until(lambda: DEPLOYING_TAG not in str(deployed["sagemaker"].list_tags(ResourceArn=endpoint["EndpointArn"])))
    assert {tag["Key"]: tag["Value"] for tag in tags}["lightgbm-pipelines:project"] == "demo"
    role = json.loads(deployed.infrastructure("status", "--stack", "storage-and-roles", "--json"))[0]["outputs"]
    config = deployed["sagemaker"].describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = deployed["sagemaker"].describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    assert model["ExecutionRoleArn"] == role["EndpointRoleArn"]
    assert endpoint["DataCaptureConfig"]["DestinationS3Uri"] == f"s3://{deployed.bucket}/demo/captures"


def test_rejected_and_deleted_versions_are_not_deployed_and_malformed_events_are_ignored(deployed: LocalStage) -> None:
    calls = deployed.log("deploy-approved").count("START RequestId")
    rejected, deleted = deployed.register(), deployed.register()
    deployed.decide(rejected, "Rejected")
    deployed["sagemaker"].delete_model_package(ModelPackageName=deleted)
    # events arrive in order: when this one has been ignored, those of the versions have been handled
    detail = {"ModelPackageGroupName": "demo", "ModelApprovalStatus": "Approved", "ModelPackageVersion": "two"}
    deployed["events"].put_events(
        Entries=[
            {
                "Source": "aws.sagemaker",
                "DetailType": "SageMaker Model Package State Change",
                "Detail": json.dumps(detail),
            }
        ]
    )
    until(lambda: "ignored: the model package has no version" in deployed.log("deploy-approved"))
    assert deployed.log("deploy-approved").count("START RequestId") == calls + 1
    assert predicted(deployed) == 1


def test_a_version_that_fails_its_test_is_not_promoted_and_the_next_one_is_deployed(deployed: LocalStage) -> None:
    deployed.decide(deployed.register(trouble="assert len(records) == 1"), "Approved")
    message = deployed.wait_for_notification("failed its test")
    assert "batch: HTTP 500" in message
    good = deployed.register()
    deployed.decide(good, "Approved")
    version = int(good.rsplit("/", 1)[1])
    deployed.wait_for_notification(f"Version {version} of demo passed its test")
    assert predicted(deployed) == version


def test_an_endpoint_change_without_a_deployment_is_ignored(deployed: LocalStage) -> None:
    event = {"detail-type": "SageMaker Endpoint State Change", "id": "1", "detail": {"EndpointName": ENDPOINT}}
    answer = deployed["lambda"].invoke(FunctionName=f"{ENDPOINT}-promote", Payload=json.dumps(event))
    outcome = json.load(answer["Payload"])
    assert outcome == {"outcome": "ignored", "message": f"no deployment to endpoint {ENDPOINT} is in progress"}


def test_drift_starts_one_retraining_on_the_newest_data(stage: LocalStage) -> None:
    stage.make_pipelines()
    fresh = f"FreshDataUri=s3://{stage.bucket}/demo/fresh"
    stage.deploy("retrain-on-drift", fresh, f"FreshDataBucketName={stage.bucket}", "CoolDownHours=1")
    stage.put("demo/fresh/2026-03/part.csv", b"a,y\n1,2\n")
    check = stage.check("age drifted")
    message = stage.wait_for_notification("Retraining of demo was started", f"s3://{stage.bucket}/demo/fresh/2026-03")
    assert f"Monitoring of {ENDPOINT} raised an alert: age drifted" in message
    (execution,) = stage.executions()
    parameters = stage["sagemaker"].list_pipeline_parameters_for_execution(
        PipelineExecutionArn=execution["PipelineExecutionArn"]
    )["PipelineParameters"]
    assert {"Name": "InputDataUri", "Value": f"s3://{stage.bucket}/demo/fresh/2026-03"} in parameters
    decision = stage.wait_for_decision(check)
    assert decision["decision"] == "started"
    assert execution["PipelineExecutionArn"] in decision["reason"]

    until(lambda: stage.executions()[0]["PipelineExecutionStatus"] == "Succeeded")
    decision = stage.wait_for_decision(stage.check("age drifted"))
    assert decision["decision"] == "not started"
    assert "the cool-down period of 1 hours ends at" in decision["reason"]
    assert len(stage.executions()) == 1


def test_drift_that_lasts_starts_retraining_once_the_cool_down_period_has_ended(stage: LocalStage) -> None:
    assert stage.wait_for_decision(stage.check("age still drifts"))["decision"] == "not started"
    stage.deploy("retrain-on-drift", "CoolDownHours=0")
    assert stage.wait_for_decision(stage.check("age still drifts"))["decision"] == "started"
    until(lambda: stage.executions()[0]["PipelineExecutionStatus"] == "Succeeded")


def test_checks_without_an_alert_and_of_other_endpoints_start_nothing(stage: LocalStage) -> None:
    count = len(stage.executions())
    stage.check("none")
    until(lambda: "ignored: the check raised no alert" in stage.log("retrain"), lambda: stage.log("retrain"))
    stage.check("age drifted", endpoint="demo-prod")
    until(lambda: "ignored: the check is of endpoint demo-prod" in stage.log("retrain"), lambda: stage.log("retrain"))
    assert len(stage.executions()) == count


def test_an_alert_of_the_endpoint_without_a_stage_starts_retraining(stage: LocalStage) -> None:
    assert stage.wait_for_decision(stage.check("age drifts", endpoint="demo"))["decision"] == "started"
    until(lambda: stage.executions()[0]["PipelineExecutionStatus"] == "Succeeded")


def test_a_running_execution_blocks_and_the_same_event_starts_once(stage: LocalStage) -> None:
    running = stage["sagemaker"].start_pipeline_execution(
        PipelineName="demo",
        PipelineParameters=[{"Name": "Slow", "Value": "yes"}],
        ClientRequestToken="an-execution-that-takes-its-time",
    )["PipelineExecutionArn"]
    decision = stage.wait_for_decision(stage.check("age drifted"))
    assert (decision["decision"], decision["reason"]) == ("not started", f"{running} is running.")
    stage["sagemaker"].stop_pipeline_execution(
        PipelineExecutionArn=running, ClientRequestToken="an-execution-that-takes-its-time"
    )
    until(lambda: all(item["PipelineExecutionStatus"] in ("Stopped", "Succeeded") for item in stage.executions()))

    count = len(stage.executions())
    event = json.dumps({"detail-type": "Scheduled Retraining", "id": "once"})
    for _ in range(2):
        stage["lambda"].invoke(FunctionName=f"{ENDPOINT}-retrain", Payload=event)
        stage.wait_for_notification("Retraining of demo was started", "Retraining is scheduled.")
        until(lambda: stage.executions()[0]["PipelineExecutionStatus"] == "Succeeded")
    assert len(stage.executions()) == count + 1
