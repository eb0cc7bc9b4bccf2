"""The SDK, prepared for building definitions offline: no network, no telemetry, no logging of its own.

Modules that import the SDK import this one first.
"""

from __future__ import annotations

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


# Otherwise building a step asks IAM whether the role may do everything that a step could need. A definition is a pure
# function of repo and settings; the service itself checks the role when it runs.
os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"

# importing the SDK also sets the root logger to INFO, with a handler
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

# The SDK checks its defaults config against a JSON schema, and that against the schema of schemas, in each session and
# at each of some 80 look-ups: five of the six seconds that a definition would take. Ours is a constant, see
# `offline_session`.
for _module in (sagemaker.core.config.config, sagemaker.core.config.config_manager):
    _module.SAGEMAKER_PYTHON_SDK_CONFIG_SCHEMA = {}

# A processing step asks a new client of the SDK's local mode, with sessions and clients of its own, what one of its
# methods is called. The class says so, too.
sagemaker.mlops.workflow.steps.LocalSagemakerClient = lambda: LocalSagemakerClient

# What the SDK says while it builds a definition ("Popping out 'ProcessingJobName' ...") is nothing a user could act on.
for _name in ("sagemaker", "sagemaker.config", "sagemaker.core.utils.utils"):
    logging.getLogger(_name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="Running within a PipelineSession")


class _OfflineSession(PipelineSession):
    """A session that takes the bucket's existence for granted, where the SDK's would ask S3 for it."""

    def default_bucket(self) -> str:
        return str(self._default_bucket_name_override)


def offline_session(bucket: str, region: str) -> PipelineSession:
    """A session to build a definition with, which can't reach anything."""
    config = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
    return _OfflineSession(boto_session=unused_session(region), default_bucket=bucket, sagemaker_config=config)
