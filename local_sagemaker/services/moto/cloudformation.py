"""Resource types that moto's CloudFormation creates through a `Provisioner` instead of in moto."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record


class ResourceType(Protocol):
    """A resource type of CloudFormation, e.g. `AWS::S3::Bucket`."""

    @property
    def name(self) -> str:
        """The type's name."""

    @property
    def name_property(self) -> str:
        """The property with which a template names the resource."""

    def attributes(self, name: str, properties: Record, /) -> Record:
        """The values of `Ref` and of each attribute of Fn::GetAtt."""


class Provisioner(Protocol):
    """Creates and deletes the resources of stacks."""

    @property
    def resource_types(self) -> tuple[ResourceType, ...]:
        """The resource types that it provisions."""

    def put(self, kind: Any, name: str, properties: Record) -> None:
        """Create or update a resource of one of `resource_types`.

        Raises:
            ServiceError: If the stack has to fail.
        """

    def delete(self, kind: Any, name: str, properties: Record) -> None:
        """Delete a resource if it exists.

        Raises:
            ServiceError: If the stack has to fail.
        """

    def replaying(self) -> AbstractContextManager[None]:
        """Skip, in this context, the resources that outlived the server."""


def register_resource_types(provisioner: Provisioner) -> None:
    """Have moto's CloudFormation, which has been started, create resources through the provisioner."""
    from moto.cloudformation.parsing import get_model_map, get_name_type_map

    for kind in provisioner.resource_types:
        get_model_map()[kind.name] = _model(provisioner, kind)
        get_name_type_map()[kind.name] = kind.name_property


def _model(provisioner: Provisioner, kind: ResourceType) -> Any:
    """Make the class from which moto's CloudFormation creates resources of a type."""
    from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError

    class Resource:
        def __init__(self, name: str, properties: Record) -> None:
            self.name, self.properties = name, properties

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
                provisioner.put(kind, resource_name, properties)
            except ServiceError as error:
                raise ValidationError(resource_name, error.message) from error
            return cls(resource_name, properties)

        @classmethod
        def update_from_cloudformation_json(
            cls, original_resource: Resource, cloudformation_json: Record, **more: Any
        ) -> Resource:
            # on AWS, a new name means a new resource; here the resource keeps its name
            return cls.create_from_cloudformation_json(original_resource.name, cloudformation_json)

        def delete(self, account_id: str, region: str) -> None:
            try:
                provisioner.delete(kind, self.name, self.properties)
            except ServiceError as error:
                raise ValidationError(self.name, error.message) from error

    return Resource
