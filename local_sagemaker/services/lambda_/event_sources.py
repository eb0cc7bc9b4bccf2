"""Operations on event source mappings: SQS queues whose messages invoke a function.

`local_sagemaker.events.queue_poller` reads the queues.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page_of_query
from local_sagemaker.services.lambda_.manager import FunctionManager, paging, qualified_arn
from local_sagemaker.storage.record_kinds import LAMBDA_EVENT_SOURCE
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record

KIND = LAMBDA_EVENT_SOURCE
# of a standard queue
DEFAULT_BATCH_SIZE = 10


def create_mapping(functions: FunctionManager, request: Record) -> Record:
    source = request.get("EventSourceArn", "")
    if source.split(":")[2:3] != ["sqs"]:
        raise ServiceError(
            "InvalidParameterValueException",
            f"EventSourceArn {source!r} is not supported by the local Lambda; use the ARN of an SQS queue",
        )
    function_arn = _function_arn(functions, request)
    with functions.lock:
        for mapping in functions.store.all(KIND):
            if (mapping["EventSourceArn"], mapping["FunctionArn"]) == (source, function_arn):
                raise ServiceError(
                    "ResourceConflictException",
                    f'An event source mapping with SQS arn (" {source} ") and function (" {function_arn} ") already '
                    f"exists. Please update or delete the existing mapping with UUID {mapping['UUID']}",
                )
        mapping_id = str(uuid.uuid4())
        mapping = {
            "UUID": mapping_id,
            "EventSourceMappingArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{mapping_id}",
            "EventSourceArn": source,
            "FunctionArn": function_arn,
            "BatchSize": request.get("BatchSize", DEFAULT_BATCH_SIZE),
            "MaximumBatchingWindowInSeconds": request.get("MaximumBatchingWindowInSeconds", 0),
            "State": _state(request.get("Enabled", True)),
            "StateTransitionReason": "USER_INITIATED",
            "LastModified": time.time(),
        }
        functions.store.put(KIND, mapping_id, mapping)
    return mapping


def get_mapping(functions: FunctionManager, request: Record) -> Record:
    mapping = functions.store.get(KIND, request["UUID"])
    if mapping is None:
        raise ServiceError("ResourceNotFoundException", "The resource you requested does not exist.")
    return mapping


def update_mapping(functions: FunctionManager, request: Record) -> Record:
    with functions.lock:
        get_mapping(functions, request)
        members = ("BatchSize", "MaximumBatchingWindowInSeconds")
        changes: Record = {member: request[member] for member in members if member in request}
        if "Enabled" in request:
            changes["State"] = _state(request["Enabled"])
        if "FunctionName" in request:
            changes["FunctionArn"] = _function_arn(functions, request)
        functions.store.update(KIND, request["UUID"], LastModified=time.time(), **changes)
    return get_mapping(functions, request)


def delete_mapping(functions: FunctionManager, request: Record) -> Record:
    with functions.lock:
        mapping = get_mapping(functions, request)
        functions.store.delete(KIND, request["UUID"])
    return {**mapping, "State": "Deleting"}


def list_mappings(functions: FunctionManager, request: Record) -> Record:
    equal = {"parent": request["EventSourceArn"]} if "EventSourceArn" in request else {}
    if "FunctionName" in request:
        equal["title"] = qualified_arn(request["FunctionName"])
    query = Query(KIND, equal=equal, sort="title")
    found, following = page_of_query(functions.store, query, paging(request, 100), order="Ascending")
    return {"EventSourceMappings": found, "NextMarker": following.get("NextToken")}


def _function_arn(functions: FunctionManager, request: Record) -> str:
    functions.function(request["FunctionName"])
    return qualified_arn(request["FunctionName"])


def _state(enabled: bool) -> str:
    return "Enabled" if enabled else "Disabled"


OPERATIONS: dict[str, Callable[[FunctionManager, Record], Record]] = {
    "CreateEventSourceMapping": create_mapping,
    "GetEventSourceMapping": get_mapping,
    "UpdateEventSourceMapping": update_mapping,
    "DeleteEventSourceMapping": delete_mapping,
    "ListEventSourceMappings": list_mappings,
}
