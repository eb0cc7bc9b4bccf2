"""The templates at work: deployed into a local SageMaker, whose events, alarms and functions are real."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from infrastructure.functions.project import DEPLOYING_TAG
from project.paths import REPOSITORY
from tests.infrastructure.place import ENDPOINT, Place, until
from tests.stories.conftest import open_workplace


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("event-paths")
    for workplace in open_workplace(REPOSITORY, folder):
        yield Place(workplace, folder)


@pytest.fixture(scope="module")
def deployed(place: Place) -> Place:
    """With version 1 approved, deployed and found good."""
    place.decide(place.register(), "Approved")
    place.hears("Version 1 of demo is approved", f"{ENDPOINT} is being created")
    place.hears("Version 1 of demo is good", "It passes its test.")
    return place


def predicted(place: Place) -> int:
    return int(json.loads(place.predict().body)["predictions"][0]["prediction"])


def test_an_approved_version_becomes_an_endpoint_that_answers(deployed: Place) -> None:
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


def test_rejected_and_deleted_versions_deploy_nothing_and_malformed_events_are_dropped(deployed: Place) -> None:
    calls = deployed.log("deploy-approved").count("START RequestId")
    rejected, deleted = deployed.register(), deployed.register()
    deployed.decide(rejected, "Rejected")
    deployed["sagemaker"].delete_model_package(ModelPackageName=deleted)
    # events come in order: when this one has been dropped, those of the versions would have been acted on
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
    until(lambda: "dropped: the model package has no version" in deployed.log("deploy-approved"))
    assert deployed.log("deploy-approved").count("START RequestId") == calls + 1
    assert predicted(deployed) == 1


def test_a_version_that_fails_its_test_goes_no_further_and_the_next_good_one_does(deployed: Place) -> None:
    deployed.decide(deployed.register(trouble="assert len(records) == 1"), "Approved")
    message = deployed.hears("fails its test")
    assert "batch: HTTP 500" in message
    good = deployed.register()
    deployed.decide(good, "Approved")
    version = int(good.rsplit("/", 1)[1])
    deployed.hears(f"Version {version} of demo is good")
    assert predicted(deployed) == version


def test_an_endpoint_that_settles_without_a_deployment_is_left_alone(deployed: Place) -> None:
    event = {"detail-type": "SageMaker Endpoint State Change", "id": "1", "detail": {"EndpointName": ENDPOINT}}
    answer = deployed["lambda"].invoke(FunctionName=f"{ENDPOINT}-promote", Payload=json.dumps(event))
    outcome = json.load(answer["Payload"])
    assert outcome == {"outcome": "dropped", "message": f"no deployment to {ENDPOINT} is under way"}


def test_drift_starts_one_retraining_on_the_newest_data(place: Place) -> None:
    place.make_pipeline()
    fresh = f"FreshDataUri=s3://{place.bucket}/demo/fresh"
    place.deploy("retrain-on-drift", fresh, f"FreshDataBucketName={place.bucket}", "CoolDownHours=1")
    place.put("demo/fresh/2026-03/part.csv", b"a,y\n1,2\n")
    place.ring()
    message = place.hears("demo is retrained", f"s3://{place.bucket}/demo/fresh/2026-03")
    assert f"retrain-{ENDPOINT} rings" in message
    (execution,) = place.executions()
    parameters = place["sagemaker"].list_pipeline_parameters_for_execution(
        PipelineExecutionArn=execution["PipelineExecutionArn"]
    )["PipelineParameters"]
    assert {"Name": "InputDataUri", "Value": f"s3://{place.bucket}/demo/fresh/2026-03"} in parameters

    until(lambda: place.executions()[0]["PipelineExecutionStatus"] == "Succeeded")
    place.ring()
    place.hears("demo is not retrained", "the cool-down is 1 hours")
    assert len(place.executions()) == 1


def test_a_running_execution_blocks_and_the_same_event_starts_once(place: Place) -> None:
    place.deploy("retrain-on-drift", "CoolDownHours=0")
    running = place["sagemaker"].start_pipeline_execution(
        PipelineName="demo",
        PipelineParameters=[{"Name": "Slow", "Value": "yes"}],
        ClientRequestToken="an-execution-that-takes-its-time",
    )["PipelineExecutionArn"]
    place.ring()
    place.hears("demo is not retrained", f"{running} is running")
    place["sagemaker"].stop_pipeline_execution(
        PipelineExecutionArn=running, ClientRequestToken="an-execution-that-takes-its-time"
    )
    until(lambda: all(one["PipelineExecutionStatus"] in ("Stopped", "Succeeded") for one in place.executions()))

    count = len(place.executions())
    event = json.dumps({"detail-type": "Scheduled Retraining", "id": "once"})
    for _ in range(2):
        place["lambda"].invoke(FunctionName=f"{ENDPOINT}-retrain", Payload=event)
        place.hears("demo is retrained", "It is time by the schedule.")
        until(lambda: place.executions()[0]["PipelineExecutionStatus"] == "Succeeded")
    assert len(place.executions()) == count + 1
