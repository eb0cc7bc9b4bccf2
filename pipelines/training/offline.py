"""Keeps the SDK off the network while it is imported and while it builds a definition."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import boto3

_UNUSED = {
    "AWS_ACCESS_KEY_ID": "unused",
    "AWS_SECRET_ACCESS_KEY": "unused",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def unused_session(region: str) -> boto3.Session:
    """A session with credentials that are valid nowhere, for clients that are made but never called."""
    return boto3.Session(aws_access_key_id="unused", aws_secret_access_key="unused", region_name=region)  # noqa: S106


@contextmanager
def offline_defaults() -> Iterator[None]:
    """For a moment, let AWS clients find a region and unused credentials in the environment.

    The SDK makes clients of its own, at import and in some constructors. On a machine without a region that fails, and
    on one without credentials it asks the instance metadata service for some.
    """
    environment, default_session = dict(os.environ), boto3.DEFAULT_SESSION
    os.environ.update(_UNUSED)
    boto3.DEFAULT_SESSION = None
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = default_session
        for name in _UNUSED:
            del os.environ[name]
        os.environ.update({name: environment[name] for name in _UNUSED if name in environment})
