"""Lambda: a function is called with the step's arguments and its answer taken for the step's outputs."""

from __future__ import annotations

import json
from typing import Any

from local_sagemaker.executions.steps.step_type import Outcome, StepFailed, StepRun, StepType
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record

# what the metadata of a step can hold of one output
LONGEST_VALUE = 1024

_TYPES: dict[str, tuple[type, ...]] = {"String": (str,), "Integer": (int,), "Boolean": (bool,), "Float": (float, int)}


class Lambda(StepType):
    def run(self, run: StepRun) -> Outcome:
        request = _request(run)
        arn = request["FunctionArn"]
        run.report({"Lambda": {"Arn": arn}})
        try:
            invocation = run.functions.invoke(arn, json.dumps(request["Arguments"]).encode())
        except ServiceError as error:
            reason = f"ClientError: Failed to invoke lambda:Invoke. Error Details: {error.message}"
            raise StepFailed(reason, "Step.THROTTLING" if error.code == "TooManyRequestsException" else None) from error
        answer = json.loads(invocation.payload)
        if invocation.error is not None:
            raise StepFailed(f"ClientError: The Lambda function {arn} failed: {_error_words(answer)}")
        outputs = {output["OutputName"]: _output(arn, answer, output) for output in request["OutputParameters"]}
        shown = [{"Name": name, "Value": _shown(value)} for name, value in outputs.items()]
        run.report({"Lambda": {"Arn": arn, "OutputParameters": shown}})
        return Outcome({"OutputParameters": outputs})

    def cache_key(self, run: StepRun) -> Record | None:
        return _request(run)


def _request(run: StepRun) -> Record:
    settings = run.step.settings
    if not settings.get("FunctionArn"):
        raise StepFailed("ClientError: The step names no FunctionArn")
    return {
        "FunctionArn": run.resolve(settings["FunctionArn"]),
        "Arguments": run.resolve(run.step.arguments),
        "OutputParameters": run.resolve(settings.get("OutputParameters") or []),
    }


def _output(arn: str, answer: Any, output: Record) -> Any:
    """What the function has answered for one of the step's outputs. Raises StepFailed."""
    name, kind = output["OutputName"], output.get("OutputType", "String")
    if not isinstance(answer, dict) or name not in answer:
        there = ", ".join(answer) if isinstance(answer, dict) and answer else "none"
        raise StepFailed(f"ClientError: The Lambda function {arn} returned no output {name!r} (outputs: {there})")
    value = answer[name]
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "Boolean"):
        raise StepFailed(
            f"ClientError: The output {name!r} of the Lambda function {arn} should be of type {kind}, "
            f"it is {json.dumps(value)[:200]}"
        )
    return value


def _error_words(answer: Any) -> str:
    return f"{answer.get('errorType', '')}: {answer.get('errorMessage', '')}" if isinstance(answer, dict) else ""


def _shown(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:LONGEST_VALUE]
