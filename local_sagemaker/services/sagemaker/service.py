"""SageMaker's operations, for clients of the server and for the steps of executions."""

from __future__ import annotations

import threading
from collections.abc import Callable

from werkzeug.wrappers import Request, Response

from local_sagemaker.endpoints.manager import EndpointManager
from local_sagemaker.executions.callbacks import Callbacks
from local_sagemaker.executions.executor import Executor
from local_sagemaker.jobs.manager import JobManager
from local_sagemaker.model_monitor.metrics import PutMetrics
from local_sagemaker.model_monitor.scheduler import MonitoringScheduler
from local_sagemaker.protocol import aws_json
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.protocol.shapes import operation_model, shaped
from local_sagemaker.services.feature_store.store import FeatureStore
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.services.mlflow.servers import MlflowServers
from local_sagemaker.services.sagemaker import (
    endpoint_configs,
    endpoints,
    executions,
    feature_groups,
    job_definitions,
    jobs,
    mlflow,
    models,
    monitoring,
    pipelines,
    registry,
    search,
    tags,
)
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.options import OPTIONS
from local_sagemaker.services.sagemaker.unsupported import respond_unsupported
from local_sagemaker.storage.records import DamagedRecord, Record

Operation = Callable[[Context, Record], Record]

OPERATIONS: dict[str, Operation] = {
    **pipelines.OPERATIONS,
    **executions.OPERATIONS,
    **registry.OPERATIONS,
    **jobs.OPERATIONS,
    **models.OPERATIONS,
    **job_definitions.OPERATIONS,
    **monitoring.OPERATIONS,
    **endpoint_configs.OPERATIONS,
    **endpoints.OPERATIONS,
    **search.OPERATIONS,
    **mlflow.OPERATIONS,
    **feature_groups.OPERATIONS,
    **tags.OPERATIONS,
}


class SageMakerService:
    """The service of one data directory. It owns the executor and the scheduler, which call its operations."""

    def __init__(
        self,
        job_manager: JobManager,
        functions: LambdaService,
        endpoint_manager: EndpointManager,
        feature_store: FeatureStore,
        glue: Call,
        put_metric_data: PutMetrics,
        mlflow_servers: MlflowServers,
        send_message: Callable[[str, str], None],
        workers: int | None = None,
    ) -> None:
        """Make the service.

        Args:
            job_manager: Runs jobs; the service works on its records and objects.
            functions: Invoked by Lambda steps.
            endpoint_manager: Hosts endpoints.
            feature_store: Has the records of feature groups.
            glue: Calls an operation of Glue.
            put_metric_data: Puts metrics of monitoring executions to CloudWatch.
            mlflow_servers: Runs MLflow Apps and tracking servers.
            send_message: Sends the message of a Callback step to the SQS queue of a URL.
            workers: How many steps run at once; by default one a processor.
        """
        lock = threading.RLock()
        callbacks = Callbacks(job_manager.store, send_message)
        executor = Executor(self.call, functions, callbacks, job_manager, workers)
        scheduler = MonitoringScheduler(
            self.call, job_manager, endpoint_manager.data_capture.flush, put_metric_data, lock
        )
        self.context = Context(
            store=job_manager.store,
            objects=job_manager.objects,
            jobs=job_manager,
            endpoint_manager=endpoint_manager,
            executor=executor,
            callbacks=callbacks,
            monitoring_scheduler=scheduler,
            mlflow_servers=mlflow_servers,
            lock=lock,
            call=self.call,
            feature_store=feature_store,
            glue=glue,
        )

    def respond(self, request: Request) -> Response:
        return aws_json.write_response(self.call(*aws_json.read_request(request)))

    def call(self, operation: str, request: Record) -> Record:
        """Answer an operation, e.g. `call("CreateModelPackage", {...})`, with the JSON of its response.

        Times are epoch seconds.

        Raises:
            ServiceError: The error that a client would see.
        """
        model = operation_model("sagemaker", operation)
        if operation not in OPERATIONS:
            return respond_unsupported(operation, request, OPERATIONS)
        members = OPTIONS.checked(operation, request)
        try:
            response = OPERATIONS[operation](self.context, members)
        except DamagedRecord as error:
            raise ServiceError("ValidationException", str(error)) from error
        return shaped(model.output_shape, response) if model.output_shape else {}
