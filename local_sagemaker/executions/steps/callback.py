"""Callback step: sends a message with a token to an SQS queue, and waits until a client returns the token.

The client calls SendPipelineExecutionStepSuccess or SendPipelineExecutionStepFailure. As documented, an execution that
is being stopped sends another message and waits for the client all the same. The wait continues after a restart of the
server, without another message: the token is in the step's metadata.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from local_sagemaker.executions.steps.step_type import (
    Outcome,
    StepFailed,
    StepRun,
    StepStopped,
    StepType,
    request_to,
)
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)

# Assumed: the documentation of the step does not mention a limit.
TIMEOUT_SECONDS = 7 * 24 * 3600


class Callback(StepType):
    def run(self, run: StepRun) -> Outcome:
        request = request_to(run, "SqsQueueUrl")
        url = request["SqsQueueUrl"]
        token = next(iter(run.callbacks.waiting(run.execution_arn, run.step.name)), None)
        if token is None:
            token = run.callbacks.create(run.execution_arn, run.step.name)
            try:
                _send(run, request, token, "Executing")
            except ServiceError as error:
                run.callbacks.discard(token)
                reason = f"ClientError: Failed to invoke sqs:SendMessage for {url}. Error Details: {error.message}"
                raise StepFailed(reason) from error
        metadata = {"CallbackToken": token, "SqsQueueUrl": url}
        run.on_stop(lambda: _announce_stop(run, request, token))
        run.set_metadata({"Callback": metadata})
        with run.idle():
            answer = run.callbacks.wait(token, TIMEOUT_SECONDS, lambda: run.stopping)
        if answer is None:
            if run.stopping:
                raise StepStopped
            raise StepFailed(f"ClientError: No client returned the callback token within {TIMEOUT_SECONDS} seconds")
        if answer["Status"] == "Failed":
            raise StepFailed(answer.get("FailureReason", ""))
        given = answer.get("OutputParameters", [])
        run.set_metadata({"Callback": {**metadata, "OutputParameters": given}})
        return Outcome({"OutputParameters": _outputs(request["OutputParameters"], given)})

    def cache_key(self, run: StepRun) -> Record | None:
        return request_to(run, "SqsQueueUrl")


def _send(run: StepRun, request: Record, token: str, status: str) -> None:
    message = {
        "token": token,
        "pipelineExecutionArn": run.execution_arn,
        "arguments": request["Arguments"],
        "status": status,
    }
    run.callbacks.send_message(request["SqsQueueUrl"], json.dumps(message))


def _announce_stop(run: StepRun, request: Record, token: str) -> None:
    try:
        _send(run, request, token, "Stopping")
    except ServiceError as error:
        log.warning("step %s: cannot send that it is stopping: %s", run.step.name, error.message)


def _outputs(declared: list[Record], given: list[Record]) -> Record:
    """Return the values of the step's outputs, which clients send as text, in their declared types.

    Raises:
        StepFailed: A declared output is missing, or is not of its type.
    """
    outputs: Record = {output["Name"]: output["Value"] for output in given}
    for output in declared:
        name, kind = output["OutputName"], output.get("OutputType", "String")
        if name not in outputs:
            names = ", ".join(outputs) or "none"
            raise StepFailed(f"ClientError: The callback did not return output {name!r} (outputs: {names})")
        outputs[name] = _typed(name, kind, outputs[name])
    return outputs


def _typed(name: str, kind: str, text: str) -> Any:
    try:
        return _TYPES[kind](text)
    except ValueError:
        raise StepFailed(
            f"ClientError: The output {name!r} of the callback must be of type {kind}, not {text!r}"
        ) from None


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_TYPES: dict[str, Callable[[str], Any]] = {"String": str, "Integer": int, "Float": float, "Boolean": _boolean}
