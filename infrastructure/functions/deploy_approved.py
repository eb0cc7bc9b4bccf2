"""A model package has been approved: set SageMaker to work on the stage's endpoint, without waiting for it.

`promote` goes on when the endpoint is in service, or has failed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from deployment.deploy import start_deployment
from infrastructure.functions.messages import Answer, drop, log, tell
from infrastructure.functions.project import DEPLOYING_TAG, plan_version, project
from project.errors import UserError


def handler(event: Any, context: Any) -> Answer:
    settings, target = project()
    try:
        version = _approved_version(event, settings.model_package_group)
    except ValueError as error:
        return drop(str(error))
    group = f"Version {version} of {settings.model_package_group}"
    tag = {"Key": DEPLOYING_TAG, "Value": str(version)}
    try:
        plan = plan_version(settings, target, version)
        # a new endpoint has the tag from its first moment on
        change = start_deployment(settings, target, dataclasses.replace(plan, tags=[*plan.tags, tag]), log.info)
    except UserError as error:
        return tell("refused", f"{group} is approved, and not deployed", str(error))
    if change == "unchanged":
        return tell("unchanged", f"{group} is approved", f"{plan.endpoint} serves it already.")
    if change == "updated":
        described = target.sagemaker.describe_endpoint(EndpointName=plan.endpoint)
        target.sagemaker.add_tags(ResourceArn=described["EndpointArn"], Tags=[tag])
    return tell(change, f"{group} is approved", f"{plan.endpoint} is being {change} with it.")


def _approved_version(event: Any, group: str) -> int:
    """The version that an event tells the approval of.

    Raises:
        ValueError: it tells something else, or is no event at all.
    """
    detail = event.get("detail") if isinstance(event, dict) else None
    if not isinstance(detail, dict) or event.get("detail-type") != "SageMaker Model Package State Change":
        raise ValueError("this is not the state change of a model package")
    if detail.get("ModelPackageGroupName") != group:
        raise ValueError(f"the model package is not of group {group}")
    if detail.get("ModelApprovalStatus") != "Approved":
        raise ValueError("the model package is not approved")
    changed = detail.get("UpdatedModelPackageFields")
    # of a version that is registered as approved nothing has been updated
    if changed and "ModelApprovalStatus" not in changed:
        raise ValueError("the model package has been approved before")
    version = detail.get("ModelPackageVersion")
    if not isinstance(version, int):
        raise ValueError("the model package has no version")
    return version
