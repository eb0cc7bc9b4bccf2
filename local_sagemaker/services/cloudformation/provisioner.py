"""Resources of CloudFormation stacks that moto would only simulate, or does not support.

Functions, buckets and SageMaker's resources are created in the local SageMaker's services; alarms, subscriptions and
schedules in moto's state, where they take effect. moto creates the stacks and all other resources.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.cloudformation.resource_type import Backends, ResourceType
from local_sagemaker.services.cloudformation.resource_types import RESOURCE_TYPES
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)


@dataclass
class Operation:
    """One request to CloudFormation, which creates, updates and deletes resources in an order that replays repeat.

    Attributes:
        failures: Messages of the calls for persistent resources that failed, by the call's number.
        replayed: Whether the calls took place before the server was started: they are skipped, and those in `failures`
            fail again.
        resumed: Whether an earlier server may have carried out a part of it.
        calls: How many calls there were.
    """

    failures: Record = field(default_factory=dict)
    replayed: bool = False
    resumed: bool = False
    calls: int = 0


class ResourceProvisioner:
    """Creates and deletes the resources of `RESOURCE_TYPES` in one data directory; one request at a time."""

    resource_types = RESOURCE_TYPES

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._operation = Operation()

    def begin(self, failures: Record | None = None, *, replayed: bool = False, resumed: bool = False) -> Record:
        """Begin a request; see `Operation`. Returns its failures, filled while the request is executed."""
        self._operation = Operation(failures if failures is not None else {}, replayed, resumed)
        return self._operation.failures

    def create(self, kind: ResourceType, name: str, properties: Record) -> str | None:
        """Create a resource; one of that name must not exist, unless an interrupted request has created it."""

        def create() -> None:
            kind.check(properties)
            if kind.exists is not None and kind.exists(self._backends, name, properties):
                if not self._operation.resumed:
                    raise ServiceError(
                        "AlreadyExistsException",
                        f"Resource of type '{kind.name}' with identifier '{name}' already exists.",
                    )
                kind.update(self._backends, name, properties, {})
            else:
                kind.create(self._backends, name, properties)

        self._call(kind, create)
        return kind.remark(properties)

    def update(self, kind: ResourceType, name: str, properties: Record, previous: Record) -> str | None:
        """Update a resource."""

        def update() -> None:
            kind.check(properties)
            kind.update(self._backends, name, properties, previous)

        self._call(kind, update)
        return kind.remark(properties)

    def delete(self, kind: ResourceType, name: str, properties: Record) -> None:
        """Delete a resource if it exists."""

        def delete() -> None:
            if kind.exists is None or kind.exists(self._backends, name, properties):
                kind.delete(self._backends, name, properties)

        self._call(kind, delete)

    def _call(self, kind: ResourceType, call: Callable[[], None]) -> None:
        if not kind.persistent:
            call()
            return
        operation = self._operation
        number = str(operation.calls)
        operation.calls += 1
        if operation.replayed:
            if number in operation.failures:
                raise ServiceError("ValidationError", operation.failures[number])
            return
        try:
            call()
        except ServiceError as error:
            operation.failures[number] = error.message
            raise
        except Exception as error:
            log.exception("unexpected error of %s", kind.name)
            operation.failures[number] = f"{type(error).__name__}: {error}"
            raise ServiceError("ValidationError", operation.failures[number]) from error
