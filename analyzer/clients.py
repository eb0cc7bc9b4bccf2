"""Clients of AWS, for the few parts of an analysis that call it."""

from __future__ import annotations

import os
from typing import Any

# An endpoint responds within 60 s.
READ_TIMEOUT = 70


def client(service: str, read_timeout: int = READ_TIMEOUT) -> Any:
    """Return a client with the region and the credentials of the environment.

    Args:
        service: Name of the service, such as "s3".
        read_timeout: The longest wait for a response, in seconds.
    """
    # Imported here because an analysis that calls nothing must run without boto3.
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        # SageMaker sets the region of its containers in a variable that boto3 does not read.
        region_name=os.environ.get("AWS_REGION"),
        config=Config(connect_timeout=10, read_timeout=read_timeout, retries={"max_attempts": 5, "mode": "standard"}),
    )
