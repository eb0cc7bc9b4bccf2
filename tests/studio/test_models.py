"""The pages of model packages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from project.target import Target
from studio.app import create_app
from studio.queries.model_metrics import evaluated_metrics
from studio.target import TARGET_KEY
from tests.studio.conftest import ADDRESS, Browser

TRAINED = "arn:aws:sagemaker:us-east-1:123456789012:model-package/breast-cancer/1"
HOSTILE = "<script>alert(1)</script>"


@contextmanager
def group_of(target: Target, name: str, **package: Any) -> Iterator[str]:
    """Yield the ARN of the only version of a group, which has the artifacts of the trained model."""
    sagemaker = target.sagemaker
    trained = sagemaker.describe_model_package(ModelPackageName=TRAINED)
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    arn = sagemaker.create_model_package(
        ModelPackageGroupName=name, InferenceSpecification=trained["InferenceSpecification"], **package
    )["ModelPackageArn"]
    yield arn
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName=name)


@pytest.fixture
def package(target: Target) -> Iterator[str]:
    with group_of(target, "hostile", ModelPackageDescription=HOSTILE) as arn:
        yield arn


def part(fragment: str, **arguments: str) -> str:
    return f"/models/-/{fragment}?{urlencode(arguments)}"


def test_the_list_has_the_latest_version_of_each_group(browser: Browser) -> None:
    assert 'href="/models/breast-cancer"' in browser.get("/models?name=breast")
    assert "No model package group has a name" in browser.get("/models?name=nothing")
    assert 'href="/models/breast-cancer/1"' in browser.get(part("summary", group="breast-cancer"))


def test_versions_have_a_column_for_each_metric(browser: Browser) -> None:
    page = browser.get("/models/breast-cancer")
    assert re.findall(r'<th scope="col" class="number">(\w+)', page)[:2] == ["auc", "accuracy"]
    cells = browser.get(part("table-metrics", arn=TRAINED, name="auc"))
    assert re.search(r'hx-swap-oob="innerHTML:#metric-1-0">0\.9\d+<', cells)


def test_versions_can_be_filtered_by_their_approval(browser: Browser, package: str) -> None:
    assert "/models/hostile/1" in browser.get("/models/hostile?approval=PendingManualApproval")
    assert "No version is Rejected." in browser.get("/models/hostile?approval=Rejected")


def test_metrics_have_their_intervals_and_splits(browser: Browser) -> None:
    fragment = browser.get(part("metrics", arn=TRAINED))
    assert re.search(r"auc.*quality metric.*\d\.\d+ to \d", fragment, re.DOTALL)
    assert "Validation</th>" in fragment
    assert "summary.json" in fragment


def test_a_file_in_model_monitor_s_format_is_read_for_other_pipelines(target: Target) -> None:
    content = {"regression_metrics": {"mse": {"value": 4.2, "standard_deviation": 0.5}, "r2": {"value": "NaN"}}}
    bucket = target.bucket
    target.s3.put_object(Bucket=bucket, Key="other/evaluation.json", Body=json.dumps(content))
    quality = {"Statistics": {"ContentType": "application/json", "S3Uri": f"s3://{bucket}/other/evaluation.json"}}
    (metric,) = evaluated_metrics(target, {"ModelMetrics": {"ModelQuality": quality}}).metrics
    assert (metric.name, metric.value, metric.deviation) == ("mse", 4.2, 0.5)


def test_metrics_of_a_deleted_file_are_those_of_the_metadata(target: Target) -> None:
    metadata = {"evaluation_summary_uri": f"s3://{target.bucket}/gone/summary.json", "accuracy": "0.93", "author": "me"}
    (metric,) = evaluated_metrics(target, {"CustomerMetadataProperties": metadata}).metrics
    assert (metric.name, metric.value) == ("accuracy", 0.93)


def test_the_lineage_leads_to_the_execution_the_job_and_the_data(browser: Browser) -> None:
    fragment = browser.get(part("lineage", arn=TRAINED))
    assert re.search(r'href="/executions/breast-cancer[^"]*/\w+"', fragment)
    assert re.search(r'href="/jobs/training-job/pipelines-\w+-train-[\w-]+"', fragment, re.IGNORECASE)
    assert re.search(r'href="/s3/[^"]+data\.csv"', fragment)


def test_a_model_from_elsewhere_has_no_lineage(browser: Browser, target: Target) -> None:
    image = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1", "ModelDataUrl": "s3://b/own.tar.gz"}
    arn = target.sagemaker.create_model_package(
        ModelPackageName="unversioned",
        InferenceSpecification={
            "Containers": [image],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    page = browser.get("/models/-/package/unversioned")
    assert "<h1>unversioned</h1>" in page
    assert "Approve" not in page
    assert "No execution or training job" in browser.get(part("lineage", arn=arn))
    assert "no metrics" in browser.get(part("metrics", arn=arn))
    assert "no HTML reports" in browser.get(part("reports", arn=arn))


def test_reports_are_in_a_sandbox(browser: Browser) -> None:
    fragment = browser.get(part("reports", arn=TRAINED))
    assert "evaluate/report/report.html" in fragment
    frame = re.search(r'<iframe sandbox="allow-scripts" [^>]*src="([^"]+)"', fragment)
    assert frame
    report = browser.client.get(frame[1].replace("&amp;", "&"), base_url=ADDRESS)
    assert report.headers["Content-Security-Policy"].startswith("sandbox allow-scripts;")
    assert report.mimetype == "text/html"


def test_texts_of_a_package_are_escaped(browser: Browser, package: str) -> None:
    for address in ("/models/hostile", "/models/hostile/1"):
        page = browser.get(address)
        assert HOSTILE not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_an_approval_with_a_comment_shows_on_the_page(browser: Browser, target: Target, package: str) -> None:
    page = browser.get("/models/hostile/1")
    response = browser.post(
        "/models/-/approval", page, arn=package, approval="Approved", comment=f"two\nlines {HOSTILE}"
    )
    assert (response.status_code, response.location) == (303, "/models/hostile/1")
    described = target.sagemaker.describe_model_package(ModelPackageName=package)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ApprovalDescription"] == f"two lines {HOSTILE}"
    page = browser.get(response.location)
    assert "“<bdi>two lines &lt;script&gt;" in page
    assert "Approve…" not in page
    assert "Reject…" in page
    # the comment was about the approval
    browser.post("/models/-/approval", page, arn=package, approval="Rejected", comment="")
    assert not target.sagemaker.describe_model_package(ModelPackageName=package).get("ApprovalDescription")


def test_an_unknown_approval_status_is_refused(browser: Browser, package: str) -> None:
    page = browser.get("/models/hostile/1")
    assert browser.post("/models/-/approval", page, arn=package, approval="Perhaps").status_code == 400


def test_nothing_can_be_approved_in_a_read_only_studio(target: Target, package: str) -> None:
    page = create_app(target, read_only=True).test_client().get("/models/hostile/1", base_url=ADDRESS)
    assert page.status_code == 200
    assert "Approve…" not in page.text


def test_the_confirmation_names_the_rules_that_the_approval_triggers(
    browser: Browser, target: Target, package: str
) -> None:
    assert "No EventBridge rule matches" in browser.get(part("consequences", arn=package, approval="Approved"))
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": ["hostile"], "ModelApprovalStatus": ["Approved"]},
    }
    pipeline = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/breast-cancer"
    role = "arn:aws:iam::123456789012:role/events"
    others = {**pattern, "detail": {"ModelPackageGroupName": ["other"]}}
    for name, given, state in (
        ("matches", pattern, "ENABLED"),
        ("others", others, "ENABLED"),
        ("off", pattern, "DISABLED"),
    ):
        target.events.put_rule(Name=name, EventPattern=json.dumps(given), State=state)
    target.events.put_targets(Rule="matches", Targets=[{"Id": "p", "Arn": pipeline, "RoleArn": role}])
    try:
        approved = browser.get(part("consequences", arn=package, approval="Approved"))
        rejected = browser.get(part("consequences", arn=package, approval="Rejected"))
    finally:
        target.events.remove_targets(Rule="matches", Ids=["p"])
        for name in ("matches", "others", "off"):
            target.events.delete_rule(Name=name)
    assert "1 rule of EventBridge will start its targets" in approved
    assert '<strong>matches</strong>: <a href="/pipelines/breast-cancer">' in approved
    assert "No EventBridge rule matches" in rejected


def test_endpoints_are_found_by_their_models(target: Target) -> None:
    app = create_app(target)
    now = datetime.now(UTC)
    arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/churn"
    model = {"ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/m1", "ModelName": "m1", "CreationTime": now}
    summary = {
        "EndpointName": "churn",
        "EndpointArn": arn,
        "CreationTime": now,
        "LastModifiedTime": now,
        "EndpointStatus": "InService",
    }
    config = {
        "EndpointConfigName": "c1",
        "EndpointConfigArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/c1",
        "ProductionVariants": [{"VariantName": "blue", "ModelName": "m1"}],
        "CreationTime": now,
    }
    with Stubber(app.extensions[TARGET_KEY].sagemaker) as stub:
        stub.add_response("list_endpoints", {"Endpoints": [summary]})
        stub.add_response("describe_endpoint", {**summary, "EndpointConfigName": "c1"})
        stub.add_response("describe_endpoint_config", config)
        stub.add_response("describe_model", {**model, "PrimaryContainer": {"ModelPackageName": TRAINED}})
        page = app.test_client().get(part("table-serving", group="breast-cancer"), base_url=ADDRESS).text
    assert re.search(r'#serving-1">.*href="/endpoints/churn"', page, re.DOTALL)


def test_no_permission_to_describe_versions_leaves_their_list(target: Target) -> None:
    app = create_app(target)
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "DescribeModelPackage")

    def deny(**_: object) -> None:
        raise denied

    app.extensions[TARGET_KEY].sagemaker.meta.events.register("before-call.sagemaker.DescribeModelPackage", deny)
    assert "/models/breast-cancer/1" in Browser(app.test_client()).get("/models/breast-cancer")


def test_no_permission_for_reports_leaves_the_rest_of_the_page(target: Target, package: str) -> None:
    app = create_app(target)
    with Stubber(app.extensions[TARGET_KEY].s3) as stub:
        for _ in range(3):
            stub.add_client_error("list_objects_v2", "AccessDenied", "Access Denied")
        browser = app.test_client()
        headers = {"HX-Request": "true"}
        fragment = browser.get(part("reports", arn=TRAINED), base_url=ADDRESS, headers=headers)
        assert fragment.status_code == 403
        assert "lack s3:ListBucket" in fragment.text
        assert browser.get("/models/breast-cancer/1", base_url=ADDRESS).status_code == 200
