"""Where events, alarms and schedules are delivered to: functions, topics, queues, log groups, pipelines."""

from __future__ import annotations

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.exceptions import HTTPException

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.events.target_input import find
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)


class DeliveryError(Exception):
    """A target that cannot be had; trying again would not help. The message says which and why."""


class Targets:
    """What can be called on this machine by ARN.

    Topics, queues and log groups are moto's, which has to be running by then.
    """

    def __init__(self, call: Call, functions: LambdaService) -> None:
        """Make the targets. call: SageMaker's operations."""
        self._call = call
        self._functions = functions

    def deliver(self, target: Record, text: str, sender: str, token: str) -> None:
        """Send a text to a target: an item of PutTargets or a schedule's Target.

        sender: the principal, e.g. `events.amazonaws.com`. token: tells this delivery from all others, so that a
        pipeline started twice with it runs once. Raises DeliveryError, and whatever may pass.
        """
        arn = target["Arn"]
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        try:
            if service == "lambda":
                self._call_function(arn, text, sender)
            elif service == "sagemaker":
                self._start_pipeline(arn, target, text, token)
            elif service == "sns":
                publish(arn, text)
            elif service == "sqs":
                _send_message(arn, text, target.get("SqsParameters", {}).get("MessageGroupId"))
            elif service == "logs":
                _log(arn, text)
            elif arn.lower() == "arn:aws:scheduler:::aws-sdk:sagemaker:startpipelineexecution":
                self._call("StartPipelineExecution", _universal(text, token))
            else:
                raise DeliveryError(
                    f"{arn} cannot be a target on this machine; functions, SNS topics, SQS queues, log "
                    "groups and SageMaker pipelines can"
                )
        except ServiceError as error:
            raise DeliveryError(f"{arn}: {error.message}") from error

    def _call_function(self, arn: str, text: str, sender: str) -> None:
        policy = self._functions.function(arn)["Policy"]
        if not any(sender in str(statement["Principal"]) for statement in policy):
            log.warning(
                "%s may not be invoked by %s, which on AWS would keep it from running; "
                "allow it with `aws lambda add-permission`",
                arn,
                sender,
            )
        self._functions.invoke_later(arn, text.encode())

    def _start_pipeline(self, arn: str, target: Record, text: str, token: str) -> None:
        parameters = target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", [])
        request = {
            "PipelineName": arn.rpartition("/")[2],
            "PipelineParameters": [
                {**parameter, "Value": _value(parameter["Value"], text)} for parameter in parameters
            ],
            "ClientRequestToken": _client_token(token),
        }
        self._call("StartPipelineExecution", request)


def publish(topic_arn: str, message: str, subject: str | None = None) -> None:
    """Publish to a topic. Raises DeliveryError where there is none."""
    from moto.sns.models import sns_backends

    with _refusals(topic_arn):
        sns_backends[ACCOUNT][REGION].publish(message, arn=topic_arn, subject=subject)


def _send_message(queue_arn: str, message: str, group: str | None) -> None:
    from moto.sqs.models import sqs_backends

    deduplication = hashlib.sha256(message.encode()).hexdigest() if group else None
    with _refusals(queue_arn):
        sqs_backends[ACCOUNT][REGION].send_message(
            queue_arn.rpartition(":")[2], message, group_id=group, deduplication_id=deduplication
        )


def _log(group_arn: str, message: str) -> None:
    from moto.logs.models import logs_backends

    group, stream = group_arn.removesuffix(":*").partition(":log-group:")[2], str(uuid.uuid4())
    logs = logs_backends[ACCOUNT][REGION]
    with _refusals(group_arn):
        logs.create_log_stream(group, stream)
        logs.put_log_events(group, stream, [{"timestamp": int(time.time() * 1000), "message": message}])


@contextmanager
def _refusals(arn: str) -> Iterator[None]:
    """Turn moto's errors, as of a topic that is not there, into DeliveryError."""
    from moto.core.exceptions import ServiceException

    try:
        yield
    except (ServiceException, HTTPException, ValueError) as error:
        raise DeliveryError(f"{arn}: {error}") from error


def _value(value: str, text: str) -> str:
    """A parameter's value, which may be a path into the event."""
    if not value.startswith("$."):
        return value
    try:
        found = find(json.loads(text), value)
    except ValueError:
        found = None
    return found if isinstance(found, str) else json.dumps(found)


def _universal(text: str, token: str) -> Record:
    try:
        request = json.loads(text)
    except ValueError as error:
        raise DeliveryError(f"the Input of a universal target has to be the request in JSON: {error}") from error
    return {"ClientRequestToken": _client_token(token), **request}


def _client_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
