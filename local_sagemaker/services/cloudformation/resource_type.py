"""What a resource type of CloudFormation is, and helpers for the modules that define them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.protocol.shapes import operation_model
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record


class Backends(NamedTuple):
    """The services in which persistent resources are created; `sagemaker` calls SageMaker's operations."""

    functions: LambdaService
    objects: ObjectStore
    sagemaker: Call


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A resource type; its functions take a resource's name and Properties.

    Attributes:
        name: The type's name, e.g. `AWS::S3::Bucket`.
        name_property: The property with which a template names the resource.
        properties: The properties that take effect. All others are refused.
        without_effect: Properties that are accepted although they mean nothing on this machine; the resource's event
            names them.
        required: Properties that a template has to give.
        replacing: Properties whose change makes a new resource, besides its name.
        exists: Tells whether there is a resource of that name; None if none is in the way of another.
        create: Creates it.
        update: Updates it; takes the previous properties, too.
        delete: Deletes it; called only if it exists.
        attributes: The values of `Ref` and of each attribute of Fn::GetAtt.
        persistent: Whether the resource is stored in the data directory, not in moto's memory.
    """

    name: str
    name_property: str
    properties: frozenset[str]
    create: Callable[[Backends, str, Record], None]
    update: Callable[[Backends, str, Record, Record], None]
    delete: Callable[[Backends, str, Record], None]
    attributes: Callable[[str, Record], Record]
    exists: Callable[[Backends, str, Record], bool] | None = None
    without_effect: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()
    replacing: frozenset[str] = frozenset()
    persistent: bool = False

    def check(self, properties: Record) -> None:
        """Refuse properties that would be ignored, and the lack of required ones.

        Raises:
            ServiceError: In CloudFormation's words.
        """
        known = self.properties | self.without_effect
        for name in properties:
            if name not in known:
                supported = f"the local SageMaker supports {', '.join(sorted(known))}"
                raise ServiceError(
                    "ValidationError",
                    f"Encountered unsupported property {name}; of {self.name}, {supported}",
                )
        for name in self.required:
            if name not in properties:
                raise ServiceError("ValidationError", f"Properties validation failed: required key [{name}] not found")

    def remark(self, properties: Record) -> str | None:
        """What to tell about properties without effect; None for nothing."""
        given = sorted(self.without_effect & properties.keys())
        return f"without effect on this machine: {', '.join(given)}" if given else None


def arn_attributes(service: str, path: str) -> Callable[[str, Record], Record]:
    """Make the `attributes` of a type whose Ref is a name, and whose ARN ends with `path` and the name."""
    return lambda name, _: {"Ref": name, "Arn": f"arn:aws:{service}:{REGION}:{ACCOUNT}:{path}{name}"}


def request_of(service: str, operation: str, members: Record) -> Record:
    """Make an operation's request of a template's values, in which numbers may be strings and strings numbers.

    Clients' tokens are added as boto3 adds them.
    """
    shape = operation_model(service, operation).input_shape
    known = shape.members if shape else {}
    tokens = [name for name, member in known.items() if member.metadata.get("idempotencyToken")]
    return {**{name: str(uuid.uuid4()) for name in tokens}, **_converted(shape, members)}


def _converted(shape: Shape | None, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {name: _converted(shape.members.get(name), item) for name, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_converted(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _converted(shape.value, item) for key, item in value.items()}
    if shape is None or isinstance(value, dict | list):
        return value
    return _CONVERSIONS.get(shape.type_name, lambda given: given)(value)


def _boolean(value: Any) -> Any:
    return {"true": True, "false": False}.get(str(value).lower(), value)


def _number(kind: type[int] | type[float]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        try:
            return kind(value) if isinstance(value, str) else value
        except ValueError:
            # refused by the operation, in its words
            return value

    return convert


def _string(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else str(value)


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "boolean": _boolean,
    "integer": _number(int),
    "long": _number(int),
    "float": _number(float),
    "double": _number(float),
    "string": _string,
}
