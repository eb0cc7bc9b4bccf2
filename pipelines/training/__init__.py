"""The training pipeline's definition. Importing this package prepares the SDK for building definitions offline."""

import logging
import os
import warnings

import botocore.session

# The SDK makes a client while it is imported, which needs some region; which one has no effect on a definition.
if not botocore.session.Session().get_config_variable("region"):
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"

# Otherwise building a step asks IAM whether the role may do everything that a step could need. A definition is a pure
# function of repo and settings; the service itself checks the role when it runs.
os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"

# What the SDK says while it builds a definition ("Popping out 'ProcessingJobName' ...") is nothing a user could act on.
logging.getLogger("sagemaker").setLevel(logging.ERROR)
logging.getLogger("sagemaker.config").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="Running within a PipelineSession")

from sagemaker.core.config.config_manager import SageMakerConfig  # noqa: E402  (needs the region)
from sagemaker.core.utils.utils import logger as _utils_logger  # noqa: E402

_utils_logger.setLevel(logging.ERROR)

# The SDK checks its defaults config against a JSON schema at each of some 80 look-ups, four of the five seconds that a
# definition would take. Ours is a constant, see `pipeline._offline_session`.
SageMakerConfig.validate_sagemaker_config = staticmethod(lambda sagemaker_config=None: None)
