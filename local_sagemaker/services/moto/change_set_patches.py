"""Patches for CloudFormation's change sets, which moto executes without outputs, exports and imports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.models import ChangeSet, cloudformation_backends
from moto.cloudformation.responses import CloudFormationResponse

from local_sagemaker.services.moto.patching import PatchSet

Original = Callable[..., Any]

_REFERENCE = re.compile(r'"Ref": "([^"]+)"|\$\{([A-Za-z0-9]+)')

patches = PatchSet()


@patches(ChangeSet, "apply")
def _apply(_: Original, change_set: Any) -> None:
    """Execute a change set as CreateStack and UpdateStack would."""
    stack = change_set.stack
    backend = cloudformation_backends[stack.account_id][stack.region_name]
    for export in stack.exports:
        backend.exports.pop(export.name, None)
    stack.template, stack.parameters = change_set.template, change_set.parameters
    stack._parse_template()
    for resource in stack.template_dict["Resources"].values():
        # moto implements only Retain; the two do the same when a stack is deleted
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
            resource["DeletionPolicy"] = "Retain"
    stack.description = stack.template_dict.get("Description")
    if change_set.change_set_type == "CREATE":
        stack.cross_stack_resources = backend.exports
        stack.resource_map = stack._create_resource_map()
        stack.resource_map.create(stack.template_dict)
    else:
        stack.resource_map.update(stack.template_dict, stack.parameters)
        stack.tags = change_set.tags or stack.tags
    stack.output_map = stack._create_output_map()
    backend._validate_export_uniqueness(stack)
    backend.exports.update({export.name: export for export in stack.exports})


@patches(CloudFormationResponse, "_validate_different_update")
def _validate_different_update(original: Original, response: Any, *arguments: Any) -> None:
    """Skip the check for change sets: their status, not an error, says that there are no changes."""
    if response._get_action() != "CreateChangeSet":
        original(response, *arguments)


@patches(parsing, "get_references_from_template")
def _references(_: Original, template: Any) -> list[str]:
    """Find the parameters and resources that a part of a template refers to; moto ignores Fn::Sub."""
    return [ref or name for ref, name in _REFERENCE.findall(json.dumps(template, default=str))]


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
