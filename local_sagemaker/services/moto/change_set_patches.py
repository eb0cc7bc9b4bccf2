"""Patches for CloudFormation's change sets, which moto executes without outputs, exports, imports and rollback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.models import CloudFormationBackend
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from local_sagemaker.services.moto.patching import PatchSet
from local_sagemaker.services.moto.stack_patches import check_updatable, find, make_stack, parsed, share_exports

Original = Callable[..., Any]

patches = PatchSet()


class ChangeSetNotFound(CloudFormationError):
    code = "ChangeSetNotFound"


class InvalidChangeSetStatus(CloudFormationError):
    code = "InvalidChangeSetStatus"


@patches(CloudFormationResponse, "create_change_set")
def _with_default_type(original: Original, response: Any) -> Any:
    """Take a change set without a type for one that updates a stack, as CloudFormation does; moto for a new stack's."""
    if response._get_param("ChangeSetType") is None:
        response.params["ChangeSetType"] = "UPDATE"
    return original(response)


@patches(CloudFormationBackend, "create_change_set")
def _create_change_set(original: Original, backend: Any, **request: Any) -> tuple[str, str]:
    """Check the template, and make one stack for all change sets that are to create it; moto makes one for each."""
    name = request["stack_name"]
    existing = find(backend, name)
    if request["change_set_type"] != "CREATE":
        if existing is not None:
            check_updatable(existing)
        return original(backend, **request)
    if existing is not None and existing.status != "REVIEW_IN_PROGRESS":
        change_set_name = request["change_set_name"]
        raise ValidationError(
            message=f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set_name}]."
        )
    parsed(request["template"])
    # loads the template, its parameters and conditions
    make_stack("", name, request["template"], request["parameters"], backend.account_id, backend.region_name)
    arn, stack_id = original(backend, **request)
    if existing is not None:
        del backend.stacks[stack_id]
        change_set = backend.change_sets[arn]
        change_set.stack, change_set.stack_id = existing, existing.stack_id
    return arn, existing.stack_id if existing is not None else stack_id


@patches(CloudFormationBackend, "execute_change_set")
def _execute_change_set(_: Original, backend: Any, change_set_name: str, stack_name: str | None = None) -> None:
    """Execute a change set as CreateStack and UpdateStack would; moto's has no outputs, exports and imports."""
    change_set = backend.describe_change_set(change_set_name)
    if change_set.execution_status != "AVAILABLE":
        status = "FAILED" if change_set.status == "FAILED" else change_set.execution_status
        raise InvalidChangeSetStatus(
            f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current status of [{status}]"
        )
    stack = change_set.stack
    if change_set.change_set_type == "CREATE":
        stack.template, stack.parameters = change_set.template, change_set.parameters
        stack.template_dict = parsed(stack.template)
        stack.description = stack.template_dict.get("Description")
        share_exports(backend, stack)
        stack.resource_map = stack._create_resource_map()
        stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")
        stack.create_resources()
    else:
        check_updatable(stack)
        stack.update(change_set.template, change_set.role_arn, change_set.parameters, change_set.tags or None)
    succeeded = stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    change_set.execution_status = "EXECUTE_COMPLETE" if succeeded else "EXECUTE_FAILED"


@patches(CloudFormationResponse, "_validate_different_update")
def _validate_different_update(original: Original, response: Any, *arguments: Any) -> None:
    """Skip the check for change sets: their status, not an error, says that there are no changes."""
    if response._get_action() != "CreateChangeSet":
        original(response, *arguments)


@patches(CloudFormationResponse, "describe_change_set", "execute_change_set", "delete_change_set")
def _find_change_set(original: Original, response: Any) -> Any:
    """Find a change set by its stack's name and its own; moto takes one of that name of any stack."""
    stack, name = response._get_param("StackName"), response._get_param("ChangeSetName")
    if stack is not None:
        change_sets = _change_sets(response.cloudformation_backend, stack)
        found = [item.change_set_id for item in change_sets if name in (item.change_set_name, item.change_set_id)]
        if not found:
            raise ChangeSetNotFound(f"ChangeSet [{name}] does not exist")
        response.params["ChangeSetName"] = found[-1]
    return original(response)


@patches(CloudFormationResponse, "list_change_sets")
def _list_change_sets(_: Original, response: Any) -> Any:
    """List the change sets of a stack; moto lists those of all stacks."""
    return ActionResult({"Summaries": _change_sets(response.cloudformation_backend, response._get_param("StackName"))})


def _change_sets(backend: Any, name_or_id: str) -> list[Any]:
    return [
        change_set
        for change_set in backend.change_sets.values()
        if name_or_id in (change_set.stack.name, change_set.stack.stack_id)
    ]
