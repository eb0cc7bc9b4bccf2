"""CloudWatch Logs for the log groups of SageMaker's jobs and of Lambda functions, read from their log files."""

from __future__ import annotations

from werkzeug.wrappers import Request, Response

from local_sagemaker.protocol import aws_json
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import NotImplementedHere
from local_sagemaker.services.logs import groups, operations, queries
from local_sagemaker.services.logs.options import OPTIONS
from local_sagemaker.storage import log_files
from local_sagemaker.storage.records import Record, RecordStore

GROUP_OPERATIONS = {**operations.OPERATIONS, **groups.OPERATIONS}
OPERATIONS = [*GROUP_OPERATIONS, *queries.OPERATIONS]


class LogsService:
    """The log groups of the jobs, endpoints and functions of one data directory."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._queries = queries.Queries(store)

    def respond(self, request: Request) -> Response:
        """Answer an HTTP request; raises NotImplementedHere for other log groups."""
        operation, members = aws_json.read_request(request)
        if self.has(operation, members):
            return aws_json.write_response(self.call(operation, members))
        if operation in operations.OPERATIONS:
            # moto would ignore the options
            OPTIONS.checked(operation, members, "InvalidParameterException")
        raise NotImplementedHere(operation)

    def has(self, operation: str, request: Record) -> bool:
        """Return whether a request is about log groups kept here: those of jobs, and of functions that have run."""
        if operation in queries.OPERATIONS:
            return self._has_query(operation, request)
        name = request.get("logGroupName") or request.get("logGroupIdentifier") or request.get("logGroupNamePrefix")
        if not isinstance(name, str):
            return False
        if operation == "CreateLogGroup":
            return groups.can_create(name)
        is_functions = any(group.startswith(groups.group_name(name)) for group in self._groups())
        return "/aws/sagemaker/" in name or ("/aws/lambda/" in name and operation in OPERATIONS and is_functions)

    def call(self, operation: str, request: Record) -> Record:
        """Answer an operation of CloudWatch Logs.

        Raises:
            ServiceError: CloudWatch Logs' error.
        """
        if operation not in OPERATIONS:
            raise ServiceError(
                "InvalidParameterException", f"{operation} is not supported for the log groups of jobs and functions"
            )
        members = OPTIONS.checked(operation, request, "InvalidParameterException")
        if operation in queries.OPERATIONS:
            return queries.OPERATIONS[operation](self._queries, members)
        return GROUP_OPERATIONS[operation](self._store, members)

    def _has_query(self, operation: str, request: Record) -> bool:
        if "queryId" in request:
            return request["queryId"] in self._queries.results
        if operation == "StartQuery":
            return any(name in self._groups() for name in queries.groups_of_query(request))
        return request.get("logGroupName") in (None, *self._groups())

    def _groups(self) -> list[str]:
        return log_files.groups(self._store.data_dir)
