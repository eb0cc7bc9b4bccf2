"""RegisterModel: a model package in the registry."""

from __future__ import annotations

from typing import Any

from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, invoke
from local_sagemaker.protocol.errors import ServiceError


class RegisterModel(StepType):
    def run(self, run: StepRun) -> Outcome:
        request = _without_empty(run.resolve(run.step.arguments))
        group = request.get("ModelPackageGroupName")
        made = group is not None and _make_group(run, group)
        try:
            arn = invoke(run, "CreateModelPackage", request)["ModelPackageArn"]
        except Exception:
            if made:  # nothing half-done stays in the registry
                invoke(run, "DeleteModelPackageGroup", {"ModelPackageGroupName": group})
            raise
        run.report({"RegisterModel": {"Arn": arn}})
        return Outcome(invoke(run, "DescribeModelPackage", {"ModelPackageName": arn}))


def _make_group(run: StepRun, name: str) -> bool:
    """Make the group, as the service does, where it is not there; whether it was made."""
    try:
        run.call("DescribeModelPackageGroup", {"ModelPackageGroupName": name})
    except ServiceError:
        invoke(run, "CreateModelPackageGroup", {"ModelPackageGroupName": name})
        return True
    return False


def _without_empty(value: Any) -> Any:
    """The value without null members and empty structures, such as the SDK's `"Bias": {}` where there is no bias."""
    if isinstance(value, dict):
        members = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in members.items() if item is not None and item != {}}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value
