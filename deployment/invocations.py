"""Requests to an endpoint and their results: a response or an error, with its latency."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from project.target import Target

JSON, CSV = "application/json", "text/csv"
# custom attribute of requests that are not real traffic: data capture keeps it, so that monitoring can leave them out
TEST_REQUEST = "test-request"
# called with the numbers of completed and of failed requests
RequestReport = Callable[[int, int], None]


@dataclass(frozen=True)
class InvocationResult:
    """A response or an error.

    Attributes:
        inference_id: The id under which the request was sent.
        status: HTTP status of the container; of the service if the request did not reach the container; 0 if it did
            not reach the service.
        seconds: Latency as measured by the client.
        body: The response's body.
        message: The error message in one line, empty for a response.
        variant: Name of the variant that was invoked.
    """

    inference_id: str
    status: int
    seconds: float
    body: bytes = b""
    message: str = ""
    variant: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def runtime_client(target: Target, connections: int = 1) -> Any:
    """Create a client for this many threads that does not retry, so that every failure is counted."""
    # SageMaker ends an invocation after 60 seconds
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=10,
        read_timeout=70,
        max_pool_connections=connections,
    )
    return boto3.client("sagemaker-runtime", region_name=target.region, config=config)


def as_json(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Encode one record as a JSON object, several as a list."""
    content: Any = records[0] if len(records) == 1 else list(records)
    return json.dumps(content, ensure_ascii=False).encode()


def invoke(
    client: Any,
    endpoint: str,
    body: bytes,
    content_type: str = JSON,
    accept: str = JSON,
    custom_attributes: str = "",
    variant: str = "",
) -> InvocationResult:
    """Send a request with a new inference id, to a variant if one is given; errors are returned, not raised."""
    inference_id = str(uuid.uuid4())
    start = time.perf_counter()
    try:
        response = client.invoke_endpoint(
            EndpointName=endpoint,
            Body=body,
            ContentType=content_type,
            Accept=accept,
            InferenceId=inference_id,
            **({"CustomAttributes": custom_attributes} if custom_attributes else {}),
            **({"TargetVariant": variant} if variant else {}),
        )
        content = response["Body"].read()
    except ClientError as error:
        details = error.response
        # the container's response, if the request reached it
        status = details.get("OriginalStatusCode") or details["ResponseMetadata"]["HTTPStatusCode"]
        # below the first line, some containers send a traceback
        message = (details.get("OriginalMessage") or details["Error"]["Message"]).strip().partition("\n")[0]
        return InvocationResult(inference_id, int(status), time.perf_counter() - start, message=message)
    except BotoCoreError as error:
        return InvocationResult(inference_id, 0, time.perf_counter() - start, message=str(error))
    return InvocationResult(
        inference_id,
        response["ResponseMetadata"]["HTTPStatusCode"],
        time.perf_counter() - start,
        body=content,
        variant=response.get("InvokedProductionVariant", ""),
    )
