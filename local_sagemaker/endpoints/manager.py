"""The endpoints of one data directory: brought up, updated, ended; a thread does what takes long.

A record (kind `endpoint`, name in lower case) is DescribeEndpoint's answer and two members of ours, plans of the form
{"Config": an endpoint configuration, "Containers": by variant, as `api.models.serving_container` gives them}.
`Deployed` is what answers, `Pending` what is to; the endpoint needs neither its configuration nor its models any more.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.model_server import ModelServer
from local_sagemaker.containers.output import LogStream
from local_sagemaker.endpoints.capture import Capture, CaptureConfig
from local_sagemaker.endpoints.endpoint import Endpoint, Fleet, FleetFailed
from local_sagemaker.endpoints.metrics import Metrics
from local_sagemaker.endpoints.rollout import AlarmStates, RolledBack, carry_out, rollout
from local_sagemaker.endpoints.variant import Variant
from local_sagemaker.jobs.job import LONGEST_REASON
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.log_files import endpoint_group, log_file
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record, RecordStore

log = logging.getLogger(__name__)


KIND = record_kinds.ENDPOINT.kind
IN_PROGRESS = ("Creating", "Updating", "RollingBack", "Deleting", "SystemUpdating")
# until a serverless endpoint that nobody asks stops its container
IDLE_SECONDS = 300.0
# the longest that SageMaker lets a container take for an answer
ANSWER_SECONDS = 60.0


class EndpointManager:
    """What runs the endpoints.

    environment: variables for every container that it can't override. put_metric_data: takes a namespace and data as
    PutMetricData does. alarm_states: gives the states, by name, of those of the named alarms that there are.
    idle_seconds: after which the container of a serverless endpoint stops.
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
        self.capture = Capture(objects)
        self.metrics = Metrics(put_metric_data)
        self._store, self._objects = store, objects
        self._environment = dict(environment or {})
        self._images = images or Images()
        self._alarm_states = alarm_states
        self._idle_seconds = idle_seconds
        self._folder = store.data_dir.endpoints
        self._live: dict[str, Endpoint] = {}
        # fleets that are in no endpoint yet, so that they can be ended
        self._coming: set[Fleet] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def find(self, name: str) -> Endpoint | None:
        """The endpoint that answers under this name."""
        return self._live.get(name.lower())

    def create(self, name: str) -> None:
        """Bring up the endpoint whose record has just been put, in status Creating; returns at once."""
        self._in_thread(self._create, name)

    def update(self, name: str) -> None:
        """Move an endpoint, now in status Updating, to its Pending plan; returns at once."""
        self._in_thread(self._update, name)

    def reweigh(self, name: str) -> None:
        """Give the variants of an endpoint, now in status Updating, what its Deployed plan says of them."""
        self._in_thread(self._reweigh, name)

    def delete(self, name: str) -> None:
        """End an endpoint, now in status Deleting, and remove its record once its requests are answered."""
        endpoint = self._live.pop(name.lower(), None)
        self._in_thread(self._delete, name, endpoint)

    def recover(self) -> None:
        """Go on with the endpoints of an earlier server, one after the other. Call it before anything else."""
        shutil.rmtree(self._folder, ignore_errors=True)
        found: list[Fleet] = []
        for record in self._store.all(KIND):
            try:
                found += self._restore(record)
            except Exception as error:  # one that cannot be taken up keeps no other from it
                log.exception("endpoint %s: internal error", record["EndpointName"])
                reason = f"InternalServerError: {type(error).__name__}: {error}"
                self._change(record["EndpointName"], EndpointStatus="Failed", FailureReason=reason)
        threading.Thread(target=self._start_again, args=(found,), name="endpoints", daemon=True).start()

    def _restore(self, record: Record) -> list[Fleet]:
        """Go on with an endpoint of an earlier server; its fleet, if that is to be started."""
        name, status = record["EndpointName"], record["EndpointStatus"]
        if status == "Deleting":
            self._forget(record)
        elif status == "Creating":
            self.create(name)
        elif status != "Failed":
            if status in IN_PROGRESS:
                self._in_service(name, record["Deployed"], "the local SageMaker ended during the update")
            fleet = self._fleet(name, record["Deployed"])
            self._live[name.lower()] = Endpoint(name, fleet)
            return [fleet]
        return []

    def close(self) -> None:
        """End all containers at once, and write what was captured; for the end of the server."""
        self._closing.set()
        with self._lock:
            fleets = [*self._coming, *(fleet for endpoint in list(self._live.values()) for fleet in endpoint.fleets)]
        threads = [threading.Thread(target=fleet.close, daemon=True) for fleet in fleets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.metrics.close()
        self.capture.close()

    def _create(self, name: str) -> None:
        plan = self._record(name)["Pending"]
        fleet = self._fleet(name, plan)
        try:
            self._start(fleet)
        except FleetFailed as error:
            fleet.close()
            if self._closing.is_set():
                return  # the next server tries again
            self._change(name, EndpointStatus="Failed", FailureReason=str(error)[:LONGEST_REASON])
            return
        self._live[name.lower()] = Endpoint(name, fleet)
        self._in_service(name, plan)

    def _update(self, name: str) -> None:
        record, endpoint = self._record(name), self._live[name.lower()]
        old, pending = endpoint.fleets[0], record["Pending"]
        instances = sum(variant.get("InitialInstanceCount", 1) for variant in pending["Config"]["ProductionVariants"])
        new = self._fleet(name, pending)
        try:
            self._start(new)
            plan = rollout(record.get("LastDeploymentConfig"), instances)
            carry_out(plan, partial(endpoint.share, new), self._alarm_states, self._closing)
        except Exception as error:
            if self._closing.is_set():
                return  # the next server finds what has been left
            reason = str(error)
            if not isinstance(error, FleetFailed | RolledBack):
                log.exception("endpoint %s: internal error", name)
                reason = f"InternalServerError: {type(error).__name__}: {error}"
            self._change(name, EndpointStatus="RollingBack")
            endpoint.settle(old)
            self._in_service(name, record["Deployed"], reason)
            new.retire(ANSWER_SECONDS)
            return
        endpoint.settle(new)
        self._in_service(name, pending)
        old.retire(ANSWER_SECONDS)

    def _reweigh(self, name: str) -> None:
        plan = self._record(name)["Deployed"]
        configs = {config["VariantName"]: config for config in plan["Config"]["ProductionVariants"]}
        for variant in self._live[name.lower()].fleets[0].variants:
            variant.configure(configs[variant.name])
        self._in_service(name, plan)

    def _delete(self, name: str, endpoint: Endpoint | None) -> None:
        for fleet in endpoint.fleets if endpoint else []:
            fleet.retire(ANSWER_SECONDS)
        self._forget(self._record(name))

    def _forget(self, record: Record) -> None:
        self._store.delete(record_kinds.TAGS, record["EndpointArn"])
        self._store.delete(KIND, record["EndpointName"].lower())

    def _start(self, fleet: Fleet) -> None:
        """Start a fleet that is not live yet. Raises FleetFailed."""
        with self._lock:
            self._coming.add(fleet)
        try:
            if self._closing.is_set():
                raise FleetFailed("the local SageMaker ended")
            fleet.start()
        finally:
            with self._lock:
                self._coming.discard(fleet)

    def _start_again(self, fleets: list[Fleet]) -> None:
        for fleet in fleets:
            try:
                self._start(fleet)
            except FleetFailed as error:
                if not self._closing.is_set():
                    log.warning("%s", error)  # the next request tries again, and hears the same

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
            if not variant.stays_up:
                threading.Thread(target=self._stop_when_idle, args=(variant,), daemon=True).start()
        return Fleet(tuple(variants), CaptureConfig.of(plan["Config"].get("DataCaptureConfig")))

    def _server(self, endpoint: str, variant: str, container: Record) -> ModelServer:
        folder = self._folder / endpoint / f"{variant}-{uuid.uuid4().hex[:12]}"
        stream = f"{variant}/i-{int(time.time())}"
        file = log_file(self._store.data_dir, endpoint_group(endpoint), stream)
        stream_log = LogStream(file, lambda line, now: None)
        return ModelServer(container, folder, self._objects, self._environment, stream_log, self._images)

    def _stop_when_idle(self, variant: Variant) -> None:
        while not variant.closed and not self._closing.wait(min(1.0, self._idle_seconds / 4)):
            variant.stop_if_idle()

    def _in_service(self, name: str, plan: Record, failure: str | None = None) -> None:
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
        )

    def _change(self, name: str, **changes: Any) -> None:
        self._store.update_best_effort(KIND, name.lower(), **changes, LastModifiedTime=time.time())

    def _record(self, name: str) -> Record:
        record = self._store.get(KIND, name.lower())
        if record is None:
            raise KeyError(f"no endpoint is called {name!r}")
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
    image = plan["Containers"][config["VariantName"]]["Image"]
    return {
        "VariantName": config["VariantName"],
        "DeployedImages": [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": time.time()}],
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
