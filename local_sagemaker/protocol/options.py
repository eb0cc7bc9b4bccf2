"""Which options of the operations are implemented: a request that asks for another one is refused by name.

A service states this in a table, by the structures ("shapes") of botocore's model of the service. Operations share
them, so that the table is much shorter than a list of all members of all requests. A member that is not in the table,
such as one that a new botocore adds, counts as not implemented.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import check_request, operation_model, without_nulls

ALL = "*"
REMOVE_IT = "remove it"
SUPPORTED, REFUSED, SOME_VALUES, NO_EFFECT = "supported", "refused", "some values", "no effect"


@dataclass(frozen=True)
class Members:
    """What is implemented of a shape.

    Attributes:
        supported: Names, separated by spaces, of members that are implemented, or only have to be recorded and shown;
            `*` for all of them, with everything in them. Required members need not be named.
        refused: Names of members that are not implemented.
        only: Members of which only these values are implemented.
        instead: What to do instead of giving a refused member, by its name; by default, to remove it.
    """

    supported: str
    refused: str = ""
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def groups(self) -> dict[str, str]:
        """The group of each member."""
        return {
            **dict.fromkeys(self.supported.split(), SUPPORTED),
            **dict.fromkeys(self.refused.split(), REFUSED),
            **dict.fromkeys(self.only, SOME_VALUES),
        }


@dataclass(frozen=True)
class Options:
    """The options of a service.

    Attributes:
        service: Botocore's name of the service.
        shapes: What is implemented of each input shape, and of each shape in it, by its name.
        no_effect: Names of members, of any shape that does not list them, that change nothing on one machine, by the
            reason.
    """

    service: str
    shapes: Mapping[str, Members]
    no_effect: Mapping[str, str] = field(default_factory=dict)

    def checked(self, operation: str, request: dict[str, Any], code: str = "ValidationException") -> dict[str, Any]:
        """Return the members of a request that are not null.

        Args:
            operation: The name of the operation.
            request: Its members.
            code: The service's error code for an option that is not implemented.

        Raises:
            ServiceError: The request is invalid, or has an option that is not implemented.
        """
        check_request(operation_model(self.service, operation).input_shape, request)
        if refusal := self.refusal(operation, request):
            raise ServiceError(code, refusal)
        members: dict[str, Any] = without_nulls(request)
        return members

    def refusal(self, operation: str, request: Mapping[str, Any]) -> str | None:
        """Return the message that refuses a request with an option that is not implemented; None if it has none.

        A member that is not implemented may be false or empty, which asks for nothing.

        Args:
            operation: The name of the operation.
            request: Its members. Structures that do not belong to its shape, such as the expressions in the arguments
                of a pipeline's step, are passed over.
        """
        shape = operation_model(self.service, operation).input_shape
        found = next(self._refusals(shape, request, ""), None) if shape else None
        return f"{operation}: the local SageMaker does not implement {found}" if found else None

    def group(self, shape: StructureShape, member: str) -> str | None:
        """Return the group of a member, such as `SUPPORTED`; None if it is not in the table."""
        groups = self._groups(shape)
        if member in groups:
            return groups[member]
        if ALL in groups:
            return SUPPORTED
        if member in self._without_effect:
            return NO_EFFECT
        return SUPPORTED if member in shape.required_members else None

    @cached_property
    def _without_effect(self) -> frozenset[str]:
        return frozenset(name for names in self.no_effect.values() for name in names.split())

    def _refusals(self, shape: Shape, value: Any, path: str) -> Iterator[str]:
        """Yield what a value has that is not implemented, each with what to do."""
        if isinstance(shape, ListShape) and isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._refusals(shape.member, item, f"{path}[{index}]")
        elif isinstance(shape, MapShape) and isinstance(value, dict):
            for key, item in value.items():
                yield from self._refusals(shape.value, item, f"{path}[{key!r}]")
        elif isinstance(shape, StructureShape) and isinstance(value, Mapping) and ALL not in self._groups(shape):
            for name in [name for name in value if name in shape.members]:
                yield from self._member_refusals(shape, name, value[name], f"{path}.{name}" if path else name)

    def _member_refusals(self, shape: StructureShape, name: str, value: Any, path: str) -> Iterator[str]:
        group = self.group(shape, name)
        if value is None or group == NO_EFFECT:
            return
        if group == SUPPORTED:
            yield from self._refusals(shape.members[name], value, path)
        elif group == SOME_VALUES:
            values = self.shapes[shape.name].only[name]
            if value not in values and not isinstance(value, dict):
                *others, last = map(str, values)
                yield f"{path} {value!r}; use {' or '.join(filter(None, [', '.join(others), last]))}"
        elif not _asks_for_nothing(value):
            listed = self.shapes.get(shape.name)
            yield f"{path}; {listed.instead.get(name, REMOVE_IT) if listed else REMOVE_IT}"

    def _groups(self, shape: Shape) -> Mapping[str, str]:
        return self.shapes[shape.name].groups if shape.name in self.shapes else {}


def _asks_for_nothing(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})
