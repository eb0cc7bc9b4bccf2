"""What Create, Describe, List and Delete of simple resources have in common."""

from __future__ import annotations

from dataclasses import dataclass

from local_sagemaker.account import CALLER_ARN, CALLER_ID, sagemaker_arn
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page, within
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.tags import put_tags
from local_sagemaker.storage.record_kinds import TAGS, RecordKind
from local_sagemaker.storage.records import Record

USER_CONTEXT = {"IamIdentity": {"Arn": CALLER_ARN, "PrincipalId": CALLER_ID}}


@dataclass(frozen=True)
class Resource:
    """Resources whose records are named by the resource's name in lower case, as in its ARN.

    Attributes:
        missing, exists: What SageMaker answers where there is no such resource, or already is one: error code and
            message, with `{arn}` and `{name}` for those of the resource.
    """

    kind: RecordKind
    missing: tuple[str, str]
    exists: tuple[str, str]

    def arn(self, name: str) -> str:
        return sagemaker_arn(self.kind.kind, name)

    def find(self, context: Context, name: str) -> Record:
        """Return the record of a resource. Raises ServiceError if there is none."""
        record = context.store.get(self.kind.kind, name.lower())
        if record is None:
            raise self._error(self.missing, name)
        return record

    def all(self, context: Context) -> list[Record]:
        """Return the records of all resources of this kind, oldest first."""
        return context.store.all(self.kind.kind)

    def create(self, context: Context, record: Record, tags: list[Record]) -> Record:
        """Write the record of a new resource, its tags beside it; returns its ARN as Create operations do.

        Raises:
            ServiceError: There is one of that name.
        """
        name, arn = record[self.kind.name_member], record[self.kind.arn_member]
        if not context.store.create(self.kind.kind, name.lower(), record):
            raise self._error(self.exists, name)
        put_tags(context, arn, tags)
        return {self.kind.arn_member: arn}

    def update(self, context: Context, record: Record, **changes: object) -> None:
        """Merge changes into the record of a resource."""
        context.store.update(self.kind.kind, record[self.kind.name_member].lower(), **changes)

    def delete(self, context: Context, record: Record) -> None:
        """Delete the record of a resource and its tags."""
        context.store.delete(TAGS, record[self.kind.arn_member])
        context.store.delete(self.kind.kind, record[self.kind.name_member].lower())

    def _error(self, error: tuple[str, str], name: str) -> ServiceError:
        code, message = error
        return ServiceError(code, message.format(arn=self.arn(name), name=name))


def without_tags(request: Record) -> Record:
    """Return the members of a Create request that its Describe operation answers with."""
    return {member: value for member, value in request.items() if member != "Tags"}


def list_page(records: list[Record], request: Record, noun: str) -> tuple[list[Record], Record]:
    """Return the page of records that a List request is for, and the NextToken member of the response.

    Args:
        records: All there are.
        request: As `matching` and `page` take it; sorted by CreationTime, or by SortBy (Name or Status).
        noun: What the records' members are called after, such as `Model` of ModelName.

    Raises:
        ServiceError: The NextToken is invalid.
    """
    member = {"Name": f"{noun}Name", "Status": f"{noun}Status"}.get(request.get("SortBy", ""), "CreationTime")
    chosen = matching(records, request, noun)
    return page(chosen, request, key=lambda record: record[member], name=lambda record: record[f"{noun}Name"])


def matching(records: list[Record], request: Record, noun: str) -> list[Record]:
    """Return the records that match NameContains, StatusEquals and the bounds on times of a List request."""
    part, status = request.get("NameContains", "").lower(), request.get("StatusEquals")
    return [
        record
        for record in records
        if part in record[f"{noun}Name"].lower()
        and status in (None, record.get(f"{noun}Status"))
        and within(record["CreationTime"], request.get("CreationTimeAfter"), request.get("CreationTimeBefore"))
        and within(
            record.get("LastModifiedTime"),
            request.get("LastModifiedTimeAfter"),
            request.get("LastModifiedTimeBefore"),
        )
    ]
