"""Stacks after a restart of the server, also of one that was killed in the middle of a request."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from local_sagemaker.http.background import ensure_server, stop_server
from local_sagemaker.storage.database import Database
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.machine import ROLE
from tests.local_sagemaker.services.cloudformation.test_stacks import (
    MISSING_MODEL,
    body,
    model,
    outputs,
    pipeline,
    reasons,
    status,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_server(tmp_path)


def group(name: str) -> tuple[str, dict[str, str]]:
    return "SageMaker::ModelPackageGroup", {"ModelPackageGroupName": name}


def append(folder: Path, **members: str) -> None:
    """Write a request to the journal as a server does that is killed before it has executed it."""
    entry = {
        "seed": 1,
        "region": "us-east-1",
        "service": "cloudformation",
        "operation": members["Action"],
        "method": "POST",
        "path": "/",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        "body": base64.b64encode(urlencode(members).encode()).decode(),
        "pending": True,
    }
    database = Database(folder / "state.sqlite")
    with database.transaction() as connection:
        connection.execute("INSERT INTO moto_journal (entry) VALUES (?)", [json.dumps(entry)])
    database.close()


def test_stacks_are_as_they_were_and_interrupted_requests_are_carried_on(folder: Path) -> None:
    cloudformation = make_client(ensure_server(folder), "cloudformation")
    cloudformation.create_stack(StackName="good", TemplateBody=body(P=pipeline("p"), M=model(A="1")))
    cloudformation.update_stack(StackName="good", TemplateBody=body(P=pipeline("p"), M=model(A="2")))
    before = outputs(cloudformation, "good")
    broken = body(G=group("g"), M=("SageMaker::Model", {"ExecutionRoleArn": ROLE, **MISSING_MODEL}))
    cloudformation.create_stack(StackName="bad", TemplateBody=broken)
    s3 = make_client(ensure_server(folder), "s3")
    cloudformation.create_stack(StackName="full", TemplateBody=body(B=("S3::Bucket", {"BucketName": "full"})))
    s3.put_object(Bucket="full", Key="key", Body=b"")
    cloudformation.delete_stack(StackName="full")
    stop_server(folder)
    append(folder, Action="CreateStack", StackName="new", TemplateBody=body(G=group("new"), T=("SNS::Topic", {})))
    append(folder, Action="CreateStack", StackName="new-bad", TemplateBody=broken)

    for _ in range(2):
        server = ensure_server(folder)
        cloudformation, sagemaker = make_client(server, "cloudformation"), make_client(server, "sagemaker")
        found = {name: status(cloudformation, name) for name in ("good", "bad", "full", "new", "new-bad")}
        assert found == {
            "good": "UPDATE_COMPLETE",
            "bad": "ROLLBACK_COMPLETE",
            "full": "DELETE_FAILED",
            "new": "CREATE_COMPLETE",
            "new-bad": "ROLLBACK_COMPLETE",
        }
        assert outputs(cloudformation, "good") == before
        assert "Could not find model data" in reasons(cloudformation, "bad", "CREATE_FAILED")["M"]
        assert sagemaker.describe_model_package_group(ModelPackageGroupName="new")
        groups = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
        assert [item["ModelPackageGroupName"] for item in groups] == ["new"]
        models = [item["ModelName"] for item in sagemaker.list_models()["Models"]]
        assert [name.lower() for name in models] == [before["M"].rpartition("/")[2]]
        stop_server(folder)
