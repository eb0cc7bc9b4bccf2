"""Finish a deployment when the endpoint of the stage is stable: test the endpoint, and promote the version.

`deploy_approved` tags the endpoint with the version that it deploys. Without the tag the endpoint changed for another
reason, such as scaling, and the event is ignored.
"""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.exceptions import ClientError

from deployment.checks import Check, EndpointTest
from deployment.deploy import DeploymentFailed, wait_for_deployment
from deployment.endpoints import FAILED, Endpoint, find_endpoint
from deployment.plan import Plan
from deployment.records import Records, read_records, training_records
from infrastructure.functions.environment import DEPLOYING_TAG, endpoint_name, load_project, plan_version
from infrastructure.functions.notifications import Result, ignore, log, notify
from project.errors import UserError
from project.settings import Settings
from project.target import Target

# a small load test; `python -m deployment test` has more
_REQUESTS, _CLIENTS = 50, 4


def handler(event: Any, context: Any) -> Result:
    settings, target = load_project()
    name = endpoint_name(settings)
    detail = event.get("detail") if isinstance(event, dict) else None
    if not isinstance(detail, dict) or detail.get("EndpointName") != name or not isinstance(event.get("id"), str):
        return ignore(f"the event is not a state change of endpoint {name}")
    endpoint = find_endpoint(target, name)
    if endpoint is None or not endpoint.is_stable:
        return ignore(f"endpoint {name} is now {endpoint.status if endpoint else 'deleted'}")
    version = _version_in_deployment(target, endpoint)
    if version is None:
        return ignore(f"no deployment to endpoint {name} is in progress")
    model = f"Version {version} of {settings.model_package_group}"
    try:
        plan = plan_version(settings, target, version)
        wait_for_deployment(settings, target, plan, "created" if endpoint.status == FAILED else "updated", 0, log.info)
        failed = _failed_checks(settings, target, endpoint, plan)
    except (UserError, DeploymentFailed) as error:
        result = notify("failed", f"{model} was not deployed to {name}", str(error))
    else:
        if failed:
            details = "\n".join(f"{check.name}: {check.detail}" for check in failed)
            result = notify("test failed", f"{model} failed its test on {name}", details)
        else:
            result = _promote(model, name, version, event["id"])
    # an endpoint that could not be created has been deleted
    if find_endpoint(target, name) is not None:
        target.sagemaker.delete_tags(ResourceArn=endpoint.arn, TagKeys=[DEPLOYING_TAG])
    return result


def _version_in_deployment(target: Target, endpoint: Endpoint) -> int | None:
    """Return the version that is being deployed, or None."""
    pages = target.sagemaker.get_paginator("list_tags").paginate(ResourceArn=endpoint.arn)
    tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    return int(tags[DEPLOYING_TAG]) if DEPLOYING_TAG in tags else None


def _failed_checks(settings: Settings, target: Target, endpoint: Endpoint, plan: Plan) -> list[Check]:
    """Run the checks of `python -m deployment test`, without waiting for captured data; return those that failed."""
    test = EndpointTest(target, endpoint, _records(settings, target, plan), _REQUESTS, _CLIENTS, None)
    return [check for check in test.run() if not check.passed]


def _records(settings: Settings, target: Target, plan: Plan) -> Records:
    location = os.environ["TEST_RECORDS_URI"]
    if location:
        return read_records(settings, target, location)
    return training_records(settings, target, plan.variants[0].package)


def _promote(model: str, endpoint: str, version: int, event_id: str) -> Result:
    pipeline = os.environ["PROMOTION_PIPELINE"]
    if not pipeline:
        return notify("test passed", f"{model} passed its test on {endpoint}", "No promotion pipeline is configured.")
    try:
        boto3.client("codepipeline").start_pipeline_execution(
            name=pipeline,
            variables=[{"name": "MODEL_PACKAGE_VERSION", "value": str(version)}],
            # EventBridge may deliver an event more than once
            clientRequestToken=event_id,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "PipelineNotFoundException":
            raise
        return notify(
            "test passed",
            f"{model} passed its test on {endpoint}",
            f"It was not promoted, as pipeline {pipeline} does not exist; create it with "
            "`python -m infrastructure deploy --stage prod`.",
        )
    return notify("promoted", f"{model} passed its test on {endpoint}", f"{pipeline} asks for approval to deploy it.")
