"""The SageMaker SDK, prepared for building definitions offline: no network, no telemetry, no log output.

Modules that import the SDK import this module first.
"""

from __future__ import annotations

import functools
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import boto3

_UNUSED = {
    "AWS_ACCESS_KEY_ID": "unused",
    "AWS_SECRET_ACCESS_KEY": "unused",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def unused_session(region: str) -> boto3.Session:
    """Return a session with invalid credentials, for clients that are created but never called."""
    return boto3.Session(aws_access_key_id="unused", aws_secret_access_key="unused", region_name=region)  # noqa: S106


@contextmanager
def offline_defaults() -> Iterator[None]:
    """Provide a region and unused credentials in the environment.

    The SDK creates clients at import and in some constructors. Without a region that fails, and without credentials it
    queries the instance metadata service.
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


# Otherwise the SDK asks IAM whether the role has the permissions of each step. A definition is a pure function of
# repository and settings; the service checks the role when the step runs.
os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"

# importing the SDK sets the root logger to INFO and adds a handler
_root = logging.getLogger()
_handlers, _level = list(_root.handlers), _root.level
with offline_defaults():
    import sagemaker.core.config.config
    import sagemaker.core.config.config_manager
    import sagemaker.mlops.workflow.pipeline
    import sagemaker.mlops.workflow.steps
    from sagemaker.core.local.local_session import LocalSagemakerClient
    from sagemaker.core.workflow.pipeline_context import PipelineSession
_root.handlers[:] = _handlers
_root.setLevel(_level)

# The SDK validates its defaults config against a JSON schema, and the schema against its metaschema, in every session
# and at each of some 80 look-ups, which takes five of the six seconds of building a definition. This config is a
# constant, see `offline_session`.
for _module in (sagemaker.core.config.config, sagemaker.core.config.config_manager):
    _module.SAGEMAKER_PYTHON_SDK_CONFIG_SCHEMA = {}

# A processing step creates a client of the SDK's local mode, which creates sessions and clients, only to look up the
# name of a method. The class has the same attribute.
sagemaker.mlops.workflow.steps.LocalSagemakerClient = lambda: LocalSagemakerClient

# users cannot act on the SDK's messages, such as "Popping out 'ProcessingJobName' ..."
for _name in ("sagemaker", "sagemaker.config", "sagemaker.core.utils.utils"):
    logging.getLogger(_name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="Running within a PipelineSession")


class _OfflineSession(PipelineSession):
    """A session that does not check the existence of the bucket."""

    def default_bucket(self) -> str:
        return str(self._default_bucket_name_override)


# A session creates eight clients, which takes half the time of a definition. Definitions leave nothing in it.
@functools.cache
def offline_session(bucket: str, region: str) -> PipelineSession:
    """Return a session for building definitions, without network access."""
    config = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
    return _OfflineSession(boto_session=unused_session(region), default_bucket=bucket, sagemaker_config=config)
