"""SageMaker's operations, answered in this process: for clients of the server and for the steps of executions."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import check_request, operation_model, shaped
from local_sagemaker.services.sagemaker import (
    endpoint_configs,
    endpoints,
    executions,
    job_definitions,
    models,
    monitoring,
    pipelines,
    registry,
    tags,
)
from local_sagemaker.services.sagemaker import jobs as job_operations
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import DamagedRecord, RecordStore

if TYPE_CHECKING:
    from local_sagemaker.endpoints.manager import EndpointManager
    from local_sagemaker.executions.executor import Executor
    from local_sagemaker.jobs.manager import JobManager
    from local_sagemaker.model_monitor.scheduler import MonitoringScheduler
    from local_sagemaker.services.lambda_.service import LambdaService

Operation = Callable[["SageMakerService", dict[str, Any]], dict[str, Any]]

OPERATIONS: dict[str, Operation] = {
    **pipelines.OPERATIONS,
    **executions.OPERATIONS,
    **registry.OPERATIONS,
    **job_operations.OPERATIONS,
    **models.OPERATIONS,
    **job_definitions.OPERATIONS,
    **monitoring.OPERATIONS,
    **endpoint_configs.OPERATIONS,
    **endpoints.OPERATIONS,
    **tags.OPERATIONS,
}


class SageMakerService:
    """The service of one data directory.

    `jobs`, `endpoint_manager`, `executor`, `functions` and `monitoring_scheduler` are set once all are there, since
    executor and scheduler call this service themselves.
    """

    jobs: "JobManager"
    endpoint_manager: "EndpointManager"
    executor: "Executor"
    functions: "LambdaService"
    monitoring_scheduler: "MonitoringScheduler"

    def __init__(self, store: RecordStore, objects: ObjectStore, region: str = REGION, account: str = ACCOUNT) -> None:
        self.store = store
        self.objects = objects
        self.region = region
        self.account = account
        # held by operations that read records and write them again
        self.lock = threading.RLock()

    def arn(self, kind: str, name: str) -> str:
        """The ARN of `name`, which the service writes in lower case."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one operation, e.g. `call("CreateModelPackage", {...})`, as the JSON of its response.

        Times are epoch seconds. Raises ServiceError, as a client over HTTP would see it.
        """
        model = operation_model("sagemaker", operation)
        if operation not in OPERATIONS:
            raise ServiceError("UnknownOperationException", f"{operation} is not supported by the local SageMaker")
        check_request(model.input_shape, request)
        given = {name: value for name, value in request.items() if value is not None}
        try:
            response = OPERATIONS[operation](self, given)
        except DamagedRecord as error:
            raise ServiceError("ValidationException", str(error)) from error
        return shaped(model.output_shape, response) if model.output_shape else {}
