"""The Lambda service: its operations for clients, and invocations for the rest of the local SageMaker."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from werkzeug.wrappers import Request, Response

from local_sagemaker.protocol import rest_json
from local_sagemaker.protocol.bodies import read_body
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import operation_model, shaped
from local_sagemaker.services.lambda_ import event_sources, operations, permissions, versions
from local_sagemaker.services.lambda_.manager import FunctionManager
from local_sagemaker.services.lambda_.options import OPTIONS
from local_sagemaker.services.lambda_.process import Invocation
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record, RecordStore

# an archive of 50 MB in base64, and the other members
LONGEST_REQUEST = 70 << 20

OPERATIONS: dict[str, Callable[[FunctionManager, Record], Record]] = {
    **operations.OPERATIONS,
    **permissions.OPERATIONS,
    **versions.OPERATIONS,
    **event_sources.OPERATIONS,
}


class LambdaService:
    """The functions of one data directory.

    Args:
        store: Where functions are recorded.
        objects: Where archives in S3 are read from.
        environment: Variables of every function that it cannot override, such as those that send AWS clients to the
            local server.
    """

    def __init__(self, store: RecordStore, objects: ObjectStore, environment: Mapping[str, str] | None = None) -> None:
        self.manager = FunctionManager(store, objects, environment or {})

    def respond(self, request: Request) -> Response:
        """Answer an HTTP request."""
        body = read_body(request, LONGEST_REQUEST)
        try:
            operation, members = rest_json.read_request("lambda", request, body)
            return rest_json.write_response("lambda", operation, self.call(operation, members))
        except ServiceError as error:
            return rest_json.write_error("lambda", error)

    def call(self, operation: str, request: Record) -> Record:
        """Answer an operation, e.g. `call("GetFunction", {"FunctionName": "f"})`.

        Raises:
            ServiceError: Lambda's error.
        """
        model = operation_model("lambda", operation)
        if operation not in OPERATIONS:
            raise ServiceError("UnknownOperationException", f"{operation} is not supported by the local Lambda")
        members = OPTIONS.checked(operation, request, "InvalidParameterValueException")
        response = OPERATIONS[operation](self.manager, members)
        return shaped(model.output_shape, response) if model.output_shape else {}

    def function(self, name_or_arn: str) -> Record:
        """Return the record of a function; see `FunctionManager.function`."""
        return self.manager.function(name_or_arn)

    def policy(self, name_or_arn: str) -> list[Record]:
        """Return the statements of a function's resource policy; see `FunctionManager.policy`."""
        return self.manager.policy(name_or_arn)

    def invoke(self, name_or_arn: str, payload: bytes) -> Invocation:
        """Invoke a function synchronously; see `FunctionManager.invoke`."""
        return self.manager.invoke(name_or_arn, payload)

    def invoke_later(self, name_or_arn: str, payload: bytes) -> None:
        """Invoke a function asynchronously; see `FunctionManager.invoke_later`."""
        self.manager.invoke_later(name_or_arn, payload)

    def recover(self) -> None:
        """Run the asynchronous invocations that an earlier server accepted and did not finish."""
        self.manager.recover()

    def close(self) -> None:
        """End every function's process; called when the server stops."""
        self.manager.close()
