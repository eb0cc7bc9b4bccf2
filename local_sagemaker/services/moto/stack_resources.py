"""Creating, updating and deleting the resources of a stack in moto, with an event for each, and undoing updates."""

from __future__ import annotations

import copy
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.core.exceptions import ServiceException
from moto.core.utils import iso_8601_datetime_with_milliseconds, utcnow
from werkzeug.exceptions import HTTPException

from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)

# types that stand for nothing, on AWS neither
_EMPTY_TYPES = ("AWS::CDK::Metadata",)
_REFERENCE = re.compile(r'"Ref": "([^"]+)"|"Fn::GetAtt": \["([^"]+)"|\$\{([A-Za-z0-9]+)')


class ResourceFailed(Exception):
    """A resource could not be created or updated; its event says why."""


class ResourceEvent(NamedTuple):
    """An event of a resource, kept until all of a stack's resources are done; see `flush_events`."""

    logical_id: str
    type: str
    physical_id: str
    status: str
    reason: str | None


def check_types(resources: Mapping[str, Record], conditions: Mapping[str, bool]) -> None:
    """Refuse resource types that would not be created, as CloudFormation refuses types that it does not know.

    Args:
        resources: The resources of a template by logical ID.
        conditions: Whether the template's conditions hold; resources whose condition does not are not looked at.

    Raises:
        ValidationError: There are such types.
    """
    known = parsing.get_model_map()
    unknown = {
        str(resource.get("Type"))
        for resource in resources.values()
        if resource.get("Type") not in (*_EMPTY_TYPES, *known) and conditions.get(resource.get("Condition", ""), True)
    }
    if unknown:
        raise ValidationError(
            message=f"Template format error: Unrecognized resource types: [{', '.join(sorted(unknown))}] "
            "(the local SageMaker cannot create them)"
        )


def references(part: Any) -> list[str]:
    """Find the parameters and resources that a part of a template refers to."""
    return [next(filter(None, names)) for names in _REFERENCE.findall(json.dumps(part, default=str))]


@contextmanager
def recorded(resources: Any, logical_id: str, resource_type: str, action: str) -> Iterator[Callable[..., Any]]:
    """Record the event of a resource that is created or updated in the context.

    Args:
        resources: The stack's ResourceMap.
        logical_id: The resource.
        resource_type: Its type.
        action: CREATE or UPDATE.

    Yields:
        A function that takes the resource, or None if its condition does not hold, and a reason, and returns the
        resource.

    Raises:
        ResourceFailed: For any error in the context.
    """

    def done(resource: Any, reason: str | None = None) -> Any:
        if resource is not None:
            record(f"{action}_COMPLETE", reason or getattr(resource, "status_reason", None), _physical_id(resource))
        return resource

    def record(status: str, reason: str | None, physical_id: str = "") -> None:
        event = ResourceEvent(logical_id, resource_type, physical_id, status, reason)
        # a resource that failed may have been tried again
        if event not in _events(resources):
            _events(resources).append(event)

    try:
        yield done
    except ResourceFailed:
        # of a resource that this one refers to
        raise
    except Exception as error:
        record(f"{action}_FAILED", error_reason(error))
        raise ResourceFailed(f"{logical_id}: {error_reason(error)}") from error


def flush_events(stack: Any) -> None:
    """Add the recorded events of resources to the stack's events.

    They are added once all resources are done, and without moto's random numbers, of which the names of resources are
    made: replayed from a journal of an earlier version, requests have to create the same names.
    """
    for item in _events(stack.resource_map):
        event = copy.copy(stack.events[-1])
        event.timestamp = utcnow()
        event.event_id = f"{item.logical_id}-{item.status}-{iso_8601_datetime_with_milliseconds(event.timestamp)}"
        event.logical_resource_id, event.physical_resource_id = item.logical_id, item.physical_id
        event.resource_type, event.resource_status = item.type, item.status
        event.resource_status_reason = item.reason
        stack.events.append(event)
    _events(stack.resource_map).clear()


def failed_ids(stack: Any) -> str:
    """Return the logical IDs of the resources whose recorded events are failures, for a message."""
    return ", ".join(dict.fromkeys(item.logical_id for item in _events(stack.resource_map) if "FAILED" in item.status))


def delete(stack: Any, kept_policies: Iterable[str]) -> None:
    """Delete a stack's resources except those with one of these deletion policies.

    Those that cannot be deleted stay in the stack, with an event that says why.
    """
    resources = stack.resource_map
    kept = {
        name
        for name, item in resources._resource_json_map.items()
        if item.get("DeletionPolicy") in tuple(kept_policies)
    }
    failures = _delete(stack, [name for name in _existing(resources) if name not in kept], resources._resource_json_map)
    # moto creates the resources of the map again when they are looked at
    resources._resource_json_map = {name: resources._resource_json_map[name] for name in failures}
    if not failures:
        stack.output_map = parsing.OutputMap(resources, {}, stack.stack_id)


class Update:
    """An update of a stack's resources, which can be undone until it is cleaned up."""

    def __init__(self, stack: Any) -> None:
        self._stack = stack
        self._resources = stack.resource_map
        self._before = {name: self._resources._parsed_resources[name] for name in _existing(self._resources)}
        self._previous = (self._resources._template, self._resources.input_parameters)
        self._old_json: dict[str, Record] = self._resources._resource_json_map
        # those that an update was tried of
        self._updated: list[str] = []

    def make(self, template: Record, parameters: Record) -> None:
        """Create and update resources.

        Raises:
            ResourceFailed: One of them cannot be created or updated.
        """
        resolved = {name: parsing.clean_json(self._old_json[name], self._resources) for name in self._before}
        self._load(template, parameters)
        for name in self._in_dependency_order():
            if name not in self._before:
                # created on first use
                _ = self._resources[name]
            elif parsing.clean_json(self._json(name), self._resources) != resolved[name]:
                self._updated.append(name)
                self._update(name)

    def undo(self) -> bool:
        """Restore the resources as they were; return whether all could be restored."""
        new_json = self._resources._resource_json_map
        added = [name for name in _existing(self._resources) if name not in self._before]
        self._load(*self._previous)
        failures = False
        for name in reversed(self._updated):
            original, current = self._before[name], self._resources._parsed_resources[name]
            try:
                if getattr(current, "replaces", None) is original:
                    self._resources._delete_resource(current, new_json[name])
                    self._resources._parsed_resources[name] = original
                else:
                    self._update(name)
            except Exception as error:
                log.info("%s is not restored: %s", name, error)
                failures = True
        return not _delete(self._stack, added, new_json) and not failures

    def clean_up(self) -> None:
        """Delete what the update has replaced, and resources that the template no longer has."""
        wanted = set(self._wanted())
        removed = [name for name in self._before if name not in wanted]
        retained = {name for name in removed if "Retain" in self._old_json[name].get("DeletionPolicy", "")}
        for name in retained:
            del self._resources._parsed_resources[name]
        _delete(self._stack, [name for name in removed if name not in retained], self._old_json)
        for name in self._updated:
            original, current = self._before[name], self._resources._parsed_resources[name]
            if getattr(current, "replaces", None) is original:
                try:
                    self._resources._delete_resource(original, self._old_json[name])
                except Exception as error:
                    _add_failure(self._resources, name, original, self._old_json[name], error)

    def _load(self, template: Record, parameters: Record) -> None:
        self._resources._template = template
        self._resources._resource_json_map = template["Resources"]
        self._resources.input_parameters = parameters
        self._resources.load()

    def _json(self, name: str) -> Record:
        item: Record = self._resources._resource_json_map[name]
        return item

    def _wanted(self) -> list[str]:
        conditions = self._resources.lazy_condition_map
        items = self._resources._resource_json_map.items()
        return [name for name, item in items if conditions.get(item.get("Condition", ""), True)]

    def _in_dependency_order(self) -> list[str]:
        wanted = self._wanted()
        ordered: dict[str, None] = {}

        def add(name: str, dependents: tuple[str, ...] = ()) -> None:
            if name in wanted and name not in ordered and name not in dependents:
                given = self._json(name).get("DependsOn", [])
                for dependency in [*references(self._json(name)), *([given] if isinstance(given, str) else given)]:
                    add(dependency, (*dependents, name))
                ordered[name] = None

        for name in wanted:
            add(name)
        return list(ordered)

    def _update(self, name: str) -> None:
        stack, resources = self._stack, self._resources
        changed = parsing.parse_and_update_resource(
            name, self._json(name), resources, account_id=stack.account_id, region_name=stack.region_name
        )
        if changed is not None:
            resources._parsed_resources[name] = changed


def _events(resources: Any) -> list[ResourceEvent]:
    events: list[ResourceEvent] = resources.__dict__.setdefault("recorded_events", [])
    return events


def _existing(resources: Any) -> list[str]:
    """The logical IDs of the resources that exist, in the order of their creation."""
    return [name for name in resources._parsed_resources if name in resources._resource_json_map]


def _delete(stack: Any, names: list[str], items: Mapping[str, Record]) -> list[str]:
    """Delete resources, dependents first, as long as one of them can be; return those that remain."""
    resources, remaining = stack.resource_map, names
    while remaining:
        failures: dict[str, Exception] = {}
        for name in reversed(remaining):
            try:
                resource = resources._parsed_resources[name]
                event = ResourceEvent(name, items[name]["Type"], _physical_id(resource), "DELETE_COMPLETE", None)
                resources._delete_resource(resource, items[name])
                del resources._parsed_resources[name]
                _events(resources).append(event)
            except Exception as error:
                failures[name] = error
        if len(failures) == len(remaining):
            for name, failure in failures.items():
                _add_failure(resources, name, resources._parsed_resources[name], items[name], failure)
            break
        remaining = [name for name in remaining if name in failures]
    return remaining


def _add_failure(resources: Any, name: str, resource: Any, item: Record, error: Exception) -> None:
    event = ResourceEvent(name, item["Type"], _physical_id(resource), "DELETE_FAILED", error_reason(error))
    _events(resources).append(event)


def _physical_id(resource: Any) -> str:
    return str(getattr(resource, "physical_resource_id", ""))


def error_reason(error: Exception) -> str:
    if isinstance(error, CloudFormationError | ServiceException):
        return str(error.message)
    if isinstance(error, HTTPException):
        return str(error.description)
    if isinstance(error, KeyError):
        return f"Properties validation failed: required key [{error.args[0]}] not found"
    log.info("unexpected error of a resource", exc_info=error)
    return f"{type(error).__name__}: {error}"
