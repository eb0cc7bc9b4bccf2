"""Resources of CloudFormation stacks that moto would only simulate, or does not support.

Functions and buckets are created in the local SageMaker's services; alarms, subscriptions and schedules in moto's
state, where they take effect. moto creates the stacks and all other resources.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from local_sagemaker.services.cloudformation.resource_types import RESOURCE_TYPES, Backends, ResourceType
from local_sagemaker.storage.records import Record


class ResourceProvisioner:
    """Creates and deletes the resources of `RESOURCE_TYPES` in one data directory."""

    resource_types = RESOURCE_TYPES

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._replaying = False

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Skip persistent resources while moto's journal is replayed: they exist already, or were deleted."""
        self._replaying = True
        try:
            yield
        finally:
            self._replaying = False

    def put(self, kind: ResourceType, name: str, properties: Record) -> None:
        """Create or update a resource."""
        if not (self._replaying and kind.persistent):
            kind.put(self._backends, name, properties)

    def delete(self, kind: ResourceType, name: str, properties: Record) -> None:
        """Delete a resource if it exists."""
        if not (self._replaying and kind.persistent):
            kind.delete(self._backends, name, properties)
