"""The definition of the batch-inference pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from pipelines.batch_inference.pipeline import get_pipeline
from project.settings import Settings

ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
MakeSettings = Callable[..., Settings]
# the request shape of each step type, and the member that an execution adds
REQUESTS = {
    "Model": ("CreateModelInput", "ModelName"),
    "Transform": ("CreateTransformJobRequest", "TransformJobName"),
    "Processing": ("CreateProcessingJobRequest", "ProcessingJobName"),
}


def steps(settings: Settings) -> dict[str, dict[str, Any]]:
    content = json.loads(get_pipeline(settings, ROLE, "bucket", "us-east-1").definition())
    return {step["Name"]: step for step in content["Steps"]}


def plain(value: Any) -> Any:
    """Replace references by valid values."""
    if isinstance(value, dict):
        return (
            "s3://bucket/x" if value.keys() & {"Get", "Std:Join"} else {key: plain(item) for key, item in value.items()}
        )
    return [plain(item) for item in value] if isinstance(value, list) else value


def test_a_model_package_predicts_and_its_input_is_checked(make_settings: MakeSettings) -> None:
    found = steps(make_settings())
    assert list(found) == ["CreateModel", "Transform", "CheckDataQuality"]
    (container,) = found["CreateModel"]["Arguments"]["Containers"]
    assert container == {"ModelPackageName": {"Get": "Parameters.ModelPackageArn"}}
    transform = found["Transform"]["Arguments"]
    assert transform["ModelName"] == {"Get": "Steps.CreateModel.ModelName"}
    assert transform["DataCaptureConfig"]["DestinationS3Uri"] == "s3://bucket/demo/batch-captures"
    data = found["CheckDataQuality"]["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"]
    assert data == {"Get": "Steps.Transform.TransformInput.DataSource.S3DataSource.S3Uri"}


def test_a_batch_may_have_unknown_features_if_requests_may(make_settings: MakeSettings) -> None:
    found = steps(make_settings(deployment={"unknown_features": "ignore"}))
    (container,) = found["CreateModel"]["Arguments"]["Containers"]
    assert container["Environment"] == {"UNKNOWN_FEATURES": "ignore"}


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {
            "security": {
                "kms_key": "arn:aws:kms:us-east-1:123456789012:key/1234",
                "subnets": ["subnet-1"],
                "security_group_ids": ["sg-1"],
                "network_isolation": True,
            },
            "tags": {"team": "risk"},
        },
    ],
    ids=["plain", "guarded"],
)
def test_every_request_is_valid_by_the_api_model(make_settings: MakeSettings, sections: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    for step in steps(make_settings(**sections)).values():
        shape, name = REQUESTS[step["Type"]]
        report = ParamValidator().validate(plain(step["Arguments"]) | {name: "name"}, model.shape_for(shape))
        assert not report.has_errors(), report.generate_report()
