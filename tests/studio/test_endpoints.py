"""Endpoints in Studio: the list, one endpoint, its metrics and captured requests, and the form that sends a record."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import boto3
import pytest
from botocore.stub import Stubber

from project.target import Target
from studio.app import create_app
from studio.queries import captures, endpoints
from studio.queries.containers import Container, container_of
from studio.queries.invocation import Field, read_fields, record_of
from studio.queries.variants import Variant, capture_of, describe_variants
from tests.stories.workplace import BREAST_CANCER, Workplace
from tests.studio.conftest import ADDRESS, Browser, connected

NAME = "breast-cancer"
SETTINGS = ("--local", "--settings", BREAST_CANCER)


@pytest.fixture(scope="module", autouse=True)
def endpoint(workplace: Workplace) -> Iterator[str]:
    """The project's model as an endpoint."""
    approved = workplace.pipelines("approve", "1", *SETTINGS)
    assert approved.code == 0, approved.stderr
    deployed = workplace.deployment("deploy", *SETTINGS)
    assert deployed.code == 0, deployed.stderr
    yield NAME
    with connected(workplace) as target:
        target.sagemaker.delete_endpoint(EndpointName=NAME)
        version = target.sagemaker.list_model_packages(ModelPackageGroupName=NAME)["ModelPackageSummaryList"][-1]
        target.sagemaker.update_model_package(
            ModelPackageArn=version["ModelPackageArn"], ModelApprovalStatus="PendingManualApproval"
        )


def fields(form: str) -> dict[str, str]:
    """Return the features of a form with their values, and their kinds."""
    inputs = re.findall(r'<input[^>]* name="((?:kind|feature)\.[^"]+)"[^>]* value="([^"]*)"', form)
    return {html.unescape(name): html.unescape(value) for name, value in inputs}


def send(browser: Browser, **form: str) -> str:
    """Send a form to the endpoint, as htmx does, and return the answer."""
    page = browser.get(f"/endpoints/{NAME}/form")
    token = re.search(r'name="action_token" value="([^"]+)"', page)
    assert token
    response = browser.client.post(
        f"/endpoints/{NAME}/invoke",
        base_url=ADDRESS,
        data={"action_token": token[1], **form},
        headers={"HX-Request": "true"},
    )
    assert response.status_code == 200, response.text
    return response.text


def test_endpoints_are_listed_with_their_models_and_capacity(browser: Browser) -> None:
    page = browser.get("/endpoints")
    assert f'<a href="/endpoints/{NAME}">{NAME}</a>' in page
    assert "InService" in page
    cells = browser.get(f"/endpoints/{NAME}/summary")
    assert f'<a href="/models/{NAME}/1">{NAME} version 1</a>' in cells
    assert "1 × ml.m5.large" in cells  # noqa: RUF001
    assert NAME not in browser.get("/endpoints?status=Failed")


def test_an_endpoint_shows_its_variants_and_captures(browser: Browser) -> None:
    page = browser.get(f"/endpoints/{NAME}")
    assert "100 % of the requests, by SageMaker" in page
    assert "sse-connect" not in page
    assert "1 to 2" in browser.get(f"/endpoints/{NAME}/scaling?variant=champion")
    assert "Not found" in browser.get("/endpoints/missing", status=404)
    browser.get(f"/endpoints/{NAME}?tab=unknown", status=404)


def test_the_form_has_the_features_of_the_model_and_the_answer_its_explanation(browser: Browser) -> None:
    form = browser.get(f"/endpoints/{NAME}/form")
    assert "Filled with record 1 of 100 of the evaluation" in form
    sent = fields(form)
    assert sent["kind.mean_radius"] == "number"
    answer = send(browser, **sent, explain="on", test="on")
    expected = re.search(r"predicted <strong>(\w+)</strong> with probability ([\d.]+)\.", form)
    assert expected
    assert f"<dt>label</dt><dd>{expected[1]}</dd>" in answer
    assert f"<dt>probability</dt><dd>{expected[2]}</dd>" in answer
    assert "Contributions of the features to the raw score" in answer
    assert "<strong>" in browser.get(f"/endpoints/{NAME}/form?sample=101")


def test_csv_is_sent_as_it_is_and_errors_of_the_model_are_shown(browser: Browser) -> None:
    answer = send(browser, body="1,2", content_type="text/csv", accept="application/json")
    assert "row 1 has 2 values, but the model has 30 features" in answer
    assert "Correct the request" in answer


def test_captured_requests_are_shown_newest_first(browser: Browser, target: Target) -> None:
    for number in range(3):
        send(browser, body=json.dumps({"mean_radius": number}), content_type="application/json", test="on")
    uri = captured_uri(target)
    deadline = time.monotonic() + 10
    while '"mean_radius": 2' not in newest(target, uri) and time.monotonic() < deadline:
        time.sleep(0.1)
    page = browser.get(f"/endpoints/{NAME}/requests?{urlencode({'uri': uri})}")
    assert page.index("&#34;mean_radius&#34;: 2") < page.index("&#34;mean_radius&#34;: 1")
    assert '<span class="tag">test</span>' in page


def test_invocations_errors_and_latency_are_plotted(browser: Browser, target: Target) -> None:
    dimensions = [{"Name": "EndpointName", "Value": "plotted"}, {"Name": "VariantName", "Value": "a"}]
    common = {"Dimensions": dimensions, "Timestamp": datetime.now(UTC)}
    data = [
        {"MetricName": "Invocations", "Values": [1.0], "Counts": [1.0], **common},
        {"MetricName": "Invocation5XXErrors", "Value": 1.0, **common},
        {"MetricName": "ModelLatency", "Values": [2000.0, 4000.0], **common},
    ]
    target.cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=data)
    page = browser.get("/endpoints/plotted/metrics?variant=a&range=6h")
    assert "<dt>5XX errors</dt><dd>1</dd>" in page
    assert "model, 99th percentile" in page
    assert "3.98" in page
    empty = browser.get("/endpoints/quiet/metrics?variant=a")
    assert "python -m deployment traffic --local --endpoint quiet" in empty


def test_a_read_only_studio_sends_no_requests(target: Target) -> None:
    browser = Browser(create_app(target, read_only=True).test_client())
    page = browser.get(f"/endpoints/{NAME}?tab=invoke")
    assert "sends no requests" in page
    response = browser.client.post(f"/endpoints/{NAME}/invoke", base_url=ADDRESS, data={"body": "1"})
    assert response.status_code == 403


def test_features_that_are_left_empty_are_missing_and_numbers_are_numbers() -> None:
    schema = [Field("age", "number", ()), Field("zip", "category", ("007",)), Field("plan", "category", ())]
    assert record_of(schema, {"age": " 31.5 ", "zip": "007", "plan": ""}) == {"age": 31.5, "zip": "007"}
    assert record_of(schema, {"age": "old"}) == {"age": "old"}


def test_model_files_are_named_by_either_member_of_a_container() -> None:
    uri = "s3://bucket/model.tar.gz"
    source = {"S3Uri": uri, "S3DataType": "S3Object", "CompressionType": "Gzip"}
    for definition in ({"ModelDataUrl": uri}, {"ModelDataSource": {"S3DataSource": source}}):
        assert container_of(definition).model_uri == uri
    assert container_of({"ModelPackageName": "arn:p"}).model_uri == ""


def test_models_of_others_have_no_fields(target: Target) -> None:
    variant = Variant("a", "m", (Container("", "image", "s3://other/model.bin", {}),), "", 1, 1, "", "", False)
    assert read_fields(target, variant) == ()


def test_a_missing_permission_for_autoscaling_is_shown_in_its_place(target: Target) -> None:
    client = boto3.client("application-autoscaling", region_name="us-east-1")
    denied = "User: u is not authorized to perform: application-autoscaling:DescribeScalableTargets"
    with Stubber(client) as stubber, patch.object(Target, "autoscaling", client):
        stubber.add_client_error("describe_scalable_targets", "AccessDeniedException", denied, 400)
        page = Browser(create_app(target).test_client())
        response = page.client.get(
            f"/endpoints/{NAME}/scaling?variant=champion", base_url=ADDRESS, headers={"HX-Request": "true"}
        )
    assert "Your credentials lack application-autoscaling:DescribeScalableTargets" in response.text
    assert "<html" not in response.text


def test_variants_are_shown_without_the_permission_to_describe_their_models(target: Target) -> None:
    denied = "User: u is not authorized to perform: sagemaker:DescribeModel"
    endpoint = endpoints.describe_endpoint(target, NAME)
    with Stubber(target.sagemaker) as stubber:
        variant = {"VariantName": "a", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        config = {
            "EndpointConfigName": "c",
            "EndpointConfigArn": "arn:aws:sagemaker:us-east-1:111122223333:endpoint-config/c",
            "ProductionVariants": [variant],
            "CreationTime": datetime.now(UTC),
        }
        stubber.add_response("describe_endpoint_config", config)
        stubber.add_client_error("describe_model", "AccessDeniedException", denied, 400)
        found = next(item for item in describe_variants(target, endpoint) if item.name == "a")
    assert found.capacity == "1 × ml.m5.large"  # noqa: RUF001
    assert found.unknown == "Your credentials lack sagemaker:DescribeModel."


def test_an_endpoint_that_is_updated_is_followed_live(target: Target) -> None:
    description: dict[str, Any] = {
        "EndpointName": "e",
        "EndpointArn": "arn:aws:sagemaker:us-east-1:111122223333:endpoint/e",
        "EndpointStatus": "Updating",
        "EndpointConfigName": "gone",
        "CreationTime": datetime.now(UTC),
        "LastModifiedTime": datetime.now(UTC),
        "ProductionVariants": [
            {"VariantName": "a", "CurrentWeight": 3.0, "DesiredWeight": 1.0, "CurrentInstanceCount": 1},
            {"VariantName": "b", "CurrentWeight": 1.0, "DesiredWeight": 1.0, "DesiredInstanceCount": 2},
        ],
        "PendingDeploymentSummary": {"EndpointConfigName": "next"},
    }
    client = boto3.client("sagemaker", region_name="us-east-1")
    with Stubber(client) as stubber, patch.object(Target, "sagemaker", client):
        stubber.add_response("describe_endpoint", description)
        stubber.add_client_error("describe_endpoint_config", "ValidationException", "Could not find", 400)
        page = Browser(create_app(target).test_client()).get("/endpoints/e")
    assert 'sse-connect="/endpoints/e/events"' in page
    assert "Being updated to the configuration next" in page
    assert "75 %" in page
    assert "changing to 50 %" in page


def captured_uri(target: Target) -> str:
    endpoint = endpoints.describe_endpoint(target, NAME)
    capture = capture_of(endpoint, describe_variants(target, endpoint))
    assert capture
    return capture.uri


def newest(target: Target, uri: str) -> str:
    page = captures.newest_requests(target, uri, 1)
    request = page.items[0].request if page.items else None
    return request.text if request else ""
