"""What a page says when AWS refuses a call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber

from project.target import Target
from studio.app import create_app
from studio.failures import explain
from studio.target import TARGET_KEY
from tests.studio.conftest import ADDRESS, Browser

DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/Reader/me is not authorized to perform: sagemaker:ListPipelines on "
    "resource: arn:aws:sagemaker:us-east-1:123456789012:pipeline/* because no identity-based policy allows the "
    "sagemaker:ListPipelines action"
)


def refused(target: Target, code: str, message: str, **more: Any) -> Any:
    """Return the answer of the list of pipelines if SageMaker refuses it."""
    app = create_app(target)
    with Stubber(app.extensions[TARGET_KEY].sagemaker) as stub:
        stub.add_client_error("list_pipelines", code, message)
        return app.test_client().get("/pipelines", base_url=ADDRESS, **more)


def test_a_missing_permission_names_the_action_and_the_resource(target: Target) -> None:
    response = refused(target, "AccessDeniedException", DENIED)
    assert response.status_code == 403
    assert "lack sagemaker:ListPipelines on arn:aws:sagemaker:us-east-1:123456789012:pipeline/*." in response.text


def test_a_missing_permission_without_details_names_the_operation(target: Target) -> None:
    assert "lack ListPipelines." in refused(target, "AccessDenied", "Access Denied").text


def test_a_throttled_page_says_so_and_loads_again(target: Target) -> None:
    response = refused(target, "ThrottlingException", "Rate exceeded")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "throttling" in response.text
    assert '<meta http-equiv="refresh" content="5">' in response.text
    assert "loads again in 5 seconds" in response.text


def test_a_throttled_part_of_a_page_loads_itself_again(target: Target) -> None:
    response = refused(target, "ThrottlingException", "Rate exceeded", headers={"HX-Request": "true"})
    assert 'hx-trigger="load delay:5s"' in response.text
    assert "<html" not in response.text


def test_a_throttled_action_is_not_repeated_by_itself(target: Target) -> None:
    app = create_app(target)
    browser = Browser(app.test_client())
    page = browser.get("/pipelines/breast-cancer/start")
    with Stubber(app.extensions[TARGET_KEY].sagemaker) as stub:
        stub.add_client_error("describe_model_package", "ThrottlingException", "Rate exceeded")
        response = browser.post("/models/-/approval", page, arn="arn:aws:x", approval="Approved")
    assert response.status_code == 503
    assert "Try again in a few seconds" in response.text
    assert "refresh" not in response.text
    assert "hx-get" not in response.text


def test_what_the_client_refuses_is_the_callers_mistake(browser: Browser) -> None:
    page = browser.get("/s3/not%20a%20bucket", status=400)
    assert "Invalid bucket name" in page
    assert "cannot be reached" not in page


def test_what_does_not_exist_is_not_found(browser: Browser) -> None:
    assert "nothing-here" in browser.get("/pipelines/nothing-here", status=404)
    assert "Not Found" in browser.get("/no/such/page", status=404)


def test_an_account_out_of_reach_is_not_an_internal_error() -> None:
    failure = explain(EndpointConnectionError(endpoint_url="https://api.sagemaker.us-east-1.amazonaws.com"))
    assert failure.status == 502
    assert "api.sagemaker" in failure.message
    # it may come back
    assert failure.retry_seconds


def test_missing_credentials_are_named_and_not_waited_for() -> None:
    failure = explain(NoCredentialsError())
    assert (failure.title, failure.retry_seconds) == ("There are no AWS credentials", 0)


def test_expired_credentials_are_not_a_missing_permission() -> None:
    error = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "The token is expired"}}, "ListThings")
    failure = explain(error)
    assert failure.title == "AWS does not accept the credentials" and "Sign in again" in failure.advice


def test_other_refusals_show_code_and_message() -> None:
    error = ClientError({"Error": {"Code": "ValidationException", "Message": "1 validation error"}}, "CreateThing")
    assert explain(error).title == "CreateThing failed"
    assert explain(error).message == "ValidationException: 1 validation error"


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>"])
def test_names_in_messages_are_escaped(browser: Browser, name: str) -> None:
    page = browser.get(f"/pipelines?name={name}", status=400)
    assert "<script>alert" not in page
    assert "<img" not in page


def test_vendored_scripts_are_the_published_ones() -> None:
    import hashlib

    folder = Path("studio/static/vendor")
    manifest = json.loads((folder / "vendor.json").read_text())
    assert {path.name for path in folder.glob("*.js")} == set(manifest)
    for name, item in manifest.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == item["sha256"]
        assert (folder / f"{name.removesuffix('.js').removesuffix('.min')}.LICENSE").exists()
