"""Patches that make moto's CloudFormation report the real state of stacks.

moto skips resource types that it does not know, leaves a stack whose resources fail partially created, loses a stack
that it cannot delete, and executes change sets without outputs, exports and imports.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import yaml
from moto.cloudformation import models, parsing, responses
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.models import CloudFormationBackend, Stack, cloudformation_backends
from moto.cloudformation.utils import generate_stack_id, yaml_tag_constructor

from local_sagemaker.services.moto import stack_resources
from local_sagemaker.services.moto.patching import PatchSet

Original = Callable[..., Any]

# statuses that an update may start from
_UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")

# mypy takes it for an abstract class
make_stack: Any = Stack

patches = PatchSet()


# libyaml's parser is seven times as fast, and moto parses a template five times for a change set
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):
    """A loader of templates; moto's would execute Python code that a template names in its tags."""


_Loader.add_multi_constructor("", yaml_tag_constructor)


class _Yaml:
    """The part of PyYAML that moto's CloudFormation uses."""

    Loader = _Loader

    @staticmethod
    def load(text: str, Loader: Any) -> Any:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader

    @staticmethod
    def add_multi_constructor(prefix: str, constructor: Any) -> None:
        """Leave moto's loader as it is."""


models.yaml = responses.yaml = _Yaml  # type: ignore[assignment]


@patches(parsing.ResourceMap, "load")
def _load(original: Original, resources: Any) -> None:
    """Refuse a template with resources that would not be created; moto skips them."""
    original(resources)
    stack_resources.check_types(resources._resource_json_map, resources.lazy_condition_map)


@patches(CloudFormationBackend, "validate_template")
def _validate_template(_: Original, backend: Any, template: str) -> list[Any]:
    """Check a template's structure and resource types; moto needs cfn-lint, which users need not have installed."""
    resources = parsed(template)["Resources"]
    # conditions depend on parameters, which the request does not have
    unconditional = {name: resource for name, resource in resources.items() if "Condition" not in resource}
    stack_resources.check_types(unconditional, {})
    return []


@patches(parsing, "parse_and_create_resource")
def _parse_and_create(original: Original, name: str, item: Any, resources: Any, *where: Any, **more: Any) -> Any:
    with stack_resources.recorded(resources, name, item["Type"], "CREATE") as done:
        return done(original(name, item, resources, *where, **more))


@patches(parsing, "parse_and_update_resource")
def _parse_and_update(original: Original, name: str, item: Any, resources: Any, *where: Any, **more: Any) -> Any:
    with stack_resources.recorded(resources, name, item["Type"], "UPDATE") as done:
        changed = original(name, item, resources, *where, **more)
        if changed is None:
            # moto would forget the resource
            return done(resources[name], f"not changed: the local SageMaker cannot update {item['Type']}")
        return done(changed)


@patches(Stack, "stack_resources")
def _stack_resources(original: Original, stack: Any) -> list[Any]:
    """List the resources of a stack without those whose condition does not hold, on which moto fails."""
    return [resource for resource in original(stack) if resource is not None]


@patches(CloudFormationBackend, "create_stack")
def _create_stack(_: Original, backend: Any, name: str, template: str, parameters: Any, **more: Any) -> Any:
    if find(backend, name) is not None:
        raise AlreadyExistsException(f"Stack [{name}] already exists")
    stack_id = generate_stack_id(name, backend.region_name, backend.account_id)
    parsed(template)
    where = (backend.account_id, backend.region_name)
    stack = make_stack(stack_id, name, template, parameters, *where, cross_stack_resources=backend.exports, **more)
    share_exports(backend, stack)
    backend.stacks[stack_id] = stack
    # In moto's order, exported resources first: it decides the random names of resources, which replays of earlier
    # journals have to repeat. A failure is repeated, and handled, below.
    with suppress(Exception):
        list(stack.exports)
    stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")
    stack.create_resources()
    return stack


@patches(Stack, "create_resources")
def _create_resources(_: Original, stack: Any) -> None:
    """Create the resources of a stack; if one fails, delete those that have been created, as AWS does."""
    stack.status = "CREATE_IN_PROGRESS"
    try:
        stack.resource_map.create(stack.template_dict)
        _publish_outputs(stack)
    except Exception as error:
        reason = _failure_reason(stack, error, "create")
        stack_resources.flush_events(stack)
        stack._add_stack_event("ROLLBACK_IN_PROGRESS", reason)
        stack_resources.delete(stack, kept_policies=("Retain",))
        stack.status = "ROLLBACK_FAILED" if stack_resources.failed_ids(stack) else "ROLLBACK_COMPLETE"
    else:
        stack.status = "CREATE_COMPLETE"
    stack_resources.flush_events(stack)
    stack._add_stack_event(stack.status)


@patches(CloudFormationBackend, "update_stack")
def _update_stack(original: Original, backend: Any, name: str, *rest: Any, **more: Any) -> Any:
    check_updatable(backend.get_stack(name))
    return original(backend, name, *rest, **more)


@patches(Stack, "update")
def _update(
    _: Original, stack: Any, template: str, role_arn: str | None = None, parameters: Any = None, tags: Any = None
) -> None:
    """Update the resources of a stack; if one fails, restore all of them, as AWS does."""
    previous = (stack.template, stack.parameters)
    update = stack_resources.Update(stack)
    stack._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
    stack.template, stack.parameters = template, parameters or stack.parameters
    try:
        stack.template_dict = parsed(template)
        update.make(stack.template_dict, stack.parameters)
        _publish_outputs(stack)
    except Exception as error:
        reason = _failure_reason(stack, error, "update")
        stack_resources.flush_events(stack)
        stack._add_stack_event("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        stack.template, stack.parameters = previous
        stack.template_dict = parsed(stack.template)
        stack.status = "UPDATE_ROLLBACK_COMPLETE" if update.undo() else "UPDATE_ROLLBACK_FAILED"
        _publish_outputs(stack)
    else:
        update.clean_up()
        stack.status = "UPDATE_COMPLETE"
        stack.description = stack.template_dict.get("Description")
        stack.role_arn = role_arn
        stack.tags = stack.tags if tags is None else tags
    stack_resources.flush_events(stack)
    stack._add_stack_event(stack.status)


@patches(CloudFormationBackend, "delete_stack")
def _delete_stack(_: Original, backend: Any, name_or_id: str) -> None:
    """Delete a stack, or leave it in DELETE_FAILED with the resources that cannot be deleted; moto loses it then."""
    stack = find(backend, name_or_id)
    if stack is None:
        return
    if stack.enable_termination_protection:
        raise ValidationError(message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    _unpublish_outputs(backend, stack)
    stack._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason="User Initiated")
    stack_resources.delete(stack, kept_policies=("Retain", "RetainExceptOnCreate"))
    failed = stack_resources.failed_ids(stack)
    stack_resources.flush_events(stack)
    stack.status = "DELETE_FAILED" if failed else "DELETE_COMPLETE"
    stack._add_stack_event(stack.status, f"The following resource(s) failed to delete: [{failed}]." if failed else None)
    if not failed:
        backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)
        for arn in [arn for arn, change_set in backend.change_sets.items() if change_set.stack is stack]:
            del backend.change_sets[arn]


@patches(parsing, "get_references_from_template")
def _references(_: Original, template: Any) -> list[str]:
    """Find the parameters and resources that a part of a template refers to; moto ignores Fn::Sub."""
    return stack_resources.references(template)


@patches(parsing.OutputMap, "exports")
def _exports(_: Original, output_map: Any) -> list[Any]:
    """List a stack's exports; moto's own list fails on an output whose Condition is false."""
    resources = output_map._resource_map
    exported = [
        output
        for output in (output_map._output_json_map or {}).values()
        if "Export" in output and ("Condition" not in output or resources.lazy_condition_map[output["Condition"]])
    ]
    return [
        parsing.Export(
            output_map._stack_id,
            parsing.clean_json(output["Export"]["Name"], resources),
            parsing.clean_json(output["Value"], resources),
        )
        for output in exported
    ]


def find(backend: Any, name_or_id: str) -> Any:
    return next((stack for stack in backend.stacks.values() if name_or_id in (stack.name, stack.stack_id)), None)


def check_updatable(stack: Any) -> None:
    if stack.status not in _UPDATABLE:
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


def parsed(template: str) -> Any:
    """Parse a template, whose resources are not checked beyond their structure."""
    try:
        parsed = Stack.parse_template(template)
    except (ValueError, yaml.YAMLError) as error:
        raise ValidationError(message=f"Template format error: {error}") from error
    if not isinstance(parsed, dict):
        raise ValidationError(message="Template format error: unsupported structure.")
    if not isinstance(parsed.get("Resources"), dict) or not parsed["Resources"]:
        raise ValidationError(message="Template format error: At least one Resources member must be defined.")
    if "Transform" in parsed:
        raise ValidationError(message="The local SageMaker runs no transforms; remove Transform from the template.")
    for name, resource in parsed["Resources"].items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise ValidationError(
                message=f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
            )
    return parsed


def share_exports(backend: Any, stack: Any) -> None:
    # moto gives a stack exports of its own while the backend has none
    stack.cross_stack_resources = stack.resource_map.cross_stack_resources = backend.exports


def _publish_outputs(stack: Any) -> None:
    """Evaluate a stack's outputs, and replace its exports."""
    backend = cloudformation_backends[stack.account_id][stack.region_name]
    stack.output_map = stack._create_output_map()
    # outputs are evaluated on first use
    list(stack.outputs or [])
    exports = {export.name: export for export in stack.exports}
    for name in exports:
        if name in backend.exports and backend.exports[name].exporting_stack_id != stack.stack_id:
            other = backend.exports[name].exporting_stack_id
            raise ValidationError(message=f"Export with name {name} is already exported by stack {other}.")
    _unpublish_outputs(backend, stack)
    backend.exports.update(exports)


def _unpublish_outputs(backend: Any, stack: Any) -> None:
    for name in [name for name, export in backend.exports.items() if export.exporting_stack_id == stack.stack_id]:
        del backend.exports[name]


def _failure_reason(stack: Any, error: Exception, action: str) -> str:
    failed = stack_resources.failed_ids(stack)
    reason = (
        f"The following resource(s) failed to {action}: [{failed}]." if failed else stack_resources.error_reason(error)
    )
    return f"{reason} Rollback requested by user."
