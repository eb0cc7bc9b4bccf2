"""Operations on a function's resource policy."""

from __future__ import annotations

import json
from collections.abc import Callable

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.lambda_.manager import KIND, LATEST, FunctionManager, name_and_qualifier, qualified_arn
from local_sagemaker.services.lambda_.revisions import check_revision
from local_sagemaker.storage.records import Record

# condition keys of members that a caller must match
EQUAL = {
    "SourceAccount": "AWS:SourceAccount",
    "EventSourceToken": "lambda:EventSourceToken",
    "PrincipalOrgID": "aws:PrincipalOrgID",
}


def add_permission(functions: FunctionManager, request: Record) -> Record:
    name, qualifier = request["FunctionName"], request.get("Qualifier")
    if name_and_qualifier(name, qualifier)[1] == LATEST:
        raise ServiceError("InvalidParameterValueException", "We currently do not support adding policies for $LATEST.")
    statement = _statement(request, qualified_arn(name, qualifier))
    with functions.lock:
        record = functions.function(name, qualifier)
        check_revision(functions.resource(name, qualifier), request)
        existing = functions.policy(name, qualifier)
        if any(other["Sid"] == statement["Sid"] for other in existing):
            raise ServiceError(
                "ResourceConflictException",
                f"The statement id ({statement['Sid']}) provided already exists. Please provide a new statement id, "
                "or remove the existing statement.",
            )
        _put_policy(functions, record, [*record["Policy"], statement])
    return {"Statement": json.dumps(statement)}


def remove_permission(functions: FunctionManager, request: Record) -> Record:
    name, qualifier = request["FunctionName"], request.get("Qualifier")
    with functions.lock:
        record = functions.function(name, qualifier)
        check_revision(functions.resource(name, qualifier), request)
        policy = functions.policy(name, qualifier)
        removed = [statement for statement in policy if statement["Sid"] == request["StatementId"]]
        if not removed:
            raise _no_policy(f"Statement {request['StatementId']} is not found in resource policy.")
        _put_policy(functions, record, [statement for statement in record["Policy"] if statement not in removed])
    return {}


def get_policy(functions: FunctionManager, request: Record) -> Record:
    name, qualifier = request["FunctionName"], request.get("Qualifier")
    statements = functions.policy(name, qualifier)
    if not statements:
        raise _no_policy("The resource you requested does not exist.")
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    resource = functions.resource(name, qualifier)
    return {"Policy": json.dumps(policy), "RevisionId": resource["RevisionId"]}


def _statement(request: Record, arn: str) -> Record:
    principal = request["Principal"]
    condition: Record = {}
    if source := request.get("SourceArn"):
        condition["ArnLike"] = {"AWS:SourceArn": source}
    if equal := {key: request[member] for member, key in EQUAL.items() if member in request}:
        condition["StringEquals"] = equal
    if principal.isdecimal():
        principal = f"arn:aws:iam::{principal}:root"
    kind = "AWS" if principal.startswith("arn:") else "Service"
    return {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": principal if principal == "*" else {kind: principal},
        "Action": request["Action"],
        "Resource": arn,
        **({"Condition": condition} if condition else {}),
    }


def _put_policy(functions: FunctionManager, record: Record, policy: list[Record]) -> None:
    functions.store.update(KIND, record["Configuration"]["FunctionName"], Policy=policy)


def _no_policy(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message)


OPERATIONS: dict[str, Callable[[FunctionManager, Record], Record]] = {
    "AddPermission": add_permission,
    "RemovePermission": remove_permission,
    "GetPolicy": get_policy,
}
