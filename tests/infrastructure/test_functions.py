"""Handlers, invoked as Lambda does: the events they ignore, and the data they choose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from infrastructure.functions import deploy_approved, promote, retrain

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=10,
)
NEARLY = st.fixed_dictionaries(
    {
        "detail-type": st.sampled_from(
            [
                "SageMaker Model Package State Change",
                "SageMaker Endpoint State Change",
                "SageMaker Model Building Pipeline Execution Status Change",
                "Scheduled Retraining",
            ]
        ),
        "id": JSON.filter(lambda value: not isinstance(value, str)),
        "detail": JSON,
    }
)
EXECUTION = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline"
APPROVED = {"ModelPackageGroupName": "demo", "ModelApprovalStatus": "Approved", "ModelPackageVersion": 2}


@pytest.fixture(scope="module", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("task")
    (folder / "settings.yaml").write_text(
        "{name: demo, problem_type: Regression, data: {target_column: y}, quality: {metric: rmse, threshold: 1}}"
    )
    variables = {
        "LAMBDA_TASK_ROOT": str(folder),
        "STAGE": "staging",
        "MONITORING_PIPELINE": "demo-monitoring",
        "BUCKET": "bucket",
        "ENDPOINT_ROLE_ARN": "arn:aws:iam::123456789012:role/endpoints",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.mark.parametrize("handler", [deploy_approved.handler, promote.handler, retrain.handler])
@given(event=JSON | NEARLY)
def test_malformed_events_are_ignored_without_an_exception(handler: Any, event: Any) -> None:
    assert handler(event, None)["outcome"] == "ignored"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ModelPackageGroupName": "other"}, "not in group demo"),
        ({"ModelApprovalStatus": "Rejected"}, "not approved"),
        ({"ModelApprovalStatus": "PendingManualApproval"}, "not approved"),
        ({"UpdatedModelPackageFields": ["ModelLifeCycle"]}, "was already approved"),
        ({"ModelPackageVersion": "2"}, "no version"),
    ],
)
def test_only_a_new_approval_in_the_projects_group_is_deployed(change: dict[str, Any], why: str) -> None:
    event = {"detail-type": "SageMaker Model Package State Change", "detail": {**APPROVED, **change}}
    answer = deploy_approved.handler(event, None)
    assert (answer["outcome"], why in answer["message"]) == ("ignored", True)


@pytest.mark.parametrize(
    ("detail", "why"),
    [
        ({"pipelineExecutionArn": f"{EXECUTION}/demo/execution/1"}, "not an execution of the project's monitoring"),
        (
            {
                "pipelineExecutionArn": f"{EXECUTION}/demo-monitoring/execution/1",
                "currentPipelineExecutionStatus": "Failed",
            },
            "has not succeeded",
        ),
    ],
)
def test_only_a_check_that_succeeded_starts_retraining(detail: dict[str, Any], why: str) -> None:
    answer = retrain.handler({"detail-type": retrain.CHECK, "id": "1", "detail": detail}, None)
    assert (answer["outcome"], why in answer["message"]) == ("ignored", True)


def test_a_change_of_another_endpoint_is_ignored() -> None:
    event = {"detail-type": "SageMaker Endpoint State Change", "id": "1", "detail": {"EndpointName": "demo-prod"}}
    assert promote.handler(event, None)["message"] == "the event is not a state change of endpoint demo-staging"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="fresh")
        yield client


def put(s3: Any, *keys: str) -> None:
    for key in keys:
        s3.put_object(Bucket="fresh", Key=key, Body=b"" if key.endswith("/") else b"a,b\n1,2\n")


def test_the_most_recently_changed_dataset_is_used(s3: Any) -> None:
    put(s3, "demo/2026-02/part-1.csv", "demo/2026-01/part-1.csv", "elsewhere/late.csv")
    # S3 times have a resolution of a second
    newest = s3.head_object(Bucket="fresh", Key="demo/2026-01/part-1.csv")["LastModified"]
    old = s3.head_object(Bucket="fresh", Key="demo/2026-02/part-1.csv")["LastModified"]
    expected = "2026-01" if newest > old else "2026-02"
    for location in ("s3://fresh/demo", "s3://fresh/demo/"):
        assert retrain.newest_data(s3, location) == f"s3://fresh/demo/{expected}"


def test_a_file_is_a_dataset_and_an_empty_folder_is_not(s3: Any) -> None:
    put(s3, "demo/", "demo/empty/")
    assert retrain.newest_data(s3, "s3://fresh/demo") is None
    put(s3, "demo/march.csv")
    assert retrain.newest_data(s3, "s3://fresh/demo") == "s3://fresh/demo/march.csv"
    assert retrain.newest_data(s3, "s3://fresh") == "s3://fresh/demo"
