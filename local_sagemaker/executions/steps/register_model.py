"""RegisterModel step: registers a model package."""

from __future__ import annotations

from typing import Any

from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, invoke
from local_sagemaker.protocol.errors import ServiceError


class RegisterModel(StepType):
    operation = "CreateModelPackage"

    def run(self, run: StepRun) -> Outcome:
        request = _without_empty(run.resolve(run.step.arguments))
        group = request.get("ModelPackageGroupName")
        created = group is not None and _ensure_group(run, group)
        try:
            arn = invoke(run, "CreateModelPackage", request)["ModelPackageArn"]
        except Exception:
            # do not leave an empty group behind
            if created:
                invoke(run, "DeleteModelPackageGroup", {"ModelPackageGroupName": group})
            raise
        run.set_metadata({"RegisterModel": {"Arn": arn}})
        return Outcome(invoke(run, "DescribeModelPackage", {"ModelPackageName": arn}))


def _ensure_group(run: StepRun, name: str) -> bool:
    """Create the group if it does not exist, as the service does; return whether it was created."""
    try:
        run.call("DescribeModelPackageGroup", {"ModelPackageGroupName": name})
    except ServiceError:
        invoke(run, "CreateModelPackageGroup", {"ModelPackageGroupName": name})
        return True
    return False


def _without_empty(value: Any) -> Any:
    """Remove null members and empty structures, such as the `"Bias": {}` that the SDK writes for no bias metrics."""
    if isinstance(value, dict):
        members = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in members.items() if item is not None and item != {}}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value
