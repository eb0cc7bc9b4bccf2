"""CloudFormation's resources that moto would make in its own stead, or not at all: functions and buckets are made here,
alarms, subscriptions and schedules in moto's backends. Stacks, and all other resources, are moto's.
"""

from __future__ import annotations

from typing import Any

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.cloudformation.resources import TYPES, Backends, ResourceType
from local_sagemaker.services.moto.change_sets import hook_change_sets
from local_sagemaker.storage.records import Record


class Templates:
    """Has CloudFormation, which is moto's, make resources here.

    repeating: set while moto is told again what it was told before; what is kept here is there already then.
    """

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self.repeating = False

    def prepare(self) -> None:
        """Put our types of resources in place of moto's, which has been started."""
        from moto.cloudformation.parsing import get_model_map, get_name_type_map

        for kind in TYPES:
            get_model_map()[kind.type] = self._model(kind)
            get_name_type_map()[kind.type] = kind.name_property
        hook_change_sets()

    def _make(self, kind: ResourceType, name: str, properties: Record) -> None:
        if not (self.repeating and kind.kept_here):
            kind.make(self._backends, name, properties)

    def _delete(self, kind: ResourceType, name: str, properties: Record) -> None:
        if not (self.repeating and kind.kept_here):
            kind.delete(self._backends, name, properties)

    def _model(self, kind: ResourceType) -> Any:
        """The class that moto's CloudFormation makes resources of a type with."""
        from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError

        templates = self

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
                    templates._make(kind, resource_name, properties)
                except ServiceError as error:
                    raise ValidationError(resource_name, error.message) from error
                return cls(resource_name, properties)

            @classmethod
            def update_from_cloudformation_json(
                cls, original_resource: Resource, cloudformation_json: Record, **more: Any
            ) -> Resource:
                # a change of the name is a new resource on AWS; here it keeps its name
                return cls.create_from_cloudformation_json(original_resource.name, cloudformation_json)

            def delete(self, account_id: str, region: str) -> None:
                try:
                    templates._delete(kind, self.name, self.properties)
                except ServiceError as error:
                    raise ValidationError(self.name, error.message) from error

        return Resource
