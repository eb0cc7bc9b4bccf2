"""The stage's endpoint has settled: end the deployment, test the endpoint, and hand a good version on.

What `deploy_approved` has begun is known by a tag of the endpoint; without it the endpoint has settled for another
reason, as after scaling, and nothing is done.
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
from infrastructure.functions.messages import Answer, drop, log, tell
from infrastructure.functions.project import DEPLOYING_TAG, endpoint_name, plan_version, project
from project.errors import UserError
from project.settings import Settings
from project.target import Target

# enough to see the endpoint answer under some load; the rest is for `python -m deployment test`
_REQUESTS, _CLIENTS = 50, 4


def handler(event: Any, context: Any) -> Answer:
    settings, target = project()
    name = endpoint_name(settings)
    detail = event.get("detail") if isinstance(event, dict) else None
    if not isinstance(detail, dict) or detail.get("EndpointName") != name or not isinstance(event.get("id"), str):
        return drop(f"this is not the state change of endpoint {name}")
    endpoint = find_endpoint(target, name)
    if endpoint is None or not endpoint.is_stable:
        return drop(f"endpoint {name} is {endpoint.status if endpoint else 'gone'} by now")
    version = _deploying(target, endpoint)
    if version is None:
        return drop(f"no deployment to {name} is under way")
    what = f"Version {version} of {settings.model_package_group}"
    try:
        plan = plan_version(settings, target, version)
        wait_for_deployment(settings, target, plan, "created" if endpoint.status == FAILED else "updated", 0, log.info)
        bad = _bad_checks(settings, target, endpoint, plan)
    except (UserError, DeploymentFailed) as error:
        answer = tell("failed", f"{what} is not deployed to {name}", str(error))
    else:
        if bad:
            words = "\n".join(f"{check.name}: {check.detail}" for check in bad)
            answer = tell("bad", f"{what} fails its test on {name}", words)
        else:
            answer = _hand_on(what, name, version, event["id"])
    if find_endpoint(target, name) is not None:  # of a failed creation nothing is left
        target.sagemaker.delete_tags(ResourceArn=endpoint.arn, TagKeys=[DEPLOYING_TAG])
    return answer


def _deploying(target: Target, endpoint: Endpoint) -> int | None:
    """The version whose deployment has been begun and not ended; None for none."""
    pages = target.sagemaker.get_paginator("list_tags").paginate(ResourceArn=endpoint.arn)
    tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    return int(tags[DEPLOYING_TAG]) if DEPLOYING_TAG in tags else None


def _bad_checks(settings: Settings, target: Target, endpoint: Endpoint, plan: Plan) -> list[Check]:
    """The checks of `python -m deployment test` that the endpoint fails, without waiting for captures."""
    test = EndpointTest(target, endpoint, _records(settings, target, plan), _REQUESTS, _CLIENTS, None)
    return [check for check in test.run() if not check.passed]


def _records(settings: Settings, target: Target, plan: Plan) -> Records:
    location = os.environ["TEST_RECORDS_URI"]
    if location:
        return read_records(settings, target, location)
    return training_records(settings, target, plan.variants[0].package)


def _hand_on(what: str, endpoint: str, version: int, event_id: str) -> Answer:
    pipeline = os.environ["PROMOTION_PIPELINE"]
    if not pipeline:
        return tell("good", f"{what} is good on {endpoint}", "It passes its test.")
    try:
        boto3.client("codepipeline").start_pipeline_execution(
            name=pipeline,
            variables=[{"name": "MODEL_PACKAGE_VERSION", "value": str(version)}],
            # EventBridge delivers at least once
            clientRequestToken=event_id,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "PipelineNotFoundException":
            raise
        return tell(
            "good",
            f"{what} is good on {endpoint}",
            f"It goes no further, as there is no pipeline {pipeline}; `python -m infrastructure deploy --stage prod` "
            "makes it.",
        )
    return tell("promoted", f"{what} is good on {endpoint}", f"{pipeline} asks for approval to deploy it further.")
