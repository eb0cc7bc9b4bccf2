"""EndpointConfig step: creates an endpoint configuration, for an Endpoint step to use."""

from __future__ import annotations

from local_sagemaker.executions.steps.step_type import (
    Outcome,
    StepRun,
    StepType,
    invoke,
    resolved_arguments,
    without_tags,
)
from local_sagemaker.storage.records import Record


class EndpointConfig(StepType):
    operation = "CreateEndpointConfig"

    def run(self, run: StepRun) -> Outcome:
        request = {"EndpointConfigName": run.job_name, **resolved_arguments(run)}
        arn = invoke(run, "CreateEndpointConfig", request)["EndpointConfigArn"]
        run.set_metadata({"EndpointConfig": {"Arn": arn}})
        name = {"EndpointConfigName": request["EndpointConfigName"]}
        return Outcome(invoke(run, "DescribeEndpointConfig", name))

    def cache_key(self, run: StepRun) -> Record | None:
        return without_tags(resolved_arguments(run))
