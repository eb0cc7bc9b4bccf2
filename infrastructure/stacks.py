"""CloudFormation stacks: change sets that are shown before they are executed, and waiting for what follows."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from project.errors import UserError, is_not_found

Report = Callable[[str], None]

# a change set that changes nothing fails with one of these
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_CHANGE_SET_SECONDS = 300


@dataclass(frozen=True)
class Stack:
    """What DescribeStacks says. parameters, outputs: values by key. reason: of the status, empty for none."""

    name: str
    status: str
    reason: str
    updated: datetime
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def is_new(self) -> bool:
        """Whether it is there for the sake of a change set only."""
        return self.status == "REVIEW_IN_PROGRESS"


@dataclass(frozen=True)
class Change:
    """action: Add, Modify, Remove ... replacement: True, False or Conditional, empty where that says nothing."""

    action: str
    logical_id: str
    type: str
    replacement: str


@dataclass(frozen=True)
class ChangeSet:
    """creates: whether its execution makes the stack."""

    arn: str
    stack: str
    creates: bool
    changes: tuple[Change, ...]


def find_stack(client: Any, name: str) -> Stack | None:
    try:
        (described,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    return Stack(
        name=described["StackName"],
        status=described["StackStatus"],
        reason=described.get("StackStatusReason", ""),
        updated=described.get("LastUpdatedTime", described["CreationTime"]),
        parameters={item["ParameterKey"]: item["ParameterValue"] for item in described.get("Parameters", [])},
        outputs={item["OutputKey"]: item["OutputValue"] for item in described.get("Outputs", [])},
    )


def create_change_set(
    client: Any, name: str, body: str, parameters: Mapping[str, str], tags: Mapping[str, str]
) -> ChangeSet | None:
    """What a template would change of a stack; None for nothing.

    Raises:
        UserError: the stack can't be changed as it is, or CloudFormation can't make the change set.
    """
    stack = find_stack(client, name)
    if stack is not None and not stack.is_new:
        _check_changeable(stack)
    creates = stack is None or stack.is_new
    arn = client.create_change_set(
        StackName=name,
        ChangeSetName=f"change-{uuid.uuid4().hex}",
        ChangeSetType="CREATE" if creates else "UPDATE",
        TemplateBody=body,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
        Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
    )["Id"]
    changes = _await_changes(client, arn, name)
    change_set = ChangeSet(arn, name, creates, tuple(changes or ()))
    if changes is None:
        discard(client, change_set)
        return None
    return change_set


def discard(client: Any, change_set: ChangeSet) -> None:
    """Delete a change set, with the stack that was only there for it."""
    client.delete_change_set(ChangeSetName=change_set.arn, StackName=change_set.stack)
    stack = find_stack(client, change_set.stack)
    if change_set.creates and stack is not None and stack.is_new:
        client.delete_stack(StackName=change_set.stack)


def execute(client: Any, change_set: ChangeSet, timeout: float, report: Report) -> Stack:
    """Carry a change set out and wait for its end.

    timeout: in seconds. report: gets a line for whatever happens to a resource.

    Raises:
        UserError: it fails, and CloudFormation takes back what it did; or it takes too long and goes on.
    """
    begin = datetime.now(UTC)
    client.execute_change_set(ChangeSetName=change_set.arn, StackName=change_set.stack)
    stack = _follow(client, change_set.stack, begin, timeout, report)
    if stack is None or stack.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        status = stack.status if stack else "gone"
        reason = next(_failures(client, change_set.stack, begin), stack.reason if stack else "")
        raise UserError(f"stack {change_set.stack} is {status}: {reason}")
    return stack


def delete_stack(client: Any, name: str, timeout: float, report: Report) -> None:
    """Delete a stack and wait until it is gone.

    Raises:
        UserError: it can't be deleted, or that takes too long and goes on.
    """
    begin = datetime.now(UTC)
    client.delete_stack(StackName=name)
    stack = _follow(client, name, begin, timeout, report)
    if stack is not None and stack.status != "DELETE_COMPLETE":
        reason = next(_failures(client, name, begin), stack.reason)
        raise UserError(f"stack {name} is {stack.status}: {reason}")


def physical_ids(client: Any, name: str) -> dict[str, str]:
    """The ids of a stack's resources by their logical ones."""
    pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
    return {
        item["LogicalResourceId"]: item.get("PhysicalResourceId", "")
        for page in pages
        for item in page["StackResourceSummaries"]
    }


def _check_changeable(stack: Stack) -> None:
    if stack.status == "ROLLBACK_COMPLETE":
        raise UserError(
            f"stack {stack.name} could not be made the first time and has to be deleted before it is made again: "
            f"give `destroy` with the same --stack"
        )
    if stack.status.endswith("_IN_PROGRESS"):
        raise UserError(f"stack {stack.name} is {stack.status}; wait until that has ended (`status` shows it)")


def _await_changes(client: Any, arn: str, stack: str) -> list[Change] | None:
    """The changes of a change set; None where CloudFormation finds none."""
    deadline = time.monotonic() + _CHANGE_SET_SECONDS
    while True:
        described = client.describe_change_set(ChangeSetName=arn, StackName=stack)
        status, reason = described["Status"], described.get("StatusReason", "")
        if status == "CREATE_COMPLETE":
            return list(_changes(client, arn, stack))
        if status == "FAILED":
            if any(words in reason for words in _NO_CHANGES):
                return None
            raise UserError(f"CloudFormation can't make a change set of stack {stack}: {reason}")
        if time.monotonic() > deadline:
            raise UserError(f"the change set of stack {stack} is still {status} after {_CHANGE_SET_SECONDS} s")
        time.sleep(2)


def _changes(client: Any, arn: str, stack: str) -> Iterator[Change]:
    for page in client.get_paginator("describe_change_set").paginate(ChangeSetName=arn, StackName=stack):
        for item in page.get("Changes", []):
            change = item["ResourceChange"]
            yield Change(
                action=change["Action"],
                logical_id=change["LogicalResourceId"],
                type=change["ResourceType"],
                replacement=change.get("Replacement", ""),
            )


def _follow(client: Any, name: str, begin: datetime, timeout: float, report: Report) -> Stack | None:
    """Wait until nothing is in progress; None where the stack is gone."""
    deadline = time.monotonic() + timeout
    told: set[str] = set()
    while True:
        # asked for first: what happens between the two calls is told the next time
        stack = find_stack(client, name)
        for event in reversed(list(_events(client, name, begin)) if stack else []):
            if event["EventId"] not in told:
                told.add(event["EventId"])
                reason = f": {event['ResourceStatusReason']}" if event.get("ResourceStatusReason") else ""
                report(f"{event['LogicalResourceId']} {event['ResourceStatus']}{reason}")
        if stack is None or not stack.status.endswith("_IN_PROGRESS"):
            return stack
        if time.monotonic() > deadline:
            raise UserError(f"stack {name} is still {stack.status} after {timeout:.0f} s and goes on; see `status`")
        time.sleep(5)


def _events(client: Any, name: str, begin: datetime) -> Iterator[Mapping[str, Any]]:
    """What has happened since, the newest first."""
    for page in client.get_paginator("describe_stack_events").paginate(StackName=name):
        for event in page["StackEvents"]:
            if event["Timestamp"] < begin:
                return
            yield event


def _failures(client: Any, name: str, begin: datetime) -> Iterator[str]:
    """What failed, the first first."""
    for event in reversed(list(_events(client, name, begin))):
        if event["ResourceStatus"].endswith("_FAILED"):
            yield f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
