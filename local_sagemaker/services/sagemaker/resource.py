"""Create, find, list and delete: the common part of operations on simple resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_sagemaker.account import CALLER_ARN, CALLER_ID, sagemaker_arn
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page_of_query
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.tags import put_tags
from local_sagemaker.storage.record_kinds import TAGS, RecordKind
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record

USER_CONTEXT = {"IamIdentity": {"Arn": CALLER_ARN, "PrincipalId": CALLER_ID}}


@dataclass(frozen=True)
class Resource:
    """Resources whose records are named by the last part of the resource's ARN: its name, in lower case, or its id.

    Attributes:
        kind: The kind of their records.
        missing: SageMaker's error if there is no such resource: code and message, in which `{arn}` and `{name}` stand
            for those of the resource.
        exists: Its error if there is a resource of that name.
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

    def create(self, context: Context, record: Record, tags: list[Record]) -> Record:
        """Write the record of a new resource and its tags; return its ARN as Create operations do.

        Raises:
            ServiceError: There is a resource of that name.
        """
        arn = record[self.kind.arn_member]
        with context.store.transaction():
            if not context.store.create(self.kind.kind, self._key(record), record):
                raise self._error(self.exists, record[self.kind.name_member])
            put_tags(context, arn, tags)
        return {self.kind.arn_member: arn}

    def update(self, context: Context, record: Record, **changes: object) -> None:
        """Merge changes into the record of a resource."""
        context.store.update(self.kind.kind, self._key(record), **changes)

    def delete(self, context: Context, record: Record) -> None:
        """Delete the record of a resource and its tags."""
        with context.store.transaction():
            context.store.delete(TAGS, record[self.kind.arn_member])
            context.store.delete(self.kind.kind, self._key(record))

    def _key(self, record: Record) -> str:
        return str(record[self.kind.arn_member]).rpartition("/")[2]

    def _error(self, error: tuple[str, str], name: str) -> ServiceError:
        code, message = error
        return ServiceError(code, message.format(arn=self.arn(name), name=name))


def without_tags(request: Record) -> Record:
    """Return the members of a Create request that its Describe operation answers with."""
    return {member: value for member, value in request.items() if member != "Tags"}


# columns of the database by SortBy
SORTS = {
    "CreationTime": "created",
    "Name": "title",
    "PipelineExecutionArn": "title",
    "ScheduledTime": "scheduled",
    "Status": "status",
}


def list_page(
    context: Context,
    kind: RecordKind,
    request: Record,
    equal: Mapping[str, Any] | None = None,
    *,
    given: Sequence[str] = (),
    lacking: Sequence[str] = (),
    sort_by: str = "CreationTime",
    order: str = "Descending",
) -> tuple[list[Record], Record]:
    """Return the page of records that a List request is for, and the NextToken member of the response.

    Args:
        context: The context of the operation.
        kind: The kind of the records.
        request: Its StatusEquals, NameContains, bounds on times, SortBy, SortOrder, MaxResults and NextToken are
            honoured.
        equal: Further values that records have, by column; None stands for any.
        given: Columns of members that records have.
        lacking: Columns of members that records do not have.
        sort_by: The default of SortBy.
        order: The default of SortOrder.

    Raises:
        ServiceError: The NextToken is invalid.
    """
    wanted = {"status": request.get("StatusEquals"), **(equal or {})}
    between = {
        "created": _bounds(request, "CreationTime", "Created"),
        "modified": _bounds(request, "LastModifiedTime"),
        "scheduled": _bounds(request, "ScheduledTime"),
    }
    query = Query(
        kind.kind,
        equal={column: value for column, value in wanted.items() if value is not None},
        given=given,
        lacking=lacking,
        between=between,
        containing=request.get("NameContains", ""),
        prefix=request.get("PipelineNamePrefix", ""),
        sort=SORTS[request.get("SortBy", sort_by)],
    )
    return page_of_query(context.store, query, request, order=order)


def _bounds(request: Record, *times: str) -> tuple[float | None, float | None]:
    after, before = (
        next((request[time + side] for time in times if time + side in request), None) for side in ("After", "Before")
    )
    return after, before
