"""Endpoint step: creates an endpoint, or updates the existing one of the same name."""

from __future__ import annotations

import time

from local_sagemaker.executions.steps.step_type import (
    Outcome,
    StepFailed,
    StepRun,
    StepStopped,
    StepType,
    invoke,
    resolved_arguments,
    without_tags,
)
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record

POLL_SECONDS = 0.05


class Endpoint(StepType):
    operation = "CreateEndpoint"

    def run(self, run: StepRun) -> Outcome:
        request = {"EndpointName": run.job_name, **resolved_arguments(run)}
        exists = _exists(run, request["EndpointName"])
        if exists:
            request.pop("Tags", None)
        arn = invoke(run, "UpdateEndpoint" if exists else "CreateEndpoint", request)["EndpointArn"]
        run.set_metadata({"Endpoint": {"Arn": arn}})
        description = _wait(run, request["EndpointName"])
        in_service = description["EndpointStatus"] == "InService"
        if not in_service or description["EndpointConfigName"] != request["EndpointConfigName"]:
            raise StepFailed(description.get("FailureReason", f"the endpoint is {description['EndpointStatus']}"))
        return Outcome(description)

    def cache_key(self, run: StepRun) -> Record | None:
        return without_tags(resolved_arguments(run))


def _exists(run: StepRun, name: str) -> bool:
    try:
        run.call("DescribeEndpoint", {"EndpointName": name})
    except ServiceError:
        return False
    return True


def _wait(run: StepRun, name: str) -> Record:
    """Return the endpoint's description as soon as no change is in progress.

    There is no timeout: the containers' own start-up timeout ends a change.

    Raises:
        StepStopped: The execution is being stopped; the change of the endpoint continues.
    """
    while True:
        description = invoke(run, "DescribeEndpoint", {"EndpointName": name})
        if description["EndpointStatus"] not in ("Creating", "Updating", "RollingBack"):
            return description
        if run.stopping:
            raise StepStopped
        time.sleep(POLL_SECONDS)
