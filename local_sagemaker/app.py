"""The parts of the local SageMaker, wired up: for the server, and for tests without a server."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from local_sagemaker.account import DEFAULT_BUCKET
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.warm_python import WarmPython
from local_sagemaker.data_dir import DataDir
from local_sagemaker.endpoints.invocations import SageMakerRuntime
from local_sagemaker.endpoints.manager import IDLE_SECONDS, EndpointManager
from local_sagemaker.events.engine import EventEngine
from local_sagemaker.events.object_notifications import ObjectNotifications
from local_sagemaker.events.queue_poller import QueuePoller
from local_sagemaker.events.targets import Targets
from local_sagemaker.jobs.manager import JobManager
from local_sagemaker.protocol.service import Service, WithFallback
from local_sagemaker.services.athena.queries import Queries
from local_sagemaker.services.athena.service import AthenaService
from local_sagemaker.services.cloudformation.provisioner import ResourceProvisioner
from local_sagemaker.services.cloudformation.resource_type import Backends
from local_sagemaker.services.feature_store.service import FeatureStoreRuntime
from local_sagemaker.services.feature_store.store import FeatureStore
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.services.logs.service import LogsService
from local_sagemaker.services.mlflow.servers import MlflowServers
from local_sagemaker.services.mlflow.service import MlflowService
from local_sagemaker.services.moto import state
from local_sagemaker.services.moto.backend import MotoBackend
from local_sagemaker.services.s3.service import S3Service
from local_sagemaker.services.sagemaker.service import SageMakerService
from local_sagemaker.services.sts_iam.service import IdentityService
from local_sagemaker.storage.database import DamagedDatabase, Database
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.record_kinds import MONITORING_EXECUTION, PIPELINE_EXECUTION, RESOURCES
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record, RecordStore

CLOSE_SECONDS = 5
WARM_UP_SECONDS = 1

_BUSY_KINDS = [kind for kind in RESOURCES if kind.is_job or kind in (PIPELINE_EXECUTION, MONITORING_EXECUTION)]


class CloudWatch(Protocol):
    """The part of CloudWatch that monitors and endpoints use."""

    def put_metric_data(self, namespace: str, data: list[Record], /) -> None: ...

    def alarm_states(self, names: list[str], /) -> dict[str, str]: ...


@dataclass(frozen=True)
class App:
    """The parts of a local SageMaker. Nothing runs before `start`, and nothing after `close`.

    Attributes:
        services: By the name that requests are signed for; `moto` answers for all others.
    """

    data_dir: DataDir
    database: Database
    store: RecordStore
    objects: ObjectStore
    jobs: JobManager
    functions: LambdaService
    endpoint_manager: EndpointManager
    feature_store: FeatureStore
    queries: Queries
    sagemaker: SageMakerService
    moto: MotoBackend
    services: Mapping[str, Service]
    warm_python: WarmPython | None

    def start(self) -> None:
        """Recover the unfinished work of an earlier server, and start schedules, events and alarms."""
        self.objects.create_bucket(DEFAULT_BUCKET)
        self.sagemaker.context.executor.recover()
        self.functions.recover()
        self.feature_store.recover()
        self.queries.recover()
        self.endpoint_manager.recover()
        self.moto.resume()
        self.sagemaker.context.monitoring_scheduler.start()
        # delayed, so that the process that started this one has the processors first; a job that needs it does not wait
        if self.warm_python is not None:
            warm_up = threading.Timer(WARM_UP_SECONDS, self.warm_python.command)
            warm_up.daemon = True
            warm_up.start()

    def busy(self) -> int:
        """Return how many executions and jobs are running."""
        running = ("Executing", "InProgress", "Stopping")
        return sum(self.store.count(Query(kind.kind, equal={"status": running})) for kind in _BUSY_KINDS)

    def close(self) -> None:
        """End all jobs, endpoints and functions, and give the threads that record their end a moment."""
        self.sagemaker.context.monitoring_scheduler.close()
        remaining = self.sagemaker.context.executor.close()
        self.endpoint_manager.close()
        self.functions.close()
        self.queries.close()
        self.feature_store.close()
        deadline = time.monotonic() + CLOSE_SECONDS
        while self.busy() > remaining and time.monotonic() < deadline:
            time.sleep(0.02)
        # last of all: jobs may log to them until their end
        self.sagemaker.context.mlflow_servers.close()
        if self.warm_python is not None:
            self.warm_python.close()
        self.database.close()


def build(
    data_dir: DataDir,
    cloudwatch: CloudWatch,
    *,
    environment: Mapping[str, str] | None = None,
    images: Images | None = None,
    warm_python: WarmPython | None = None,
    workers: int | None = None,
    idle_seconds: float = IDLE_SECONDS,
) -> App:
    """Make the local SageMaker of a data directory.

    Args:
        data_dir: Its path must be free of symbolic links.
        cloudwatch: Where metrics of endpoints and monitors go, and the states of alarms come from.
        environment: Variables of jobs, endpoints and functions that these cannot override, such as those that keep AWS
            clients on this machine.
        images: What runs container images; by default this Python.
        warm_python: Closed with the app.
        workers: How many steps of pipelines run at once; by default one a processor.
        idle_seconds: After which the container of a serverless endpoint stops.
    """
    images = images or Images(warm_python)
    data_dir.make()
    _check_database(data_dir)
    database = Database(data_dir.database)
    store, objects = RecordStore(data_dir, database), ObjectStore(data_dir, database)

    def put_training_metrics(namespace: str, data: list[Record]) -> None:
        # a job does not start moto, which takes seconds
        moto.call_when_started(partial(state.put_metric_data, namespace, data))

    jobs = JobManager(store, objects, environment, images, put_metric_data=put_training_metrics)
    functions = LambdaService(store, objects, environment)
    endpoint_manager = EndpointManager(
        store,
        objects,
        environment,
        images,
        put_metric_data=cloudwatch.put_metric_data,
        alarm_states=cloudwatch.alarm_states,
        idle_seconds=idle_seconds,
    )
    mlflow_servers = MlflowServers(data_dir, environment or {})
    feature_store = FeatureStore(store, objects, database)

    def glue(operation: str, request: Record) -> Record:
        # moto is made below, because its stacks create resources of SageMaker
        return moto.call("glue", operation, request)

    def send_message(queue_url: str, message: str) -> None:
        # queues of an earlier server are there when moto has started
        moto.restore()
        name = queue_url.rpartition("/")[2]
        state.send_message(name, message, group="callbacks" if name.endswith(".fifo") else None)

    sagemaker = SageMakerService(
        jobs,
        functions,
        endpoint_manager,
        feature_store,
        glue,
        cloudwatch.put_metric_data,
        mlflow_servers,
        send_message,
        workers,
    )
    events = EventEngine(store, Targets(sagemaker.call, functions), QueuePoller(store, functions))
    provisioner = ResourceProvisioner(Backends(functions, objects, sagemaker.call))
    moto = MotoBackend(data_dir, database, events, provisioner)
    notifications = ObjectNotifications(objects, events, moto.start)
    identity = WithFallback(IdentityService(), moto)
    queries = Queries(store, objects, feature_store, glue)
    services: dict[str, Service] = {
        "sagemaker": sagemaker,
        "sagemaker-runtime": SageMakerRuntime(endpoint_manager),
        "sagemaker-mlflow": MlflowService(store, mlflow_servers),
        "sagemaker-featurestore-runtime": FeatureStoreRuntime(feature_store),
        "athena": WithFallback(AthenaService(queries), moto),
        "s3": S3Service(objects, data_dir, database, notifications.check),
        "lambda": functions,
        "logs": WithFallback(LogsService(store), moto),
        "sts": identity,
        "iam": identity,
    }
    return App(
        data_dir,
        database,
        store,
        objects,
        jobs,
        functions,
        endpoint_manager,
        feature_store,
        queries,
        sagemaker,
        moto,
        services,
        warm_python,
    )


def _check_database(data_dir: DataDir) -> None:
    """Refuse an empty file where the database of a data directory in use was, which SQLite would take for a new one.

    Raises:
        DamagedDatabase: It is empty.
    """
    file = data_dir.database
    in_use = data_dir.objects.exists() and not data_dir.records.exists()
    if file.exists() and not file.stat().st_size and in_use:
        raise DamagedDatabase(
            f"the database {file} is empty, although the data directory has been used; restore it from a backup, or "
            "delete it to start without records"
        )
