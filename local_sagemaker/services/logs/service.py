"""CloudWatch Logs for the log groups of SageMaker's jobs and of Lambda functions, read from their log files."""

from __future__ import annotations

from werkzeug.wrappers import Request, Response

from local_sagemaker.data_dir import DataDir
from local_sagemaker.protocol import aws_json
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import NotImplementedHere
from local_sagemaker.protocol.shapes import check_request, operation_model, without_nulls
from local_sagemaker.services.logs.operations import OPERATIONS, group_name
from local_sagemaker.services.logs.options import OPTIONS
from local_sagemaker.storage.log_files import groups
from local_sagemaker.storage.records import Record


class LogsService:
    """The log groups of the jobs and functions of one data directory."""

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir

    def respond(self, request: Request) -> Response:
        """Answer an HTTP request; raises NotImplementedHere for other log groups."""
        operation, members = aws_json.read_request(request)
        if self.has(operation, members):
            return aws_json.write_response(self.call(operation, members))
        if operation in OPERATIONS:
            # moto would ignore the options
            _check(operation, members)
        raise NotImplementedHere(operation)

    def has(self, operation: str, request: Record) -> bool:
        """Return whether a request is about log groups kept here: those of jobs, and of functions that have run."""
        name = request.get("logGroupName") or request.get("logGroupIdentifier") or request.get("logGroupNamePrefix")
        if not isinstance(name, str):
            return False
        is_functions = any(group.startswith(group_name(name)) for group in groups(self._data_dir))
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
        _check(operation, request)
        return OPERATIONS[operation](self._data_dir, without_nulls(request))


def _check(operation: str, request: Record) -> None:
    """Raise ServiceError for a request that is not valid, or asks for an option that is not implemented."""
    check_request(operation_model("logs", operation).input_shape, request)
    if refusal := OPTIONS.refusal(operation, request):
        raise ServiceError("InvalidParameterException", refusal)
