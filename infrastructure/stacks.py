"""CloudFormation stacks: creating, executing and discarding change sets, and deleting stacks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from project.errors import UserError, is_not_found

ProgressCallback = Callable[[str], None]

# parts of the reasons with which a change set without changes fails
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_CHANGE_SET_SECONDS = 300
# in which the execution of a change set begins
_BEGIN_SECONDS = 60
# statuses of resources that a stack no longer has
_DELETED = ("DELETE_COMPLETE", "DELETE_SKIPPED")


@dataclass(frozen=True)
class Stack:
    """A stack as DescribeStacks returns it.

    Attributes:
        reason: Reason of the status; may be empty.
        parameters: Values by key.
        outputs: Values by key.
    """

    name: str
    status: str
    reason: str
    updated: datetime
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def is_new(self) -> bool:
        """Whether the stack exists only for a change set that creates it."""
        return self.status == "REVIEW_IN_PROGRESS"

    @property
    def is_rolled_back(self) -> bool:
        """Whether the creation of the stack has failed, so that it can only be deleted."""
        return self.status == "ROLLBACK_COMPLETE"


@dataclass(frozen=True)
class Change:
    """A change of a resource.

    Attributes:
        action: "Add", "Modify", "Remove" and others.
        replacement: "True", "False" or "Conditional"; empty where it does not apply.
    """

    action: str
    logical_id: str
    type: str
    replacement: str


@dataclass(frozen=True)
class ChangeSet:
    """A change set; `creates` tells whether its execution creates the stack."""

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
    """Create a change set and wait until it is available.

    Args:
        client: Boto3 client of CloudFormation.
        name: Name of the stack.
        body: Template.
        parameters: Values by key.
        tags: Tags of the stack and its resources.

    Returns:
        The change set, or None if there are no changes.

    Raises:
        UserError: The status of the stack does not allow changes, or the change set fails.
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
    changes = _wait_for_changes(client, arn, name)
    change_set = ChangeSet(arn, name, creates, tuple(changes or ()))
    if changes is None:
        discard(client, change_set)
        return None
    return change_set


def discard(client: Any, change_set: ChangeSet) -> None:
    """Delete a change set, and the stack if it exists only for it."""
    client.delete_change_set(ChangeSetName=change_set.arn, StackName=change_set.stack)
    stack = find_stack(client, change_set.stack)
    if change_set.creates and stack is not None and stack.is_new:
        client.delete_stack(StackName=change_set.stack)


def delete_remains(client: Any, stack: Stack, timeout: float, report: ProgressCallback) -> None:
    """Delete a stack whose creation was rolled back, which CloudFormation can neither update nor create again.

    Args:
        client: Boto3 client of CloudFormation.
        stack: The stack.
        timeout: Maximum time to wait in seconds.
        report: Receives a line for every event of a resource.

    Raises:
        UserError: A resource of the stack is left, or the deletion fails or takes longer than the timeout.
    """
    resources = client.describe_stack_resources(StackName=stack.name)["StackResources"]
    left = [item["LogicalResourceId"] for item in resources if item["ResourceStatus"] not in _DELETED]
    if left:
        raise UserError(
            f"stack {stack.name} is ROLLBACK_COMPLETE, as its creation failed, and still has {', '.join(left)}; "
            "save what you need of them, delete the stack with `python -m infrastructure destroy` and deploy it again"
        )
    report(f"{stack.name} is ROLLBACK_COMPLETE: its creation failed and left no resources; it is deleted first")
    delete_stack(client, stack.name, timeout, report)


def execute(client: Any, change_set: ChangeSet, timeout: float, report: ProgressCallback) -> Stack:
    """Execute a change set and wait until the stack is complete.

    Args:
        client: Boto3 client of CloudFormation.
        change_set: Change set to execute.
        timeout: Maximum time to wait in seconds; after it, CloudFormation continues.
        report: Receives a line for every event of a resource.

    Raises:
        UserError: The execution fails and is rolled back, or takes longer than the timeout.
    """
    begin = _now()
    client.execute_change_set(ChangeSetName=change_set.arn, StackName=change_set.stack)
    stack = _follow(client, change_set.stack, begin, timeout, report)
    if stack is None or stack.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        status = stack.status if stack else "DELETE_COMPLETE"
        reason = next(_failures(client, change_set.stack, begin), stack.reason if stack else "")
        raise UserError(f"stack {change_set.stack} is {status}: {reason}")
    return stack


def delete_stack(client: Any, name: str, timeout: float, report: ProgressCallback) -> None:
    """Delete a stack and wait until it is deleted.

    Args:
        client: Boto3 client of CloudFormation.
        name: Name of the stack.
        timeout: Maximum time to wait in seconds; after it, CloudFormation continues.
        report: Receives a line for every event of a resource.

    Raises:
        UserError: The deletion fails, or takes longer than the timeout.
    """
    begin = _now()
    client.delete_stack(StackName=name)
    stack = _follow(client, name, begin, timeout, report)
    if stack is not None and stack.status != "DELETE_COMPLETE":
        reason = next(_failures(client, name, begin), stack.reason)
        raise UserError(f"stack {name} is {stack.status}: {reason}")


def _now() -> datetime:
    """The present time, as exact as the times of events."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _check_changeable(stack: Stack) -> None:
    if stack.status.endswith("_IN_PROGRESS"):
        raise UserError(
            f"stack {stack.name} is {stack.status}; wait until the operation ends, see "
            "`python -m infrastructure status`"
        )
    if stack.is_rolled_back:
        raise UserError(
            f"stack {stack.name} is ROLLBACK_COMPLETE, as its creation failed; "
            "`python -m infrastructure deploy` deletes it and creates it again"
        )
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        raise UserError(
            f"stack {stack.name} is UPDATE_ROLLBACK_FAILED: {stack.reason or 'no reason given'}; remove the cause, "
            f"run `aws cloudformation continue-update-rollback --stack-name {stack.name}` and deploy again"
        )
    if stack.status.endswith("_FAILED"):
        raise UserError(
            f"stack {stack.name} is {stack.status}: {stack.reason or 'no reason given'}; "
            "delete it with `python -m infrastructure destroy` and deploy it again"
        )


def _wait_for_changes(client: Any, arn: str, stack: str) -> list[Change] | None:
    """Wait for a change set; return its changes, or None if there are none."""
    deadline = time.monotonic() + _CHANGE_SET_SECONDS
    while True:
        described = client.describe_change_set(ChangeSetName=arn, StackName=stack)
        status, reason = described["Status"], described.get("StatusReason", "")
        if status == "CREATE_COMPLETE":
            return list(_changes(client, arn, stack))
        if status == "FAILED":
            if any(words in reason for words in _NO_CHANGES):
                return None
            raise UserError(f"CloudFormation cannot create a change set for stack {stack}: {reason}")
        if time.monotonic() > deadline:
            raise UserError(
                f"the change set of stack {stack} is still {status} after {_CHANGE_SET_SECONDS} s; try again later"
            )
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


def _follow(client: Any, name: str, begin: datetime, timeout: float, report: ProgressCallback) -> Stack | None:
    """Wait until no operation is in progress; return the stack, or None if it no longer exists."""
    deadline = time.monotonic() + timeout
    begin_deadline = time.monotonic() + _BEGIN_SECONDS
    reported: set[str] = set()
    while True:
        # read before the events: events between the two calls are reported in the next round
        stack = find_stack(client, name)
        for event in reversed(list(_events(client, name, begin)) if stack else []):
            if event["EventId"] not in reported:
                reported.add(event["EventId"])
                reason = f": {event['ResourceStatusReason']}" if event.get("ResourceStatusReason") else ""
                report(f"{event['LogicalResourceId']} {event['ResourceStatus']}{reason}")
        if stack is None or not stack.status.endswith("_IN_PROGRESS"):
            return stack
        if stack.is_new and time.monotonic() > begin_deadline:
            raise UserError(
                f"stack {name} is still REVIEW_IN_PROGRESS {_BEGIN_SECONDS} s after its change set was executed; "
                f"`aws cloudformation list-change-sets --stack-name {name}` shows why, then deploy again"
            )
        if time.monotonic() > deadline:
            raise UserError(
                f"stack {name} is still {stack.status} after {timeout:.0f} s and continues; see "
                "`python -m infrastructure status`"
            )
        time.sleep(5)


def _events(client: Any, name: str, begin: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield the events since `begin`, newest first."""
    for page in client.get_paginator("describe_stack_events").paginate(StackName=name):
        for event in page["StackEvents"]:
            if event["Timestamp"] < begin:
                return
            yield event


def _failures(client: Any, name: str, begin: datetime) -> Iterator[str]:
    """Yield the failures since `begin`, oldest first."""
    for event in reversed(list(_events(client, name, begin))):
        if event["ResourceStatus"].endswith("_FAILED"):
            yield f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
