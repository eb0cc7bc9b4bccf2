"""Requests to an endpoint, and what comes back: an answer or an error, each with its time."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from project.target import Target

JSON, CSV = "application/json", "text/csv"


@dataclass(frozen=True)
class Answer:
    """status: the container's HTTP status; of an error before it the service's, and 0 where none was reached.

    seconds: as the client sees it. message: why it failed, else empty.
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
    """A client for so many threads that tries each request once, so that what fails is seen to fail."""
    # SageMaker gives a container 60 seconds
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=10,
        read_timeout=70,
        max_pool_connections=connections,
    )
    return boto3.client("sagemaker-runtime", region_name=target.region, config=config)


def as_json(records: Sequence[Mapping[str, Any]]) -> bytes:
    """One record as an object, several as a list of them."""
    content: Any = records[0] if len(records) == 1 else list(records)
    return json.dumps(content, ensure_ascii=False).encode()


def invoke(client: Any, endpoint: str, body: bytes, content_type: str = JSON, accept: str = JSON) -> Answer:
    """Send a request under an inference id of its own. Errors are answers too."""
    inference_id = str(uuid.uuid4())
    begin = time.perf_counter()
    try:
        response = client.invoke_endpoint(
            EndpointName=endpoint, Body=body, ContentType=content_type, Accept=accept, InferenceId=inference_id
        )
        content = response["Body"].read()
    except ClientError as error:
        details = error.response
        # the container's own answer, where it has given one
        status = details.get("OriginalStatusCode") or details["ResponseMetadata"]["HTTPStatusCode"]
        message = details.get("OriginalMessage") or details["Error"]["Message"]
        return Answer(inference_id, int(status), time.perf_counter() - begin, message=message)
    except BotoCoreError as error:
        return Answer(inference_id, 0, time.perf_counter() - begin, message=str(error))
    return Answer(
        inference_id,
        response["ResponseMetadata"]["HTTPStatusCode"],
        time.perf_counter() - begin,
        body=content,
        variant=response.get("InvokedProductionVariant", ""),
    )
