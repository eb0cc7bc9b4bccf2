"""Endpoint: an endpoint of that configuration, made where there is none of that name and updated where there is."""

from __future__ import annotations

import time

from local_sagemaker.executions.steps.step_type import (
    Outcome,
    StepFailed,
    StepRun,
    StepStopped,
    StepType,
    invoke,
    without_nulls,
)
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record

POLL_SECONDS = 0.05


class Endpoint(StepType):
    def run(self, run: StepRun) -> Outcome:
        request = {"EndpointName": run.job_name, **without_nulls(run.resolve(run.step.arguments))}
        exists = _exists(run, request["EndpointName"])
        if exists:
            request.pop("Tags", None)
        arn = invoke(run, "UpdateEndpoint" if exists else "CreateEndpoint", request)["EndpointArn"]
        run.report({"Endpoint": {"Arn": arn}})
        description = _settled(run, request["EndpointName"])
        in_service = description["EndpointStatus"] == "InService"
        if not in_service or description["EndpointConfigName"] != request["EndpointConfigName"]:
            raise StepFailed(description.get("FailureReason", f"the endpoint is {description['EndpointStatus']}"))
        return Outcome(description)

    def cache_key(self, run: StepRun) -> Record | None:
        arguments = without_nulls(run.resolve(run.step.arguments))
        return {name: value for name, value in arguments.items() if name != "Tags"}


def _exists(run: StepRun, name: str) -> bool:
    try:
        run.call("DescribeEndpoint", {"EndpointName": name})
    except ServiceError:
        return False
    return True


def _settled(run: StepRun, name: str) -> Record:
    """The endpoint's description once it is neither being created nor updated; its containers' time to start ends that.

    Raises StepStopped where the execution is to stop: the endpoint goes on.
    """
    while True:
        description = invoke(run, "DescribeEndpoint", {"EndpointName": name})
        if description["EndpointStatus"] not in ("Creating", "Updating", "RollingBack"):
            return description
        if run.stopping:
            raise StepStopped
        time.sleep(POLL_SECONDS)
