"""The endpoints of one data directory: created, updated and deleted in background threads.

A record (kind `endpoint`, name in lower case) holds DescribeEndpoint's response and two plans of the form
`{"Config": endpoint configuration, "Containers": {variant: container}}`, with containers as
`services.sagemaker.models.serving_container` returns them. `Deployed` is the plan in service, `Pending` the one that is
being deployed. Because a plan is complete, an endpoint outlives its endpoint configuration and its models.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.inference_pipeline import ServedModel, containers_of, served_model
from local_sagemaker.containers.model_server import ModelServer
from local_sagemaker.containers.output import LogStream
from local_sagemaker.endpoints.data_capture import DataCapture, DataCaptureConfig
from local_sagemaker.endpoints.endpoint import Endpoint, Fleet, FleetFailed
from local_sagemaker.endpoints.explainer import Explainer
from local_sagemaker.endpoints.metrics import InvocationMetrics
from local_sagemaker.endpoints.traffic_shifting import AlarmStates, DeploymentRolledBack, deployment_plan, shift_traffic
from local_sagemaker.endpoints.variant import Variant
from local_sagemaker.jobs.job import LONGEST_REASON
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.files import remove_tree
from local_sagemaker.storage.log_files import endpoint_group, log_file
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record, RecordStore

log = logging.getLogger(__name__)

KIND = record_kinds.ENDPOINT.kind
IN_PROGRESS = ("Creating", "Updating", "RollingBack", "Deleting", "SystemUpdating")
# in the names of its folder and log stream; variants' names have no underscore
EXPLAINER = "clarify_explainer"
# until an idle serverless endpoint stops its container
IDLE_SECONDS = 300.0
# SageMaker's timeout for the response of a container, in seconds
INVOCATION_TIMEOUT = 60.0
# for CloudWatch to load while an endpoint starts
CLOUDWATCH_SECONDS = 10.0


class EndpointManager:
    """Runs the endpoints of one data directory.

    Args:
        store: Where endpoints are recorded.
        objects: Where models are read from and captured data is written to.
        environment: Variables of every container that it cannot override.
        images: The images that can run.
        put_metric_data: Publishes metrics; takes a namespace and MetricData, as PutMetricData does.
        alarm_states: Returns the states of alarms by name; alarms that do not exist are left out.
        idle_seconds: When an idle serverless endpoint stops its container.
    """

    def __init__(
        self,
        store: RecordStore,
        objects: ObjectStore,
        environment: Mapping[str, str] | None = None,
        images: Images | None = None,
        *,
        put_metric_data: Callable[[str, list[Record]], None] = lambda namespace, data: None,
        alarm_states: AlarmStates = lambda names: {},
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.data_capture = DataCapture(objects)
        self.metrics = InvocationMetrics(put_metric_data)
        self._store, self._objects = store, objects
        self._environment = dict(environment or {})
        self._images = images or Images()
        self._alarm_states = alarm_states
        self._idle_seconds = idle_seconds
        self._folder = store.data_dir.endpoints
        # by name in lower case
        self._in_service: dict[str, Endpoint] = {}
        # fleets that do not belong to an endpoint yet, so that `close` can stop them
        self._starting: set[Fleet] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def find(self, name: str) -> Endpoint | None:
        """Return the endpoint in service with this name."""
        return self._in_service.get(name.lower())

    def create(self, name: str) -> None:
        """Start an endpoint whose record was just created, with status Creating, in the background."""
        self._in_thread(self._create, name)

    def update(self, name: str) -> None:
        """Deploy the Pending plan of an endpoint, whose status is Updating, in the background."""
        self._in_thread(self._update, name)

    def update_weights(self, name: str) -> None:
        """Apply weights and capacities of the Deployed plan of an endpoint, whose status is Updating."""
        self._in_thread(self._update_weights, name)

    def delete(self, name: str) -> None:
        """Drain an endpoint, whose status is Deleting, and delete its record, in the background."""
        endpoint = self._in_service.pop(name.lower(), None)
        self._in_thread(self._delete, name, endpoint)

    def recover(self) -> None:
        """Restore the endpoints of an earlier server, one after the other. Call it first."""
        remove_tree(self._folder)
        fleets: list[Fleet] = []
        for record in self._store.all(KIND):
            try:
                fleets += self._restore(record)
            except Exception as error:
                # the other endpoints are still restored
                log.exception("endpoint %s: internal error", record["EndpointName"])
                reason = f"InternalServerError: {type(error).__name__}: {error}"
                self._change(record["EndpointName"], EndpointStatus="Failed", FailureReason=reason)
        threading.Thread(target=self._restart, args=(fleets,), name="endpoints", daemon=True).start()

    def _restore(self, record: Record) -> list[Fleet]:
        """Restore an endpoint of an earlier server. Returns its fleet if that has to be started."""
        name, status = record["EndpointName"], record["EndpointStatus"]
        if status == "Deleting":
            self._delete_record(record)
        elif status == "Creating":
            self.create(name)
        elif status != "Failed":
            if status in IN_PROGRESS:
                self._set_in_service(name, record["Deployed"], "the local SageMaker stopped during the update")
            fleet = self._fleet(name, record["Deployed"])
            self._in_service[name.lower()] = Endpoint(name, fleet)
            return [fleet]
        return []

    def close(self) -> None:
        """Stop all containers and write the captured data; called when the server stops."""
        self._closing.set()
        with self._lock:
            fleets = [
                *self._starting,
                *(fleet for endpoint in list(self._in_service.values()) for fleet in endpoint.fleets),
            ]
        threads = [threading.Thread(target=fleet.close, daemon=True) for fleet in fleets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.metrics.close()
        self.data_capture.close()

    def _create(self, name: str) -> None:
        plan = self._record(name)["Pending"]
        fleet = self._fleet(name, plan)
        try:
            self._start(fleet)
        except FleetFailed as error:
            fleet.close()
            if self._closing.is_set():
                # the next server tries again
                return
            self._change(name, EndpointStatus="Failed", FailureReason=str(error)[:LONGEST_REASON])
            return
        self._in_service[name.lower()] = Endpoint(name, fleet)
        self._set_in_service(name, plan)

    def _update(self, name: str) -> None:
        record, endpoint = self._record(name), self._in_service[name.lower()]
        old, pending = endpoint.fleets[0], record["Pending"]
        instances = sum(variant.get("InitialInstanceCount", 1) for variant in pending["Config"]["ProductionVariants"])
        new = self._fleet(name, pending)
        try:
            self._start(new)
            plan = deployment_plan(record.get("LastDeploymentConfig"), instances)
            shift_traffic(plan, partial(endpoint.set_traffic_share, new), self._alarm_states, self._closing)
        except Exception as error:
            if self._closing.is_set():
                # the next server rolls back
                return
            reason = str(error)
            if not isinstance(error, FleetFailed | DeploymentRolledBack):
                log.exception("endpoint %s: internal error", name)
                reason = f"InternalServerError: {type(error).__name__}: {error}"
            self._change(name, EndpointStatus="RollingBack")
            endpoint.use_only(old)
            self._set_in_service(name, record["Deployed"], reason)
            new.drain_and_close(INVOCATION_TIMEOUT)
            return
        endpoint.use_only(new)
        self._set_in_service(name, pending)
        old.drain_and_close(INVOCATION_TIMEOUT)

    def _update_weights(self, name: str) -> None:
        plan = self._record(name)["Deployed"]
        configs = {config["VariantName"]: config for config in plan["Config"]["ProductionVariants"]}
        for variant in self._in_service[name.lower()].fleets[0].variants:
            variant.configure(configs[variant.name])
        self._set_in_service(name, plan)

    def _delete(self, name: str, endpoint: Endpoint | None) -> None:
        for fleet in endpoint.fleets if endpoint else []:
            fleet.drain_and_close(INVOCATION_TIMEOUT)
        self._delete_record(self._record(name))

    def _delete_record(self, record: Record) -> None:
        self._store.delete(record_kinds.TAGS, record["EndpointArn"])
        self._store.delete(KIND, record["EndpointName"].lower())

    def _start(self, fleet: Fleet) -> None:
        """Start a fleet that does not belong to an endpoint yet. Raises FleetFailed."""
        with self._lock:
            self._starting.add(fleet)
        try:
            if self._closing.is_set():
                raise FleetFailed("the local SageMaker is stopping")
            load = threading.Thread(target=self._load_cloudwatch, name="load CloudWatch", daemon=True)
            load.start()
            fleet.start()
            load.join(CLOUDWATCH_SECONDS)
        finally:
            with self._lock:
                self._starting.discard(fleet)

    def _load_cloudwatch(self) -> None:
        """Use CloudWatch for the first time, which takes seconds of a processor.

        The first metrics of the endpoint would do it otherwise, and requests to the endpoint would wait.
        """
        try:
            self._alarm_states([])
        except Exception as error:
            log.warning("cannot reach CloudWatch: %s", error)

    def _restart(self, fleets: list[Fleet]) -> None:
        for fleet in fleets:
            try:
                self._start(fleet)
            except FleetFailed as error:
                # the next request tries again
                if not self._closing.is_set():
                    log.warning("%s", error)

    def _fleet(self, name: str, plan: Record) -> Fleet:
        variants = [
            Variant(
                config,
                partial(self._server, name, config["VariantName"], plan["Containers"][config["VariantName"]]),
                self._idle_seconds,
            )
            for config in plan["Config"]["ProductionVariants"]
        ]
        for variant in variants:
            if not variant.is_always_on:
                threading.Thread(target=self._stop_when_idle, args=(variant,), daemon=True).start()
        capture = DataCaptureConfig.from_endpoint_config(plan["Config"].get("DataCaptureConfig"))
        explainer = self._explainer(name, plan["Config"].get("ExplainerConfig"))
        return Fleet(plan["Config"]["EndpointConfigName"], tuple(variants), capture, explainer)

    def _server(self, endpoint: str, variant: str, model: Record) -> ServedModel:
        return served_model(
            model,
            self._container_folder(endpoint, variant),
            partial(self._log_stream, endpoint, variant),
            lambda container, folder, log_stream: ModelServer(
                container, folder, self._objects, self._environment, log_stream, self._images
            ),
        )

    def _explainer(self, endpoint: str, config: Record | None) -> Explainer | None:
        if config is None:
            return None
        folder = self._container_folder(endpoint, EXPLAINER)
        log_stream = self._log_stream(endpoint, EXPLAINER)
        return Explainer(config["ClarifyExplainerConfig"], folder, self._objects, self._environment, log_stream)

    def _container_folder(self, endpoint: str, container: str) -> Path:
        return self._folder / endpoint / f"{container}-{uuid.uuid4().hex[:12]}"

    def _log_stream(self, endpoint: str, container: str, name: str = "") -> LogStream:
        stream = f"{container}/i-{int(time.time())}{name}"
        return LogStream(log_file(self._store.data_dir, endpoint_group(endpoint), stream), lambda line, now: None)

    def _stop_when_idle(self, variant: Variant) -> None:
        while not variant.closed and not self._closing.wait(min(1.0, self._idle_seconds / 4)):
            variant.stop_if_idle()

    def _set_in_service(self, name: str, plan: Record, failure: str | None = None) -> None:
        self._change(
            name,
            EndpointStatus="InService",
            EndpointConfigName=plan["Config"]["EndpointConfigName"],
            FailureReason=failure[:LONGEST_REASON] if failure else None,
            Deployed=plan,
            Pending=None,
            PendingDeploymentSummary=None,
            ProductionVariants=[_variant_summary(config, plan) for config in plan["Config"]["ProductionVariants"]],
            DataCaptureConfig=_capture_summary(plan["Config"].get("DataCaptureConfig")),
            ExplainerConfig=plan["Config"].get("ExplainerConfig"),
        )

    def _change(self, name: str, **changes: Any) -> None:
        self._store.update_best_effort(KIND, name.lower(), **changes, LastModifiedTime=time.time())

    def _record(self, name: str) -> Record:
        record = self._store.get(KIND, name.lower())
        if record is None:
            raise KeyError(f"endpoint {name!r} does not exist")
        return record

    def _in_thread(self, work: Callable[..., None], name: str, *arguments: Any) -> None:
        def run() -> None:
            try:
                work(name, *arguments)
            except Exception as error:
                log.exception("endpoint %s: internal error", name)
                self._change(
                    name, EndpointStatus="Failed", FailureReason=f"InternalServerError: {type(error).__name__}: {error}"
                )

        threading.Thread(target=run, name=f"endpoint {name}", daemon=True).start()


def _variant_summary(config: Record, plan: Record) -> Record:
    weight, count = config.get("InitialVariantWeight", 1.0), config.get("InitialInstanceCount")
    images = [container["Image"] for container in containers_of(plan["Containers"][config["VariantName"]])]
    return {
        "VariantName": config["VariantName"],
        "DeployedImages": [
            {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": time.time()} for image in images
        ],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
        "CurrentServerlessConfig": config.get("ServerlessConfig"),
        "RoutingConfig": config.get("RoutingConfig"),
    }


def _capture_summary(config: Record | None) -> Record | None:
    if config is None:
        return None
    enabled = config.get("EnableCapture", True)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }
