"""Lambda step: invokes a function with the step's arguments; the members of its response are the step's outputs."""

from __future__ import annotations

import json
from typing import Any

from local_sagemaker.executions.steps.step_type import Outcome, StepFailed, StepRun, StepType, request_to
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record

# maximum length of an output in the step's metadata
LONGEST_VALUE = 1024

_TYPES: dict[str, tuple[type, ...]] = {"String": (str,), "Integer": (int,), "Boolean": (bool,), "Float": (float, int)}


class Lambda(StepType):
    def run(self, run: StepRun) -> Outcome:
        request = request_to(run, "FunctionArn")
        arn = request["FunctionArn"]
        run.set_metadata({"Lambda": {"Arn": arn}})
        try:
            invocation = run.functions.invoke(arn, json.dumps(request["Arguments"]).encode())
        except ServiceError as error:
            reason = f"ClientError: Failed to invoke lambda:Invoke. Error Details: {error.message}"
            raise StepFailed(reason, "Step.THROTTLING" if error.code == "TooManyRequestsException" else None) from error
        response = json.loads(invocation.payload)
        if invocation.error is not None:
            raise StepFailed(f"ClientError: The Lambda function {arn} failed: {_error_message(response)}")
        outputs = {output["OutputName"]: _output(arn, response, output) for output in request["OutputParameters"]}
        parameters = [{"Name": name, "Value": _metadata_value(value)} for name, value in outputs.items()]
        run.set_metadata({"Lambda": {"Arn": arn, "OutputParameters": parameters}})
        return Outcome({"OutputParameters": outputs})

    def cache_key(self, run: StepRun) -> Record | None:
        return request_to(run, "FunctionArn")


def _output(arn: str, response: Any, output: Record) -> Any:
    """Return the value of one of the step's outputs.

    Raises:
        StepFailed: The response has no such member, or one of another type.
    """
    name, kind = output["OutputName"], output.get("OutputType", "String")
    if not isinstance(response, dict) or name not in response:
        names = ", ".join(response) if isinstance(response, dict) and response else "none"
        raise StepFailed(f"ClientError: The Lambda function {arn} did not return output {name!r} (outputs: {names})")
    value = response[name]
    if kind == "String" and isinstance(value, (int, float)):
        # AWS's example of a Lambda step declares its statusCode, a number, as a String
        return json.dumps(value)
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "Boolean"):
        raise StepFailed(
            f"ClientError: The output {name!r} of the Lambda function {arn} must be of type {kind}, "
            f"not {json.dumps(value)[:200]}"
        )
    return value


def _error_message(response: Any) -> str:
    return f"{response.get('errorType', '')}: {response.get('errorMessage', '')}" if isinstance(response, dict) else ""


def _metadata_value(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:LONGEST_VALUE]
