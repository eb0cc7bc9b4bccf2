"""The training pipeline's definition. Importing this package prepares the SDK for building definitions offline."""

import logging
import os
import warnings

import boto3

# Otherwise building a step asks IAM whether the role may do everything that a step could need. A definition is a pure
# function of repo and settings; the service itself checks the role when it runs.
os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"

# The SDK makes a client while it is imported. On a machine without region that fails, and on one without credentials it
# asks the network for some; so it is given a session that has both, and that nothing uses afterwards.
_session = boto3.DEFAULT_SESSION
boto3.setup_default_session(
    aws_access_key_id="unused",
    aws_secret_access_key="unused",  # noqa: S106
    region_name="us-east-1",
)
try:
    import sagemaker.mlops.workflow.pipeline
    from sagemaker.core.config.config_manager import SageMakerConfig
finally:
    boto3.DEFAULT_SESSION = _session

# The SDK checks its defaults config against a JSON schema at each of some 80 look-ups, four of the five seconds that a
# definition would take. Ours is a constant, see `pipeline._offline_session`.
SageMakerConfig.validate_sagemaker_config = staticmethod(lambda sagemaker_config=None: None)

# What the SDK says while it builds a definition ("Popping out 'ProcessingJobName' ...") is nothing a user could act on.
for _name in ("sagemaker", "sagemaker.config", "sagemaker.core.utils.utils"):
    logging.getLogger(_name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="Running within a PipelineSession")
