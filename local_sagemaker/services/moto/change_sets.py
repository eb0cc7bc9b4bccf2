"""CloudFormation's change sets, which moto executes without outputs, exports and imports: made to have them."""

from __future__ import annotations

import json
import re
from typing import Any

from local_sagemaker.services.moto.hooks import original_method

_REFERENCE = re.compile(r'"Ref": "([^"]+)"|\$\{([A-Za-z0-9]+)')


def hook_change_sets() -> None:
    """Have the execution of a change set do what CreateStack and UpdateStack do."""
    from moto.cloudformation import parsing
    from moto.cloudformation.models import ChangeSet
    from moto.cloudformation.responses import CloudFormationResponse

    check_different = original_method(CloudFormationResponse, "_validate_different_update")

    def check(self: Any, *arguments: Any) -> None:
        # of a change set it is the status, not an error, that tells that nothing changes
        if self._get_action() != "CreateChangeSet":
            check_different(self, *arguments)

    ChangeSet.apply = _apply  # type: ignore[method-assign, assignment]
    CloudFormationResponse._validate_different_update = check  # type: ignore[method-assign, assignment]
    parsing.get_references_from_template = _references
    parsing.OutputMap.exports = property(_exports)  # type: ignore[assignment, method-assign]


def _exports(output_map: Any) -> list[Any]:
    """What a stack exports; moto's own fails on an output whose Condition does not hold."""
    from moto.cloudformation.parsing import Export, clean_json

    resources = output_map._resource_map
    held = [
        output
        for output in (output_map._output_json_map or {}).values()
        if "Condition" not in output or resources.lazy_condition_map[output["Condition"]]
    ]
    return [
        Export(
            output_map._stack_id,
            clean_json(output["Export"]["Name"], resources),
            clean_json(output["Value"], resources),
        )
        for output in held
        if "Export" in output
    ]


def _references(template: Any) -> list[str]:
    """The parameters and resources that a part of a template refers to; moto's own passes over Fn::Sub."""
    return [ref or name for ref, name in _REFERENCE.findall(json.dumps(template, default=str))]


def _apply(change_set: Any) -> None:
    from moto.cloudformation.models import cloudformation_backends

    stack = change_set.stack
    backend = cloudformation_backends[stack.account_id][stack.region_name]
    for export in stack.exports:
        backend.exports.pop(export.name, None)
    stack.template, stack.parameters = change_set.template, change_set.parameters
    stack._parse_template()
    for resource in stack.template_dict["Resources"].values():
        # moto knows the one; when a stack is deleted the other is the same
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
