"""Start the deployment of an approved model package to the endpoint of the stage.

`promote` continues when the endpoint is in service, or has failed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from deployment.deploy import start_deployment
from infrastructure.functions.environment import DEPLOYING_TAG, load_project, plan_version
from infrastructure.functions.notifications import Result, ignore, log, notify
from project.errors import UserError


def handler(event: Any, context: Any) -> Result:
    settings, target = load_project()
    try:
        version = _approved_version(event, settings.model_package_group)
    except ValueError as error:
        return ignore(str(error))
    model = f"Version {version} of {settings.model_package_group}"
    tag = {"Key": DEPLOYING_TAG, "Value": str(version)}
    try:
        plan = plan_version(settings, target, version)
        # a new endpoint is created with the tag
        change = start_deployment(settings, target, dataclasses.replace(plan, tags=[*plan.tags, tag]), log.info)
    except UserError as error:
        return notify("refused", f"{model} was approved but not deployed", str(error))
    if change == "unchanged":
        return notify("unchanged", f"{model} was approved", f"Endpoint {plan.endpoint} already serves it.")
    if change == "updated":
        described = target.sagemaker.describe_endpoint(EndpointName=plan.endpoint)
        target.sagemaker.add_tags(ResourceArn=described["EndpointArn"], Tags=[tag])
    return notify(change, f"{model} was approved", f"Endpoint {plan.endpoint} is being {change} with it.")


def _approved_version(event: Any, group: str) -> int:
    """Return the version whose approval an event reports.

    Raises:
        ValueError: The event reports something else, or is malformed.
    """
    detail = event.get("detail") if isinstance(event, dict) else None
    if not isinstance(detail, dict) or event.get("detail-type") != "SageMaker Model Package State Change":
        raise ValueError("the event is not a state change of a model package")
    if detail.get("ModelPackageGroupName") != group:
        raise ValueError(f"the model package is not in group {group}")
    if detail.get("ModelApprovalStatus") != "Approved":
        raise ValueError("the model package is not approved")
    changed = detail.get("UpdatedModelPackageFields")
    # a version that is registered as approved has no updated fields
    if changed and "ModelApprovalStatus" not in changed:
        raise ValueError("the model package was already approved")
    version = detail.get("ModelPackageVersion")
    if not isinstance(version, int):
        raise ValueError("the model package has no version")
    return version
