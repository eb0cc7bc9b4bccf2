"""The context of SageMaker's operations."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from local_sagemaker.endpoints.manager import EndpointManager
from local_sagemaker.executions.callbacks import Callbacks
from local_sagemaker.executions.executor import Executor
from local_sagemaker.jobs.manager import JobManager
from local_sagemaker.model_monitor.scheduler import MonitoringScheduler
from local_sagemaker.protocol.service import Call
from local_sagemaker.services.feature_store.store import FeatureStore
from local_sagemaker.services.mlflow.servers import MlflowServers
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import RecordStore


@dataclass(frozen=True)
class Context:
    """Records, objects and managers of one data directory.

    Attributes:
        lock: Held by operations that read records and write them back.
        call: Calls another operation of SageMaker.
        feature_store: The records of feature groups.
        glue: Calls an operation of Glue, which has the tables of offline stores.
    """

    store: RecordStore
    objects: ObjectStore
    jobs: JobManager
    endpoint_manager: EndpointManager
    executor: Executor
    callbacks: Callbacks
    monitoring_scheduler: MonitoringScheduler
    mlflow_servers: MlflowServers
    lock: threading.RLock
    call: Call
    feature_store: FeatureStore
    glue: Call
