"""EndpointConfig: an endpoint configuration, for an Endpoint step to use."""

from __future__ import annotations

from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, invoke, without_nulls
from local_sagemaker.storage.records import Record


class EndpointConfig(StepType):
    def run(self, run: StepRun) -> Outcome:
        request = {"EndpointConfigName": run.job_name, **without_nulls(run.resolve(run.step.arguments))}
        arn = invoke(run, "CreateEndpointConfig", request)["EndpointConfigArn"]
        run.report({"EndpointConfig": {"Arn": arn}})
        name = {"EndpointConfigName": request["EndpointConfigName"]}
        return Outcome(invoke(run, "DescribeEndpointConfig", name))

    def cache_key(self, run: StepRun) -> Record | None:
        arguments = without_nulls(run.resolve(run.step.arguments))
        return {name: value for name, value in arguments.items() if name != "Tags"}
