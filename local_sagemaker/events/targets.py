"""Targets of events, alarms and schedules: functions, topics, queues, log groups and pipelines."""

from __future__ import annotations

import hashlib
import json
import logging

from local_sagemaker.events.target_input import value_at
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.services.moto import state
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)

START_PIPELINE_EXECUTION = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"


class DeliveryError(Exception):
    """A delivery that a retry would not help; the message names the target and the cause."""


class Targets:
    """The targets that the local SageMaker supports, by ARN."""

    def __init__(self, call: Call, functions: LambdaService) -> None:
        """Make the targets.

        Args:
            call: Calls SageMaker's operations.
            functions: The Lambda functions.
        """
        self._call = call
        self._functions = functions

    def deliver(self, target: Record, text: str, principal: str, token: str) -> None:
        """Deliver a text to a target.

        Args:
            target: An item of PutTargets, or a schedule's Target; for a topic, it may have a Subject.
            text: The target's input.
            principal: Who delivers it, e.g. `events.amazonaws.com`.
            token: Unique to the delivery; makes starting a pipeline idempotent.

        Raises:
            DeliveryError: If the target does not exist, is not supported or rejects the input.
        """
        arn = target["Arn"]
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        try:
            if service == "lambda":
                self._invoke_function(arn, text, principal)
            elif service == "sagemaker":
                self._start_pipeline(arn, target, text, token)
            elif service == "sns":
                state.publish(arn, text, target.get("Subject"))
            elif service == "sqs":
                state.send_message(arn, text, target.get("SqsParameters", {}).get("MessageGroupId"))
            elif service == "logs":
                state.put_log_event(arn, text)
            elif arn.lower() == START_PIPELINE_EXECUTION.lower():
                self._call("StartPipelineExecution", _universal_target_request(text, token))
            else:
                raise DeliveryError(
                    f"the local SageMaker does not support the target {arn}; use a Lambda function, SNS topic, "
                    "SQS queue, log group or SageMaker pipeline"
                )
        except ServiceError as error:
            raise DeliveryError(f"{arn}: {error.message}") from error

    def check(self, arn: str) -> None:
        """Raise DeliveryError if a function, topic or queue does not exist."""
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        try:
            if service == "lambda":
                self._functions.function(arn)
            elif service in ("sns", "sqs"):
                state.check_destination(arn)
            else:
                raise DeliveryError(f"{arn} is not the ARN of a Lambda function, SNS topic or SQS queue")
        except ServiceError as error:
            raise DeliveryError(f"{arn}: {error.message}") from error

    def _invoke_function(self, arn: str, text: str, principal: str) -> None:
        policy = self._functions.policy(arn)
        if not any(principal in str(statement["Principal"]) for statement in policy):
            log.warning(
                "%s lacks a permission for %s to invoke it, and would not be invoked on AWS; "
                "add one with `aws lambda add-permission`",
                arn,
                principal,
            )
        self._functions.invoke_later(arn, text.encode())

    def _start_pipeline(self, arn: str, target: Record, text: str, token: str) -> None:
        parameters = target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", [])
        request = {
            "PipelineName": arn.rpartition("/")[2],
            "PipelineParameters": [
                {**parameter, "Value": _parameter_value(parameter["Value"], text)} for parameter in parameters
            ],
            "ClientRequestToken": _client_token(token),
        }
        self._call("StartPipelineExecution", request)


def _parameter_value(value: str, text: str) -> str:
    """Resolve a parameter's value, which may be a JSON path into the target's input."""
    if not value.startswith("$."):
        return value
    try:
        found = value_at(json.loads(text), value)
    except ValueError:
        found = None
    return found if isinstance(found, str) else json.dumps(found)


def _universal_target_request(text: str, token: str) -> Record:
    try:
        request = json.loads(text)
    except ValueError as error:
        raise DeliveryError(
            f"the Input of the target {START_PIPELINE_EXECUTION} is not JSON: {error}; "
            "give the request of StartPipelineExecution"
        ) from error
    return {"ClientRequestToken": _client_token(token), **request}


def _client_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
