"""Resource types that moto's CloudFormation creates through a `Provisioner` instead of in moto."""

from __future__ import annotations

from typing import Any, Protocol

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record

# services that are not moto's here: what moto's CloudFormation creates in them is not visible to clients
_OTHER_SERVICES = ("AWS::CloudFormation::", "AWS::Lambda::", "AWS::S3::", "AWS::SageMaker::")


class ResourceType(Protocol):
    """A resource type of CloudFormation, e.g. `AWS::S3::Bucket`."""

    @property
    def name(self) -> str:
        """The type's name."""

    @property
    def name_property(self) -> str:
        """The property with which a template names the resource."""

    @property
    def replacing(self) -> frozenset[str]:
        """Properties whose change makes a new resource, besides its name."""

    def attributes(self, name: str, properties: Record, /) -> Record:
        """The values of `Ref` and of each attribute of Fn::GetAtt."""


class Provisioner(Protocol):
    """Creates, updates and deletes the resources of stacks."""

    @property
    def resource_types(self) -> tuple[ResourceType, ...]:
        """The resource types that it provisions."""

    def begin(self, failures: Record | None = None, *, replayed: bool = False, resumed: bool = False) -> Record:
        """Begin a request, whose resources are created, updated and deleted in an order that replays repeat.

        Args:
            failures: Of a replayed request, what `begin` returned for it.
            replayed: Whether it took effect before the server was started: persistent resources are left alone.
            resumed: Whether an earlier server may have carried out a part of it.

        Returns:
            The failures of persistent resources, filled while the request is executed.
        """

    def create(self, kind: Any, name: str, properties: Record) -> str | None:
        """Create a resource of one of `resource_types`.

        Returns:
            What a user has to know about it, such as properties without effect on this machine; None for nothing.

        Raises:
            ServiceError: If the resource fails.
        """

    def update(self, kind: Any, name: str, properties: Record, previous: Record) -> str | None:
        """Update a resource that has `previous` properties; else like `create`."""

    def delete(self, kind: Any, name: str, properties: Record) -> None:
        """Delete a resource if it exists.

        Raises:
            ServiceError: If it cannot be deleted.
        """


def register_resource_types(provisioner: Provisioner) -> None:
    """Have moto's CloudFormation, which has been started, create resources through the provisioner.

    The other resource types of the services that are not moto's are removed.
    """
    from moto.cloudformation.parsing import get_model_map, get_name_type_map

    for name in [name for name in get_model_map() if name.startswith(_OTHER_SERVICES)]:
        del get_model_map()[name]
    for kind in provisioner.resource_types:
        get_model_map()[kind.name] = _model(provisioner, kind)
        get_name_type_map()[kind.name] = kind.name_property


def _model(provisioner: Provisioner, kind: ResourceType) -> Any:
    """Make the class from which moto's CloudFormation creates resources of a type."""
    from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError

    class Resource:
        # the resource that this one is created in place of, and that is deleted when the stack's update has succeeded
        replaces: Resource | None = None

        def __init__(self, name: str, properties: Record, status_reason: str | None) -> None:
            self.name, self.properties, self.status_reason = name, properties, status_reason

        @property
        def physical_resource_id(self) -> str:
            return str(kind.attributes(self.name, self.properties)["Ref"])

        def is_created(self) -> bool:
            return True

        @classmethod
        def has_cfn_attr(cls, attribute: str) -> bool:
            return attribute != "Ref"

        def get_cfn_attribute(self, attribute: str) -> Any:
            attributes = kind.attributes(self.name, self.properties)
            if attribute not in attributes:
                raise UnformattedGetAttTemplateException()
            return attributes[attribute]

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Record, *_: Any, **more: Any
        ) -> Resource:
            properties = cloudformation_json["Properties"]
            try:
                return cls(resource_name, properties, provisioner.create(kind, resource_name, properties))
            except ServiceError as error:
                raise ValidationError(resource_name, error.message) from error

        @classmethod
        def update_from_cloudformation_json(
            cls, original_resource: Resource, new_resource_name: str, cloudformation_json: Record, **more: Any
        ) -> Resource:
            properties, previous = cloudformation_json["Properties"], original_resource.properties
            name = original_resource.name
            given = properties.get(kind.name_property, name)
            if given != name or any(properties.get(key) != previous.get(key) for key in kind.replacing):
                if given == name and kind.name_property in properties:
                    raise ValidationError(
                        message="CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                        f"Rename {name} and update the stack again."
                    )
                replacement = cls.create_from_cloudformation_json(new_resource_name, cloudformation_json)
                replacement.replaces = original_resource
                return replacement
            try:
                return cls(name, properties, provisioner.update(kind, name, properties, previous))
            except ServiceError as error:
                raise ValidationError(name, error.message) from error

        def delete(self, account_id: str, region: str) -> None:
            try:
                provisioner.delete(kind, self.name, self.properties)
            except ServiceError as error:
                raise ValidationError(self.name, error.message) from error

    return Resource
